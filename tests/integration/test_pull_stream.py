"""The puller against a real MariaDB server over TLS, with a keeper that knows all keys."""

import signal
import time
import unittest

from tests.integration.lab import processes, program
from tests.integration.lab.flavours import needs
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import Process, wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.traffic import MEBIBYTE, Traffic, bulk
from tests.integration.pull_keeper import Keeper, NO_SPACE
from tests.integration.pulling import Pulling

QUICK = True

RESIDENT_MAX = 64 * MEBIBYTE


class PullTest(unittest.TestCase):
    """One scratch directory, authority and server for all tests of the class."""

    server_class = MariaDB
    server_options = {}

    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.authority = Authority(cls.scratch.directory("pki"))
        cls.server = cls.server_class(cls.scratch, cls.authority, **cls.server_options)
        cls.server.start()
        cls.password = cls.server.create_archive_user("binvault")

    def setUp(self):
        self.name = self.id().rpartition(".")[2][5:35]
        self.directory = self.scratch.directory(self.name)
        self.credential = self.directory / "password"
        self.set_password(self.password)
        self.runtime = self.scratch.directory(f"{self.name}/run")
        self.keeper = Keeper(self.scratch.directory(f"{self.name}/segments"),
                             self.runtime / "pull-orders.sock")
        self.options = {"segment-size": "16M", "frame-delay": "10ms"}
        self.source = {"servers": f"{self.server.host}:{self.server.port}", "server-id": 990017,
                       "user": "binvault", "credential": f"file:{self.credential}",
                       "tls-ca": self.authority.certificate,
                       "tls-certificate": self.authority.client.certificate,
                       "tls-key": self.authority.client.key, "heartbeat": "1s", "start": "oldest"}
        self.puller = None

    def tearDown(self):
        if self.puller:
            self.puller.kill9()
            self.puller = None

    def set_password(self, password):
        self.credential.write_text(password + "\n")
        self.credential.chmod(0o600)

    def start(self, keeper=True):
        if keeper:
            self.keeper.start()
        archive = "".join(f"{key} = {value}\n" for key, value in self.options.items())
        source = "".join(f"{key} = {value}\n" for key, value in self.source.items())
        configuration = self.directory / "binvault.conf"
        configuration.write_text(
            f"[archive]\nname = test\nvolume = {self.directory}\nruntime = {self.runtime}\n"
            f"{archive}\n[hsm]\nmodule = /none\ntoken-label = none\nstate = /none\n"
            f"pin-source = file:/none\n\n[export]\npath = /none\n\n[source orders]\n{source}")
        self.puller = Process(self.scratch, self.name,
                              [program("binvault-pull"), "--config", configuration, "orders"])

    def restart(self):
        self.start(keeper=False)

    def wait(self, predicate, what, timeout=30):
        def checked():
            self.assertTrue(self.puller.running(), self.puller.tail())
            return predicate()
        return wait_until(checked, timeout, lambda: f"{what}: {self.keeper.state}\n"
                                                    f"{self.puller.tail()}")

    def wait_caught_up(self, timeout=60):
        """Wait until all that the server has written is durable."""
        name, size = self.server.binlogs()[-1]
        self.wait(lambda: self.keeper.good_end(name) >= size, f"{name} is durable to {size}",
                  timeout)

    def stop(self):
        """Orderly; everything must be ended, closed and accepted by the reference reader."""
        self.assertEqual(self.puller.stop(), 0, self.puller.tail())
        for segment in self.keeper.segments:
            segment.strict()
        self.assertTrue(all(segment.closed for segment in self.keeper.segments))

    def check_files(self, names):
        for name in names:
            self.assertEqual(self.keeper.file_bytes(name) ==
                             self.server.binlog_path(name).read_bytes(), True,
                             f"{name} is byte for byte the server's")

    def first_of_now(self):
        """Begin a new file, so that the test's archive holds nothing of the others'."""
        self.server.rotate()
        self.source["start"] = "now"
        return self.server.binlogs()[-1][0]


