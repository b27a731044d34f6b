"""Semi-sync: a commit returns when, and only when, the archive holds it durably."""

import os
import signal
import time
import unittest

from tests.integration.lab import skip
from tests.integration.lab.commits import Commit
from tests.integration.lab.flavours import needs
from tests.integration.lab.loopfs import LoopFileSystem
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.processes import wait_until
from tests.integration.pull_keeper import NO_SPACE, PAUSE
from tests.integration.test_pull_stream import PullTest

QUICK = True

HUGE_TIMEOUT = 600_000  # milliseconds: the server does not fall back while a test runs
PATIENCE = 20  # seconds for what takes milliseconds, on a machine that is busy
DELAY = 10  # seconds of frame-delay, the most there is: who waited for it would be found out
MEBIBYTE = 1 << 20


class SemiSyncTest(PullTest):
    """A server whose commits wait for a replica, but only once a test says so: with nobody to
    acknowledge even the first CREATE would wait."""

    word, nobody = "master", "wait_no_slave"  # in the names of the server's settings
    plugin = ()
    groups_count_once = False  # yes_tx counts what was committed together as one

    @classmethod
    def setUpClass(cls):
        cls.server_options = {"options": [*cls.plugin,
                                          f"--rpl-semi-sync-{cls.word}-timeout={HUGE_TIMEOUT}",
                                          f"--rpl-semi-sync-{cls.word}-wait-point=AFTER_SYNC"]}
        super().setUpClass()
        cls.server.sql("CREATE DATABASE semi; CREATE TABLE semi.t (i INT, b LONGBLOB) "
                       "ENGINE=InnoDB")

    def setUp(self):
        super().setUp()
        self.options["frame-delay"] = f"{DELAY}s"
        self.source["semi-sync"] = "yes"
        self.file = self.first_of_now()
        self.addCleanup(self.disable)

    # -- the server --------------------------------------------------------------------------------
    def set(self, name, value):
        self.server.sql(f"SET GLOBAL rpl_semi_sync_{self.word}_{name}={value}")

    def disable(self):
        self.set("enabled", "OFF")
        self.set(self.nobody, "ON")
        self.set("timeout", HUGE_TIMEOUT)

    def status(self, name):
        return self.server.sql(f"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_{self.word}_{name}'")[0][1]

    def count(self, name):
        return int(self.status(name))

    def start_synchronous(self):
        """The puller, and a server that waits for it."""
        self.start()
        self.wait(lambda: self.count("clients") == 1, "the server counts us as a replica")
        self.set("enabled", "ON")
        self.before = self.count("yes_tx"), self.count("no_tx")
        # Its first request shows it; until then "rpl_semi_sync_..._enabled is OFF".
        self.insert(1)
        self.wait(self.keeper.is_synchronous, "the puller says that it is synchronous")

    def insert(self, value, count=1):
        self.server.sql(f"INSERT INTO semi.t (i) VALUES ({value});" * count)

    def later(self, statement="INSERT INTO semi.t (i) VALUES (2)"):
        return Commit(self.server, statement)

    def check_counts(self, least):
        """All commits were acknowledged, none was given up."""
        yes, no = self.before
        self.assertGreaterEqual(self.count("yes_tx") - yes, least)
        self.assertEqual(self.count("no_tx") - no, 0)

    def position(self):
        return self.server.binlogs()[-1]

    # -- when commits return -----------------------------------------------------------------------
    def test_commits_return_as_soon_as_they_are_durable(self):
        self.start_synchronous()
        for value in range(50):
            self.insert(value)
            file, size = self.position()
            self.assertEqual(self.keeper.good_end(file), size, "it is on the volume")
        self.insert(7, count=100)
        self.assertLess(self.count("tx_avg_wait_time"), DELAY * 1e6 / 10)
        self.check_counts(150)
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_files([self.file])

    def test_a_commit_waits_while_the_puller_stands_still(self):
        self.start_synchronous()
        self.puller.signal(signal.SIGSTOP)
        commit = self.later()
        self.assertFalse(commit.returned(1.0), "nobody has acknowledged it")
        self.puller.signal(signal.SIGCONT)
        self.assertTrue(commit.returned(PATIENCE))
        self.check_counts(2)

    def test_many_clients_share_frames(self):
        self.start_synchronous()
        before = len(self.keeper.nonces())
        commits = [self.later("INSERT INTO semi.t (i) VALUES (3);" * 60) for _ in range(8)]
        for commit in commits:
            self.assertTrue(commit.returned(PATIENCE))
        self.check_counts(1 if self.groups_count_once else 480)
        self.assertLess(len(self.keeper.nonces()) - before, 480)

    def test_events_larger_than_the_ring_are_acknowledged_at_their_end(self):
        self.server.sql("SET GLOBAL max_allowed_packet = 1073741824")
        self.start_synchronous()
        for size in (3, 20):
            commit = self.later(f"INSERT INTO semi.t (b) VALUES (REPEAT('x', {size * MEBIBYTE}))")
            self.assertTrue(commit.returned(2 * PATIENCE))
        self.check_counts(3)

    def test_a_commit_waits_for_what_the_rate_limit_holds_back_no_longer(self):
        self.source["rate-limit"] = "4M"
        self.start_synchronous()
        begin = time.monotonic()
        commit = self.later("INSERT INTO semi.t (b) "
                            f"VALUES (REPEAT('{os.urandom(8).hex()}', {8 * MEBIBYTE // 16}))")
        self.assertTrue(commit.returned(2 * PATIENCE))
        self.assertGreater(time.monotonic() - begin, 1.0)
        self.check_counts(2)

    def test_a_commit_waits_for_the_next_segment(self):
        self.options["segment-age"] = "10s"
        self.start_synchronous()
        self.keeper.refusal = (NO_SPACE, "volume full: make it larger")
        segments = len(self.keeper.segments)
        self.wait(lambda: self.keeper.segments[-1].closed, "the segment is old and ended", 40)
        commit = self.later()
        self.assertFalse(commit.returned(1.0), "there is no segment for it")
        self.keeper.refusal = None
        self.assertTrue(commit.returned(PATIENCE))
        self.assertEqual(len(self.keeper.segments), segments + 1)
        self.check_counts(2)

    def test_commits_go_on_while_the_keeper_is_away(self):
        self.start_synchronous()
        self.keeper.away()
        self.insert(4, count=20)
        file, size = self.position()
        self.assertEqual(self.keeper.good_end(file), size)
        self.keeper.start()
        self.wait(lambda: self.keeper.attaches[-1], "it comes back with its segment")
        self.insert(5)
        self.wait(self.keeper.is_synchronous, "it tells the keeper again")
        self.check_counts(22)
        self.stop()

    def test_a_commit_waits_for_room_on_the_volume(self):
        skip.require_loop("ext4")
        volume = LoopFileSystem(self.scratch, "small", "ext4", 64 * MEBIBYTE)
        self.keeper.directory = volume.path
        self.start_synchronous()
        filler = volume.fill(leave=MEBIBYTE)
        commit = self.later("INSERT INTO semi.t (b) VALUES (RANDOM_BYTES(1024))"
                            + ",(RANDOM_BYTES(1024))" * 16000)
        self.wait(lambda: self.keeper.told("waiting", "the volume is full"), "it says so")
        self.assertFalse(commit.returned(0.5))
        os.unlink(filler)
        self.assertTrue(commit.returned(PATIENCE))
        self.wait(self.keeper.is_synchronous, "and is synchronous again")
        self.check_counts(2)

    # -- when a connection is lost -----------------------------------------------------------------
    def test_a_commit_survives_the_puller(self):
        self.start_synchronous()
        for round_number in range(5):
            self.puller.signal(signal.SIGSTOP)
            commit = self.later()
            self.assertFalse(commit.returned(0.2))
            self.puller.kill9()
            if round_number % 2:
                self.assertFalse(commit.returned(1.0), "nobody is there")
            self.restart()
            self.assertTrue(commit.returned(2 * PATIENCE), "the next puller acknowledges it")
        self.check_counts(6)

    def test_what_was_durable_but_not_acknowledged_is_acknowledged_after_a_reconnect(self):
        """The puller dies between the two, and nothing new comes."""
        self.start_synchronous()
        commit = None
        for _ in range(40):
            commit = self.later()
            # Somewhere between the server's event and our answer, or before or behind both.
            time.sleep(0.0005)
            self.puller.kill9()
            self.restart()
            self.assertTrue(commit.returned(2 * PATIENCE))
        self.check_counts(41)

    def test_a_puller_comes_back_to_a_server_that_holds_its_log_for_those_who_wait(self):
        """Commits behind one that waits, and a rotation, hold what SHOW BINARY LOGS waits for."""
        self.start_synchronous()
        for _ in range(3):
            self.puller.kill9()
            waiting = []
            for statement in ("INSERT INTO semi.t (i) VALUES (2)",) * 3 + (
                    "FLUSH BINARY LOGS", "SHOW BINARY LOGS"):
                waiting.append(self.later(statement))
                self.assertFalse(waiting[-1].returned(0.3), statement)
            self.restart()
            for commit in waiting:
                self.assertTrue(commit.returned(2 * PATIENCE))
        self.check_counts(4 if self.groups_count_once else 10)

    # -- when it does not work ---------------------------------------------------------------------
    def test_a_server_that_fell_back_is_shown_until_it_asks_again(self):
        self.start_synchronous()
        self.set("enabled", "OFF")
        self.insert(6, count=3)
        self.wait(lambda: "asks for no acknowledgement any more" in self.keeper.semi_sync[-1][1],
                  "it is seen")
        self.assertEqual(self.keeper.semi_sync[-1][6], 3, "so many did not wait")
        self.set("enabled", "ON")
        self.insert(7)
        self.wait(self.keeper.is_synchronous, "and so is its return")

    def test_a_server_that_gave_us_up_waits_again_after_the_next_answer(self):
        self.start_synchronous()
        self.set("timeout", 300)
        self.puller.signal(signal.SIGSTOP)
        self.insert(8)
        self.assertEqual(self.status("status"), "OFF")
        self.puller.signal(signal.SIGCONT)
        wait_until(lambda: self.status("status") == "ON", PATIENCE, "it waits again")
        self.set("timeout", HUGE_TIMEOUT)
        self.insert(9)
        self.assertEqual(self.count("no_tx") - self.before[1], 1)

    def test_a_server_that_is_not_set_up_for_it_is_archived_all_the_same(self):
        self.start()
        self.wait(lambda: self.keeper.semi_sync and
                  f"rpl_semi_sync_{self.word}_enabled is OFF" in self.keeper.semi_sync[-1][1],
                  "it says what to do")
        self.assertIn("semi-sync was asked for, the server does not do it",
                      self.keeper.semi_sync[-1][1])
        self.insert(10)
        self.server.rotate()
        self.wait(lambda: self.keeper.segments and self.keeper.segments[0].closed, "it is archived")
        self.stop()
        self.check_files([self.file])

    # -- leaving -----------------------------------------------------------------------------------
    def test_an_orderly_stop_acknowledges_what_came_and_leaves_nobody_waiting(self):
        self.set(self.nobody, "OFF")
        self.source["heartbeat"] = "10s"  # how long a server would need to find out by itself
        self.start_synchronous()
        self.insert(11, count=5)
        self.check_counts(6)
        self.stop()
        self.assertEqual(self.keeper.semi_sync[-1][:2], (False, "the puller was stopped"))
        begin = time.monotonic()
        self.insert(12)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.count("clients"), 0)

    def test_a_pause_leaves_nobody_waiting_either(self):
        self.set(self.nobody, "OFF")
        self.source["heartbeat"] = "10s"
        self.start_synchronous()
        self.keeper.control(PAUSE, "paused: moving the rack")
        self.wait(lambda: self.keeper.segments[-1].closed, "everything is ended")
        self.check_counts(1)
        begin = time.monotonic()
        self.insert(13)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.keeper.semi_sync[-1][:2], (False, "paused: moving the rack"))

    def test_a_stop_under_load_acknowledges_what_it_has_received(self):
        """Every row whose commit the server counts as acknowledged is in the archive."""
        self.set(self.nobody, "OFF")
        self.start_synchronous()
        self.server.sql("CREATE TABLE semi.load_t (i INT) ENGINE=InnoDB")
        self.addCleanup(self.server.sql, "DROP TABLE semi.load_t")
        commits = [self.later("INSERT INTO semi.load_t VALUES (1);" * 400) for _ in range(4)]
        time.sleep(0.3)
        self.stop()
        for commit in commits:
            self.assertTrue(commit.returned(2 * PATIENCE))
        yes = self.count("yes_tx") - self.before[0]
        durable = self.keeper.file_bytes(self.file).count(b"INSERT INTO semi.load_t")
        if durable:  # MariaDB annotates the rows with their statement
            self.assertGreaterEqual(durable, yes - 3)


@needs(MariaDB118)
class NewMariaDBTest(SemiSyncTest):
    server_class = MariaDB118


@needs(MySQL)
class MySQLTest(SemiSyncTest):
    server_class = MySQL
    word, nobody = "source", "wait_no_replica"
    plugin = ("--plugin-load-add=semisync_source.so",)
    groups_count_once = True

    def test_a_server_without_the_plugin_is_archived_all_the_same(self):
        self.server.sql("UNINSTALL PLUGIN rpl_semi_sync_source")
        try:
            self.start()
            self.wait(lambda: self.keeper.semi_sync and
                      "INSTALL PLUGIN rpl_semi_sync_source" in self.keeper.semi_sync[-1][1],
                      "it says what to do")
            self.insert(10)
            self.server.rotate()
            self.wait(lambda: self.keeper.segments and self.keeper.segments[0].closed,
                      "it is archived")
            self.stop()
            self.check_files([self.file])
        finally:
            self.server.sql("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")


if __name__ == "__main__":
    unittest.main()
