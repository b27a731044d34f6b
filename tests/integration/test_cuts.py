"""Wherever a connection is cut, what is archived in the end is the same: at every boundary between
two packets of a recorded session, from the greeting to the last event, and at 1,000 random offsets
among the bytes of a real server's sessions, TLS and all.

Each cut is of a puller that knows nothing but what it has archived. Many are under way at once,
because most of the time goes by before the puller connects again. BINVAULT_SEED repeats a run.
"""

import itertools
import os
import queue
import random
import secrets
import threading
import time
import unittest

from tests.integration.lab import PROJECT, binlog
from tests.integration.lab.hostile import HostileServer, History
from tests.integration.lab.mariadb import MariaDB
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import wait_until
from tests.integration.lab.proxy import Proxy
from tests.integration.lab.scratch import Scratch
from tests.integration.pulling import Pulling

AT_ONCE = 32
RANDOM_CUTS = 1000
CUTS_EACH = 3  # of one puller: behind further ones it would wait too long before the next try
GOLDEN = PROJECT / "tests/golden/mariadb-10.11.binlog"
NAMES = ("golden-bin.000001", "golden-bin.000002")  # as the first one says


class Workers:
    """Runs `work(item)` for each item, AT_ONCE at a time; the first failure ends it."""

    def __init__(self, work, items):
        self._work, self._failure = work, None
        self._items = queue.SimpleQueue()
        for item in items:
            self._items.put(item)
        threads = [threading.Thread(target=self._run, daemon=True) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failure:
            raise self._failure

    def _run(self):
        while not self._failure:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return
            try:
                self._work(item)
            except Exception as error:
                self._failure = AssertionError(f"{item}: {error}")


class CutsTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.authority = Authority(self.scratch.directory("pki"))
        self.numbers = itertools.count()

    def pull(self, server, files):
        """A fresh puller gets these files, {name: bytes}; the last of them is not finished."""
        number = next(self.numbers)
        pulling = Pulling(self.scratch, self.authority, f"cut{number}", server, heartbeat="1s",
                          **{"server-id": 990017 + number})
        pulling.start()
        try:
            last, content = list(files.items())[-1]
            pulling.wait(lambda: pulling.keeper.good_end(last) >= len(content), "all is archived")
            pulling.stop()
            pulling.check(files)
        finally:
            pulling.puller.kill9()
            pulling.keeper.away()

    # -- every boundary between two packets --------------------------------------------------------
    def played(self):
        """A server with a real server's file, and one behind it."""
        first = History(NAMES[0])
        first.load(GOLDEN.read_bytes())
        second = History(NAMES[1], gtids=first.gtids())
        server = HostileServer(self.scratch, self.authority, second)
        server.earlier = [first]
        server.answers = server.honest_answers()
        return server, {history.name: history.bytes for history in (first, second)}

    def test_a_cut_at_every_packet_boundary_of_a_session_changes_nothing(self):
        server, files = self.played()
        self.pull(server, files)
        recorded = server.wires[0].packet_count
        events = sum(len(history.events) for history in server.earlier + [server.history])
        self.assertGreater(recorded, events + 30, "login, statements, events")

        def cut_behind(count):
            server, files = self.played()
            limits = itertools.chain([count], itertools.repeat(None))
            server.packet_limit = lambda: next(limits)
            self.pull(server, files)
            self.assertEqual(server.wires[0].packet_count, count)
            server.stop()

        begin = time.monotonic()
        Workers(cut_behind, range(recorded))
        print(f"{recorded} boundaries in {time.monotonic() - begin:.0f} s", flush=True)

    # -- random offsets ----------------------------------------------------------------------------
    def real(self, chance):
        """A real server with some files of transactions, small and large."""
        server = MariaDB(self.scratch, self.authority)
        server.start()
        server.create_archive_user("binvault")
        server.sql("CREATE DATABASE lab; CREATE TABLE lab.t (b LONGBLOB);")
        for _ in range(3):
            for _ in range(10):
                data = chance.randbytes(chance.choice((10, 100, 1000, 5000))).hex()
                server.sql(f"BEGIN; INSERT INTO lab.t VALUES (X'{data}'), ('{chance.random()}');"
                           "UPDATE lab.t SET b = CONCAT(b, 'x') ORDER BY LENGTH(b) LIMIT 1; COMMIT;")
            server.rotate()
        last = server.binlogs()[-1][0]
        # What it writes of itself into a new file, a little later.
        wait_until(lambda: last.encode() in server.binlog_path(last).read_bytes(), 30,
                   f"{last} names itself in its BINLOG_CHECKPOINT")
        files = {name: server.binlog_path(name).read_bytes() for name, _ in server.binlogs()}
        files[last] = binlog.as_closed(files[last])
        return server, files

    def test_cuts_at_1000_random_offsets_change_nothing(self):
        seed = int(os.environ.get("BINVAULT_SEED") or secrets.randbelow(1 << 32))
        print(f"BINVAULT_SEED={seed}", flush=True)
        chance = random.Random(seed)
        server, files = self.real(chance)
        proxy = Proxy(self.scratch, server)
        self.pull(proxy, files)
        size = proxy.delivered()[0]
        print(f"a session has {size} bytes, {sum(map(len, files.values()))} of binlogs", flush=True)
        lock, counts = threading.Lock(), {"cuts": 0, "pullers": 0}

        def cut(offsets):
            proxy = Proxy(self.scratch, server)
            given = []

            def limit():
                # The stream of before is still there: this is the second connection beside it.
                if proxy.cut_count < len(given) or len(given) == len(offsets):
                    return None
                given.append(offsets[len(given)])
                return given[-1]

            proxy.limit = limit
            self.pull(proxy, files)
            proxy.stop()
            with lock:
                counts["cuts"] += proxy.cut_count
                counts["pullers"] += 1

        begin = time.monotonic()
        while counts["cuts"] < RANDOM_CUTS:
            missing = (RANDOM_CUTS - counts["cuts"]) // CUTS_EACH + 1
            # Behind a cut the session is shorter, by what was archived before it.
            Workers(cut, [[chance.randrange(1, size // (number + 1)) for number in range(CUTS_EACH)]
                          for _ in range(missing)])
        print(f"{counts['cuts']} cuts of {counts['pullers']} pullers in "
              f"{time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    unittest.main()
