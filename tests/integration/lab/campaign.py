"""Rounds of SIGKILL at random moments under load, and what must hold after them.

One server, one vault, traffic all the time. Each round waits a random moment, kills one or several
of puller, keeper, HSM service, exporter (while a restore runs), server, or everything at once, and
lets them go on. "power" stops the archive's file system as well, under load, without writing back
what is not durable. After both, pulling must go on at or behind what was reported as covered: that
the server would send it again proves nothing. After every `stride` rounds and at the end `inspect`
asks for the evidence: every finished file byte-identical to the server's own, no gap, archive
verified with and without keys, no (segment id, nonce) pair twice in any file, torn tails included.

The moments and victims depend on the seed alone; what the processes were doing at that moment does
not, so a round cannot be repeated exactly.

Owns: nothing beyond the scratch that is given. Threads: one, beside the traffic's.
"""

import json
import random
import shutil
import threading
import time

from . import evidence
from .loopfs import LoopFileSystem, available
from .mariadb import MariaDB
from .pki import Authority
from .processes import wait_until
from .scratch import Scratch
from .token import Token
from .traffic import Traffic
from .vault import Vault, VerbError

MEBIBYTE = 1 << 20
SOURCE = "orders"
VICTIMS = {
    "puller": 5, "keeper": 5, "hsm": 3, "export": 2, "server": 2, "puller and keeper": 3,
    "everything": 2, "power": 2,
}
DAEMON = {"puller": "binvault-pull", "keeper": "binvault-keeper", "hsm": "binvault-hsm",
          "export": "binvault-export"}


