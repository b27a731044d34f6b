"""binvault-forward, alone: no keeper, no token, only a ledger to read and a receiver.

    forwarder = Forwarder(scratch, "forward", volume, siem.server, authority)
    forwarder.start()
    forwarder.wait_confirmed(1000)

Owns: its configuration, state directory and process; the scratch's close stops it. As root it runs
as its user, to whom the client's key is given.
"""

import json
import os
import shutil

from . import processes, program

USER = "binvault-forward"


def section(server, ca, client, state):
    return (f"[siem]\nserver = {server}\ntls-ca = {ca}\ntls-certificate = {client.certificate}\n"
            f"tls-key = {client.key}\nstate = {state}\n")


def forward_to(siem, vault, authority):
    """The vault's configuration sends its ledger there, as the client `forwarder`."""
    client = authority.issue("forwarder", purpose="clientAuth")
    if os.geteuid() == 0:
        shutil.chown(client.key, USER)
    vault.more = section(siem.server, authority.certificate, client, vault.directory / "siem")
    vault.write_configuration()


class Forwarder:
    """For the ledger below `volume`; `client` and `ca` replace the authority's own."""

    def __init__(self, scratch, name, volume, server, authority, client=None, ca=None):
        client = client or authority.client
        self.directory = scratch.directory(name)
        self.state = self.directory / "state"
        self._scratch, self._name, self._process = scratch, name, None
        self.configuration = self.directory / "binvault.conf"
        if os.geteuid() == 0:
            shutil.chown(client.key, USER)
        self.configuration.write_text(
            f"[archive]\nname = vault01\nvolume = {volume}\nruntime = {self.directory}\n"
            f"[hsm]\nmodule = /none\ntoken-label = none\nstate = /none\npin-source = file:/none\n"
            f"{section(server, ca or authority.certificate, client, self.state)}")

    def start(self):
        user = ["--user", USER] if os.geteuid() == 0 else []
        self._process = processes.Process(
            self._scratch, self._name,
            [program("binvault-forward"), "--config", self.configuration, *user])

    def kill9(self):
        self._process.kill9()

    def stop(self):
        return self._process.stop()

    @property
    def log(self):
        return self._process.log_text()

    def events(self, name):
        """The log's lines of this event."""
        return [entry for entry in map(json.loads, self.log.splitlines())
                if entry.get("event") == name]

    def progress(self):
        path = self.state / "forwarded.json"
        return json.loads(path.read_bytes()) if path.exists() else {"next": "0", "sentence": ""}

    def memory(self):
        """The most that it has had resident, in bytes."""
        return processes.peak_resident_size(self._process.pid)

    def wait(self, predicate, what, timeout=30):
        return processes.wait_until(predicate, timeout,
                                    lambda: f"{what}: {self.progress()}\n{self._process.tail()}")

    def wait_confirmed(self, count, timeout=30):
        self.wait(lambda: int(self.progress()["next"]) >= count, f"{count} leaves are confirmed",
                  timeout)

    def wait_sentence(self, words, timeout=30):
        """Until it is in the log, and in the file that `status` reads."""
        self.wait(lambda: any(words in entry.get("reason", "")
                              for entry in map(json.loads, self.log.splitlines())), words, timeout)
        self.wait(lambda: words in self.progress()["sentence"], f"the file says: {words}")
