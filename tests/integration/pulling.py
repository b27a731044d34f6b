"""One puller by itself, with a played keeper: configuration, life, and what it has archived.

    pulling = Pulling(scratch, authority, "cut1", server, heartbeat="1s")
    pulling.start()
    pulling.wait(lambda: pulling.keeper.good_end(name) >= size, "all is durable")

Owns: a directory below the scratch, the keeper and the puller. Threads: of one at a time; a puller
ends with the thread that started it.
"""

from .lab import program
from .lab.processes import Process, wait_until
from .pull_keeper import Keeper


class Pulling:
    """Pulls from `server` (anything with `host` and `port`); `source` is further configuration."""

    def __init__(self, scratch, authority, name, server, **source):
        self.name, self.scratch, self.puller = name, scratch, None
        directory = scratch.directory(name)
        runtime = scratch.directory(f"{name}/run")
        self.keeper = Keeper(scratch.directory(f"{name}/segments"), runtime / "pull-orders.sock")
        self.keeper.start()
        password = directory / "password"
        password.write_text("lab-only\n")
        password.chmod(0o600)
        options = {"servers": f"{server.host}:{server.port}", "server-id": 990017,
                   "user": "binvault", "credential": f"file:{password}",
                   "tls-ca": authority.certificate, "tls-certificate": authority.client.certificate,
                   "tls-key": authority.client.key, "start": "oldest", **source}
        self.configuration = directory / "binvault.conf"
        self.configuration.write_text(
            f"[archive]\nname = test\nvolume = {directory}\nruntime = {runtime}\n"
            "frame-delay = 10ms\n[hsm]\nmodule = /none\ntoken-label = none\nstate = /none\n"
            "pin-source = file:/none\n[export]\npath = /none\n[source orders]\n"
            + "".join(f"{key} = {value}\n" for key, value in options.items()))

    def command(self):
        return [program("binvault-pull"), "--config", self.configuration, "orders"]

    def start(self):
        self.puller = Process(self.scratch, self.name, self.command())

    def stop(self):
        """In good order: every segment is ended, closed, and accepted by the reference reader."""
        if self.puller.stop() != 0:
            raise AssertionError(f"{self.name}: no orderly end: {self.puller.tail()}")
        for segment in self.keeper.segments:
            segment.strict()

    def wait(self, predicate, what, timeout=60):
        def checked():
            if not self.puller.running():
                raise AssertionError(f"{self.name}: the puller has ended: {self.puller.tail()}")
            return predicate()
        return wait_until(checked, timeout, lambda: (
            f"{self.name}: {what}: {self.keeper.states[-4:]}\n{self.puller.tail(8)}"))

    def check(self, files):
        """These files, {name: bytes} in their order, are archived whole and once, each says what
        follows it, and all are of one history."""
        for name, content in files.items():
            found = self.keeper.file_bytes(name)
            if found != content:
                at = next((at for at, (a, b) in enumerate(zip(found, content)) if a != b), None)
                raise AssertionError(f"{self.name}: {name} has {len(found)} bytes of the server's "
                                     f"{len(content)}, and differs at {at}")
        ends = {segment.file: segment.read()["end"] for segment in self.keeper.segments}
        following = {name: end["next_file"] for name, end in ends.items()
                     if end and end["ended"] == "rotate"}
        names = list(files)
        if any(following[name] != after for name, after in zip(names, names[1:])):
            raise AssertionError(f"{self.name}: the files follow each other: {following}")
        if len({segment.generation for segment in self.keeper.segments}) != 1:
            raise AssertionError(f"{self.name}: more than one generation: "
                                 f"{[(s.file, s.reason, s.sentence) for s in self.keeper.segments]}")
        nonces = self.keeper.nonces()
        if len(nonces) != len(set(nonces)):
            raise AssertionError(f"{self.name}: a nonce was used twice")