class Campaign:
    """`rounds` rounds, or as many as fit `seconds`. Raises at the first broken promise."""

    victims = VICTIMS  # and how often each is chosen
    options = {"segment-size": "8M", "segment-age": "5s"}  # of [archive]
    defaults = {}  # of every source

    def __init__(self, scratch: Scratch, seed=1, rounds=None, seconds=None, stride=20, report=print,
                 largest=MEBIBYTE, flavour=MariaDB):
        self.random = random.Random(seed)
        self.seed, self.rounds, self.seconds, self.stride = seed, rounds, seconds, stride
        self.report, self.scratch = report, scratch
        self.done, self.kills, self.inspections = 0, dict.fromkeys(self.victims, 0), 0
        self.files = self.bytes = self.frames = 0
        self.described = ""  # the round at hand
        self._checked = set()
        authority = Authority(scratch.directory("pki"))
        self.server = flavour(scratch, authority, binlog_size=16 * MEBIBYTE)
        self.server.start()
        self.server.create_archive_user()
        enforced, _ = available("xfs")
        self.file_system = (LoopFileSystem(scratch, "volume", "xfs", size=16 << 30) if enforced
                            else None)
        volume = self.file_system.path if enforced else scratch.directory("volume")
        self.vault = Vault(scratch, Token(scratch.directory("token")), authority, volume,
                           {SOURCE: self.server}, worm="required" if enforced else "advisory",
                           defaults=self.defaults, **self.options)
        self.vault.init()
        self.vault.start()
        self._traffic = None
        self._largest = largest

    def run(self):
        begin = time.monotonic()
        while not self._over(begin):
            self._start_traffic()
            for _ in range(self.stride):
                if self._over(begin):
                    break
                self._round()
            self._stop_traffic()
            self.inspect(final=self._over(begin))

    def _over(self, begin):
        if self.rounds is not None:
            return self.done >= self.rounds
        return time.monotonic() - begin >= self.seconds

    def _start_traffic(self):
        self._traffic = Traffic(self.server, seed=self.random.randrange(1 << 30), clients=2,
                                largest=self._largest, survive=True, rotation_interval=2.0,
                                database=f"round{self.done}", xa=False)
        self._traffic.start()

    def _stop_traffic(self):
        self._traffic.stop()

    def _choose(self):
        return self.random.choices(list(self.victims), self.victims.values())[0]

    def _round(self):
        victim = self._choose()
        time.sleep(self.random.uniform(0.05, 1.5))
        self.kills[victim] += 1
        self.done += 1
        self.described = f"round {self.done}: {victim}"
        if victim in ("everything", "power"):
            self._lose_everything(victim == "power")
        elif victim == "server":
            self.server.kill9()
            time.sleep(self.random.uniform(0, 0.5))
            self.server.start()
        elif victim == "export":
            self._kill_export()
        else:
            for part in victim.split(" and "):
                self.vault.kill(DAEMON[part])
                time.sleep(self.random.choice([0, 0, 0.01, 0.1]))
        if self._traffic.failed():
            self._traffic.stop()
            raise RuntimeError("the traffic has failed")

    def _lose_everything(self, power):
        """All processes at once; nothing that was reported as durable may be missing then."""
        before = self._covered()
        self._end_everything(power)
        self.vault.start()
        self._check_place(before)

    def _end_everything(self, power):
        if power and self.file_system:
            self.file_system.power_cut(end=self.vault.kill9)
        else:
            self.vault.kill9()

    def _check_place(self, before):
        """After a start of the vault: pulling goes on at or behind what was covered `before`."""
        place = wait_until(self._place, 60, lambda: f"the puller attaches:\n{self.vault.tail()}")
        # Without its keys the keeper may only go on at what is sealed.
        if place < before and "hsm away" not in self.vault.log:
            raise AssertionError(f"{before} was reported as durable, and pulling goes on at {place}")

    def _covered(self):
        """(file, position) that the keeper says is durable."""
        covered = self.vault.source_status(SOURCE).get("covered", {})
        return covered.get("file", ""), int(covered.get("position", 0))

    def _place(self):
        """Where the keeper told the first puller since its start to go on; None before."""
        for line in self.vault.log.splitlines():
            if '"puller.attached"' in line and line.endswith("}"):
                event = json.loads(line)
                return event["file"], int(event["position"])
        return None

    def _kill_export(self):
        """Kill the exporter of a running restore: nothing may be left under a final name."""
        name = f"killed{self.done}"
        restore = threading.Thread(target=self.vault.run_verb,
                                   args=("restore", SOURCE, "--to", name))
        restore.start()
        end = time.monotonic() + 3
        while time.monotonic() < end and not self.vault.kill(DAEMON["export"]):
            time.sleep(0.002)
        restore.join()
        if (self.vault.export / name).exists() and not (
                self.vault.export / name / "SHA256SUMS").exists():
            raise AssertionError(f"a killed restore left {name} under its final name")
        shutil.rmtree(self.vault.export / name, ignore_errors=True)

    def inspect(self, final=True):
        """Everything that must hold, held now."""
        self.inspections += 1
        self.vault.check_log()
        self.server.rotate()
        names = self.server.closed_binlogs()
        self.vault.wait_covered(SOURCE, self.server, timeout=120)
        self.vault.wait_sealed(SOURCE, *names, timeout=120)
        self.vault.verb("verify")
        self.vault.verb("verify", "--decrypt")
        name = f"inspection{self.inspections}"
        # The last inspection restores everything, the others what is new since the one before.
        new = names if final else [name for name in names if name not in self._checked]
        self.vault.verb("restore", SOURCE, "--to", name, "--from-file", new[0])
        size = evidence.compare_restore(self.server, self.vault.export / name, new)
        self.bytes = size if final else self.bytes + size
        self._checked.update(new)
        self.files = len(self._checked)
        shutil.rmtree(self.vault.export / name)
        self.frames, twice = evidence.frame_nonces(self.vault.volume)
        if twice:
            raise AssertionError(f"nonces used twice: {twice[:3]}")
        self.report(f"after {self.done} rounds: {self.files} files, {self.bytes / MEBIBYTE:.0f} MiB "
                    f"identical, {self.frames} frames without a nonce twice, verified")

    def summary(self):
        return json.dumps({"rounds": self.done, "seed": self.seed, "kills": self.kills,
                           "files": self.files, "bytes": self.bytes, "frames": self.frames,
                           "inspections": self.inspections})


__all__ = ["Campaign", "VerbError"]
