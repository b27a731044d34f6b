"""What semi-sync costs a commit, for tools/bench --latency."""

import mmap
import os
import statistics
import subprocess
import time

from tests.integration.lab import processes
from tests.integration.lab.loopfs import LoopFileSystem, available
from tests.integration.lab.pki import Authority
from tests.integration.lab.token import Token
from tests.integration.lab.vault import Vault

BATCH = 50      # commits of one kind after another, so that the machine's mood falls on all kinds
DISCARDED = 5   # of each batch, the first: the server has just been switched
FRAME_SIZE = 4096
TIMEOUT_MSEC = 600_000


class Latency:
    """One server and one vault that it can wait for, and one client that commits small rows."""

    def __init__(self, scratch, flavour, plain):
        authority = Authority(scratch.directory("pki"))
        self.server = flavour(scratch, authority, semi_sync=False)
        self.server.start()
        self.server.create_archive_user()
        self.server.sql("CREATE DATABASE latency; CREATE TABLE latency.t "
                        "(id INT PRIMARY KEY AUTO_INCREMENT, data CHAR(100)) ENGINE=InnoDB")
        self.server.semi_sync = True
        self._name = f"rpl_semi_sync_{self.server.semi_sync_role}"
        self.server.set_options(f"--{self._name.replace('_', '-')}-timeout={TIMEOUT_MSEC}")
        self.server.restart()
        enforced = available("xfs")[0] and not plain
        self.volume = (LoopFileSystem(scratch, "disk", "xfs", size=4 << 30).path if enforced
                       else scratch.directory("disk"))
        archive = self.volume / "archive"
        archive.mkdir()
        self.vault = Vault(scratch, Token(scratch.directory("token")), authority, archive,
                           {"orders": self.server}, worm="required" if enforced else "advisory",
                           defaults={"semi-sync": "yes"}, **{"frame-delay": "100ms"})
        self.vault.init()
        self.vault.start()
        processes.wait_until(lambda: self._status("clients") == 1, 30,
                             lambda: f"the server has a replica:\n{self.vault.tail()}")
        self._client = subprocess.Popen(
            self.server.client_command("--unbuffered", "--skip-column-names", "latency"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        scratch.defer(self._client.kill)
        self._frame = mmap.mmap(-1, FRAME_SIZE)  # aligned, as O_DIRECT wants it
        self._frame.write(os.urandom(FRAME_SIZE))
        self._file = os.open(self.volume / "bare",
                             os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_DIRECT)

    def alone(self):
        """Seconds of each commit that waits for nobody."""
        self._switch("OFF")
        return self._commits()

    def semi_sync(self):
        """Seconds of each commit that waits for the vault; all of them must have."""
        self._switch("ON")
        before = self._status("no_tx")
        times = self._commits()
        if self._status("no_tx") != before or self._status("clients") != 1:
            raise RuntimeError(f"a commit did not wait for the vault:\n{self.vault.tail()}")
        return times

    def append(self):
        """Seconds of each durable append of a frame's size to a file of the same volume."""
        times = []
        for _ in range(BATCH):
            begin = time.perf_counter()
            if os.pwritev(self._file, [self._frame], 0, os.RWF_DSYNC) != FRAME_SIZE:
                raise RuntimeError("a short write")
            times.append(time.perf_counter() - begin)
        return times[DISCARDED:]

    def _commits(self):
        times = []
        for number in range(BATCH):
            begin = time.perf_counter()
            self._client.stdin.write(
                f"INSERT INTO t (data) VALUES ('{'x' * 90}'); SELECT {number};\n".encode())
            self._client.stdin.flush()
            if self._client.stdout.readline() != f"{number}\n".encode():
                raise RuntimeError("the client ended")
            times.append(time.perf_counter() - begin)
        return times[DISCARDED:]

    def _switch(self, value):
        self.server.sql(f"SET GLOBAL {self._name}_enabled = {value}")

    def _status(self, name):
        rows = self.server.sql(f"SHOW GLOBAL STATUS LIKE '{self._name}_{name}'")
        return int(rows[0][1])


def measure(scratch, flavour, plain, commits):
    """Commits of each kind in turn; the line with medians and 99th percentiles in microseconds."""
    bench = Latency(scratch, flavour, plain)
    kinds = {"alone": bench.alone, "semi_sync": bench.semi_sync, "append": bench.append}
    times = {name: [] for name in kinds}
    load = os.getloadavg()[0]
    for _ in range(commits // (BATCH - DISCARDED)):
        for name, run in kinds.items():
            times[name] += run()
    line = {"server": flavour.label, "version": bench.server.value("SELECT VERSION()"),
            "commits": len(times["alone"]), "load_before": round(load, 1)}
    for name, values in times.items():
        line[name] = {"median_usec": round(statistics.median(values) * 1e6),
                      "p99_usec": round(statistics.quantiles(values, n=100)[98] * 1e6)}
    added = line["semi_sync"]["median_usec"] - line["alone"]["median_usec"]
    line["added_median_usec"] = added
    line["added_to_append"] = round(added / line["append"]["median_usec"], 2)
    bench.vault.stop()
    return line