class StreamTest(PullTest):
    def test_files_come_whole_and_in_segments_of_the_size_that_was_asked_for(self):
        self.start()
        Traffic(self.server, seed=5, seconds=6, largest=24 * MEBIBYTE).run()
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        files = self.server.closed_binlogs()
        self.check_files(files)
        self.assertGreater(len(self.keeper.segments), len(files) + 1)
        for segment in self.keeper.segments:
            found = segment.read()
            self.assertGreaterEqual(len(found["sessions"]), 1)
            self.assertEqual(found["frames"][0][0], 1, "SESSION comes first")
            self.assertIn(b'"dump-flags":"2"', found["sessions"][0])
            self.assertIn(b"mariadb_slave_capability=4", found["sessions"][0])
        last = [s for s in self.keeper.segments if s.file == files[-1]][-1].strict()[1]
        self.assertEqual((last["ended"], last["next_file"]),
                         ("rotate", self.server.binlogs()[-1][0]))
        self.assertEqual(self.keeper.segments[-1].strict()[1]["ended"], "shutdown")
        self.assertEqual(len({s.generation for s in self.keeper.segments}), 1)
        self.assertEqual(self.keeper.segments[0].file_id, self.keeper.segments[0].generation)
        self.assertTrue(self.keeper.told("streaming"))

    def test_an_event_of_any_size_passes_through_little_memory(self):
        file = self.first_of_now()
        self.start()
        self.wait(lambda: self.keeper.segments, "the first segment")
        self.server.sql("CREATE DATABASE IF NOT EXISTS large;"
                        "CREATE OR REPLACE TABLE large.t (b LONGBLOB);"
                        "INSERT INTO large.t VALUES (REPEAT('x', 100 * 1024 * 1024));")
        self.server.rotate()
        self.wait_caught_up()
        self.assertLess(processes.peak_resident_size(self.puller.pid), RESIDENT_MAX)
        self.stop()
        self.check_files([file])

    def test_a_killed_puller_goes_on_where_the_archive_ends(self):
        file = self.first_of_now()
        self.start()
        traffic = Traffic(self.server, seed=9, clients=2, largest=4 * MEBIBYTE).start()
        for _ in range(4):
            count = len(self.keeper.segments)
            self.wait(lambda: len(self.keeper.segments) > count, "another segment")
            time.sleep(0.3)
            self.puller.kill9()
            self.restart()
        traffic.stop()
        self.server.rotate()
        self.wait_caught_up()
        self.puller.stop()
        self.check_files([file])
        nonces = self.keeper.nonces()
        self.assertEqual(len(nonces), len(set(nonces)))

    def test_a_file_that_was_begun_goes_before_the_configured_start(self):
        self.keeper.begin = self.first_of_now()
        self.server.sql("CREATE DATABASE IF NOT EXISTS begun;")
        self.server.rotate()
        self.start()
        self.wait_caught_up()
        self.stop()
        self.check_files([self.keeper.begin])


class HeartbeatTest(unittest.TestCase):
    """What the servers' heartbeats say agrees with what we have counted, whatever they do."""

    def heartbeats(self, flavour):
        scratch = Scratch()
        self.addCleanup(scratch.close)
        authority = Authority(scratch.directory("pki"))
        server = flavour(scratch, authority)
        server.start()
        server.create_archive_user("binvault")
        pulling = Pulling(scratch, authority, "heartbeats", server, heartbeat="100ms")
        pulling.start()
        traffic = Traffic(server, seed=3, clients=2, operations=60, largest=MEBIBYTE).start()
        traffic.wait()
        server.rotate()
        time.sleep(1)
        server.sql("CREATE DATABASE one_more;")
        time.sleep(1)
        name, size = server.binlogs()[-1]
        pulling.wait(lambda: pulling.keeper.good_end(name) >= size, "all is durable")
        self.assertFalse(pulling.keeper.told("waiting"), pulling.keeper.states)
        self.assertFalse(pulling.keeper.told("refused"), pulling.keeper.states)
        pulling.stop()

    def test_of_mariadb(self):
        self.heartbeats(MariaDB)

    @needs(MariaDB118)
    def test_of_mariadb_11_8(self):
        self.heartbeats(MariaDB118)

    @needs(MySQL)
    def test_of_mysql(self):
        self.heartbeats(MySQL)


if __name__ == "__main__":
    unittest.main()
