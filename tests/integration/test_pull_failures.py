"""What the puller does when keeper, server, network or disk fail: a sentence, and nothing lost."""

import os
import time
import unittest

from tests.integration.lab import binlog, skip
from tests.integration.lab.commits import Commit
from tests.integration.lab.loopfs import LoopFileSystem
from tests.integration.lab.mariadb import MariaDB
from tests.integration.lab.processes import wait_until
from tests.integration.lab.proxy import Proxy
from tests.integration.lab.traffic import MEBIBYTE, Traffic
from tests.integration.pull_keeper import NO_SPACE, Keeper
from tests.integration.test_pull_stream import PullTest

QUICK = True

SCHEMA = ("CREATE DATABASE IF NOT EXISTS lab_pull;"
          "CREATE OR REPLACE TABLE lab_pull.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB);")


class KeeperTest(PullTest):
    def write(self, size=1000):
        self.server.sql(f"INSERT INTO lab_pull.t (b) VALUES (REPEAT('x', {size}))")

    def begin(self):
        file = self.first_of_now()
        self.server.sql(SCHEMA)
        self.start()
        self.wait_caught_up()
        return file

    def finish(self, file):
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_files([file])

    def test_the_keeper_may_go_and_come_back_while_a_segment_is_written(self):
        file = self.begin()
        self.assertEqual(len(self.keeper.segments), 1)
        for _ in range(2):
            self.keeper.away()
            self.write()
            self.wait_caught_up()
            self.assertEqual(self.keeper.segments[-1].file, file)
            attaches = len(self.keeper.attaches)
            self.keeper.start()
            self.wait(lambda: len(self.keeper.attaches) > attaches, "it attaches again")
            self.write()
            self.wait_caught_up()
        self.assertEqual(self.keeper.attaches, [False, True, True])
        self.assertEqual(len(self.keeper.segments), 1)
        self.finish(file)

    def test_without_the_keeper_the_segment_grows_and_at_rotate_the_server_waits(self):
        self.options["segment-size"] = "1M"
        file = self.begin()
        self.keeper.away()
        for _ in range(4):
            self.server.sql("INSERT INTO lab_pull.t (b) VALUES (RANDOM_BYTES(1024)),"
                            + ",".join(["(RANDOM_BYTES(1000000 / 1000))"] * 500))
        self.wait_caught_up()
        self.assertEqual(len([s for s in self.keeper.segments if s.file == file]), 1)
        self.server.rotate()
        self.wait(lambda: self.keeper.segments[-1].read()["end"], "the file's segment is ended")
        self.write()
        time.sleep(1)
        self.assertEqual(len(self.keeper.segments), 1)
        self.keeper.start()
        self.wait_caught_up()
        self.assertGreater(len(self.keeper.segments), 1)
        self.puller.stop()
        self.check_files([file])

    def test_a_segment_that_the_keeper_does_not_know_is_let_go(self):
        file = self.begin()
        self.keeper.away()
        self.keeper.forgets = True
        self.write()
        self.keeper.start()
        self.wait(lambda: self.keeper.attaches == [False, True, False], "it attaches without")
        self.write()
        self.wait_caught_up()
        self.assertEqual(len(self.keeper.segments), 2)
        self.server.rotate()
        self.wait_caught_up()
        self.puller.stop()
        self.check_files([file])

    def test_a_keeper_without_room_is_asked_again(self):
        self.first_of_now()
        self.server.sql(SCHEMA)
        self.keeper.refusal = (NO_SPACE, "volume full: make it larger")
        self.start()
        self.wait(lambda: self.keeper.told("waiting", "volume full: make it larger"), "it says so")
        self.keeper.refusal = None
        self.wait_caught_up()
        self.wait(lambda: self.keeper.state[0] == "streaming", "it streams")
        self.stop()

    def test_an_old_segment_is_ended_and_an_idle_source_opens_no_other(self):
        self.options["segment-age"] = "1s"
        file = self.begin()
        self.wait(lambda: self.keeper.segments[0].closed, "the first segment is old")
        self.assertEqual(self.keeper.segments[0].strict()[1]["ended"], "age")
        time.sleep(2.5)
        self.assertEqual(len(self.keeper.segments), 1)
        self.write()
        self.wait_caught_up()
        self.assertEqual(len(self.keeper.segments), 2)
        self.finish(file)

    def test_progress_is_told_at_most_ten_times_a_second_and_never_ahead_of_the_disk(self):
        file = self.begin()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.write()
        self.wait_caught_up()
        times = [at for at, *_ in self.keeper.progress]
        self.assertGreaterEqual(len(times), 2)
        self.assertLessEqual(len(times), 10 * (times[-1] - times[0]) + 2)
        _, segment_id, good_end, *_ = self.keeper.progress[-1]
        self.assertEqual(segment_id, self.keeper.segments[-1].id)
        self.assertLessEqual(good_end, self.keeper.good_end(file))
        self.finish(file)


class ServerTest(PullTest):
    """Each test has a server of its own that it may break."""

    def setUp(self):
        super().setUp()
        self.server = MariaDB(self.scratch, self.authority, name=f"db-{self.name}", server_id=21)
        self.server.start()
        self.addCleanup(self.server.stop)
        self.server.create_archive_user("binvault")
        self.server.sql(SCHEMA)
        self.source["servers"] = f"{self.server.host}:{self.server.port}"

    def write(self):
        self.server.sql("INSERT INTO lab_pull.t (b) VALUES (REPEAT('x', 1000))")

    def check_all(self, crashed=()):
        """Every closed file is the server's own but for the IN_USE bit of a crash."""
        for name in self.server.closed_binlogs():
            theirs = bytearray(self.server.binlog_path(name).read_bytes())
            if name in crashed:
                self.assertEqual(theirs[21], 1, "the server left the bit")
                theirs[21] = 0
            self.assertTrue(self.keeper.file_bytes(name) == bytes(theirs), name)
        ended = {}
        for segment in self.keeper.segments:
            end = segment.read()["end"]
            if end and end["ended"] == "rotate":
                ended[segment.file] = end["next_file"]
        names = [name for name, _ in self.server.binlogs()]
        self.assertEqual(ended, dict(zip(names, names[1:])))

    def test_a_server_that_stops_and_one_that_crashes_are_followed_into_the_next_file(self):
        self.start()
        self.wait_caught_up()
        self.server.stop()
        self.wait(lambda: self.keeper.state[0] == "waiting", "it waits for the server")
        self.server.start()
        self.write()
        self.wait_caught_up()
        crashed = self.server.binlogs()[-1][0]
        self.server.kill9()
        self.server.start()
        self.write()
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_all([crashed])

    def test_a_vault_that_cannot_write_for_a_while_keeps_its_stream(self):
        """Which keeps the server from purging what it reads; by itself the server would end it."""
        self.server.stop()
        self.server.set_options("--net-write-timeout=1")
        self.server.start()
        self.start()
        self.wait_caught_up()
        dumps = self.dumps()
        self.keeper.refusal = (NO_SPACE, "volume full: make it larger")
        self.server.rotate()
        for _ in range(4):
            self.server.sql("INSERT INTO lab_pull.t (b) VALUES (REPEAT('x', 16 * 1024 * 1024))")
        self.wait(lambda: self.keeper.told("waiting", "volume full"), "it says so")
        time.sleep(5)
        self.keeper.refusal = None
        self.wait_caught_up()
        self.assertEqual(self.dumps(), dumps)
        self.stop()
        self.check_all()

    def dumps(self):
        return [row[0] for row in self.server.sql("SHOW PROCESSLIST") if row[4] == "Binlog Dump"]

    def test_a_crash_while_nothing_is_open_is_recorded_by_an_empty_segment(self):
        self.start()
        self.wait_caught_up()
        self.stop()
        crashed = self.server.binlogs()[-1][0]
        self.server.kill9()
        self.server.start()
        self.restart()
        self.wait_caught_up()
        self.stop()
        self.check_all([crashed])
        empty = [s for s in self.keeper.segments if not s.read()["summary"]["event_count"]]
        self.assertEqual([s.file for s in empty], [crashed])
        self.assertEqual(len({s.generation for s in self.keeper.segments}), 1)

    def tear(self):
        """The server dies while it writes an event; returns the file and where that event began."""
        self.write()
        name = self.server.binlogs()[-1][0]
        self.server.kill9()
        path = self.server.binlog_path(name)
        _, begin, length = binlog.events(path.read_bytes())[-2]
        os.truncate(path, begin + length // 2)
        return name, begin

    def check_torn(self, name, end):
        """What is whole of the file is archived, and the next one goes on with it."""
        theirs = binlog.as_closed(self.server.binlog_path(name).read_bytes()[:end])
        self.assertTrue(self.keeper.file_bytes(name) == theirs)
        self.assertEqual(len({segment.generation for segment in self.keeper.segments}), 1)
        following = [segment.read()["end"]["next_file"] for segment in self.keeper.segments
                     if segment.file == name and segment.read()["end"]["ended"] == "rotate"]
        self.assertEqual(following, [self.server.binlogs()[1][0]])
        after = self.server.binlogs()[1][0]
        self.assertTrue(self.keeper.file_bytes(after) ==
                        self.server.binlog_path(after).read_bytes())

    def test_a_file_whose_last_event_is_torn_on_the_server_is_gone_on_behind(self):
        """No server can send its end, and mysqlbinlog gives up there."""
        self.start()
        self.wait_caught_up()
        self.stop()
        name, end = self.tear()
        self.server.start()
        self.write()
        self.restart()
        self.wait_caught_up()
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_torn(name, end)

    def test_a_puller_that_dies_between_a_torn_file_and_the_next_leaves_no_gap(self):
        self.start()
        self.wait_caught_up()
        self.stop()
        name, end = self.tear()
        self.server.start()
        self.write()
        self.keeper.refusal = (NO_SPACE, "volume full: make it larger")
        self.keeper.room = len(self.keeper.segments) + 1
        self.restart()
        self.wait(lambda: self.keeper.told("waiting", "volume full"), "the next file has no room")
        self.assertEqual([s.read()["end"]["ended"] for s in self.keeper.segments][-1], "rotate")
        self.puller.kill9()
        self.keeper.refusal = None
        self.restart()
        self.wait_caught_up()
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_torn(name, end)

    def test_a_torn_file_does_not_keep_commits_waiting_with_semi_sync(self):
        """MariaDB tells the end of such a dump only when a packet comes from a replica."""
        self.source["semi-sync"] = "yes"
        self.start()
        self.wait_caught_up()
        self.stop()
        name, end = self.tear()
        self.server.semi_sync = True
        self.server.set_options("--rpl-semi-sync-master-timeout=600000")
        self.server.start()
        self.restart()
        commit = Commit(self.server, "INSERT INTO lab_pull.t (b) VALUES ('waits')")
        self.assertTrue(commit.returned(30), self.keeper.states)
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_torn(name, end)

    def reset(self):
        """In another second than that in which its file was begun: until then nothing in the new
        file tells it from the old one, and it counts as one that has lost its end."""
        time.sleep(1.1)
        self.server.sql("RESET MASTER")

    def wait_generation(self, archived):
        """The server's history goes on beside the archived segments, which stay what they were."""
        before = [(segment, segment.read()["events"]) for segment in archived]
        generations = {segment.generation for segment in archived}
        self.wait(lambda: any(segment.reason for segment in self.keeper.segments),
                  "a generation begins")
        begun = next(segment for segment in self.keeper.segments if segment.reason)
        self.assertEqual((begun.reason, begun.gap), ("reset", 1), begun.sentence)
        self.assertIn("was reset or built anew", begun.sentence)
        self.assertNotIn(begun.generation, generations)
        self.server.rotate()
        name, size = self.server.binlogs()[-1]
        self.wait(lambda: any(segment.file == name and segment.read()["summary"]["event_end"] >= size
                              for segment in self.keeper.segments
                              if segment.generation == begun.generation), "it is archived")
        for segment, events in before:
            self.assertEqual(segment.read()["events"], events)

    def test_a_server_that_was_reset_meanwhile_begins_a_generation(self):
        self.start()
        self.wait_caught_up()
        self.stop()
        archived = list(self.keeper.segments)
        self.reset()
        self.restart()
        self.wait_generation(archived)

    def test_a_server_that_was_reset_and_has_written_more_begins_a_generation(self):
        self.start()
        self.wait_caught_up()
        self.stop()
        archived = list(self.keeper.segments)
        self.reset()
        self.server.sql(SCHEMA)
        for _ in range(3):  # so that the place where we are lies within the new file
            self.write()
        self.restart()
        self.wait_generation(archived)

    def test_a_server_that_is_reset_under_our_hands_begins_a_generation(self):
        for _ in range(3):  # so that the new history ends before the place where we are
            self.write()
        self.start()
        self.wait_caught_up()
        archived = list(self.keeper.segments)
        self.reset()
        self.write()
        self.server.rotate()
        self.wait_generation(archived)

    def test_another_server_is_refused_by_its_identity(self):
        self.start()
        self.wait_caught_up()
        self.stop()
        other = MariaDB(self.scratch, self.authority, name="other", server_id=22)
        other.start()
        self.addCleanup(other.stop)
        other.create_archive_user("binvault")
        self.source["servers"] = f"{other.host}:{other.port}"
        self.source["failover-after"] = "1s"
        self.restart()
        self.wait(lambda: self.keeper.state[0] == "refused", "it is refused")
        self.assertIn("it is no member of this group", self.keeper.state[1])

    def test_behind_a_purged_file_a_generation_begins(self):
        self.start()
        self.wait_caught_up()
        self.stop()
        gone = self.server.binlogs()[-1][0]
        self.server.rotate()
        self.server.rotate()
        purge = f"PURGE BINARY LOGS TO '{self.server.binlogs()[-1][0]}'"
        # MariaDB keeps a file until its engines have told that they do not need it.
        wait_until(lambda: self.server.sql(purge) == [] and len(self.server.binlogs()) == 1, 30,
                   "the server purges")
        self.restart()
        self.wait(lambda: self.keeper.segments[-1].reason == "purged", "a generation begins")
        self.assertIn(f"the server has {gone} no more", self.keeper.segments[-1].sentence)
        self.assertEqual(self.keeper.segments[-1].gap, 0)

    def test_an_unknown_file_to_start_with_is_a_sentence(self):
        self.source["start"] = "mariadb-bin.999999"
        self.start()
        self.wait(lambda: self.keeper.state[0] == "refused", "it is refused")
        self.assertIn("the server does not have mariadb-bin.999999", self.keeper.state[1])

    def test_a_server_id_that_is_used_twice_is_a_sentence(self):
        self.start()
        self.wait_caught_up()
        second = Keeper(self.scratch.directory(f"{self.name}/second"),
                        self.scratch.directory(f"{self.name}/run2") / "pull-orders.sock")
        first, self.runtime, self.keeper = (self.puller, self.keeper), self.scratch.directory(
            f"{self.name}/run2"), second
        self.start()
        self.addCleanup(first[0].kill9)
        self.wait(lambda: first[1].state[0] == "refused", "the first is put out")
        self.assertIn("server-id 990017 is used by another replica", first[1].state[1])


class NetworkTest(PullTest):
    def setUp(self):
        super().setUp()
        self.proxy = Proxy(self.scratch, self.server)
        self.source["servers"] = f"{self.proxy.host}:{self.proxy.port}"

    def test_a_cut_network_is_noticed_by_its_silence(self):
        file = self.first_of_now()
        self.server.sql(SCHEMA)
        self.start()
        self.wait_caught_up()
        self.proxy.hold()
        self.wait(lambda: self.keeper.told("waiting", "no sign of life for 3000 ms"), "it notices")
        self.server.sql("INSERT INTO lab_pull.t (b) VALUES ('behind the cut')")
        self.proxy.resume()
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_files([file])
        sessions = [len(s.read()["sessions"]) for s in self.keeper.segments if s.file == file]
        self.assertEqual(sessions, [2])

    def test_an_event_that_the_cut_tore_comes_whole_in_another_segment(self):
        file = self.first_of_now()
        self.server.sql(SCHEMA)
        self.source["rate-limit"] = "8M"
        self.start()
        self.wait_caught_up()
        self.server.sql("INSERT INTO lab_pull.t (b) VALUES (RANDOM_BYTES(1024)),"
                        "(REPEAT('y', 40 * 1024 * 1024))")
        segment = self.keeper.segments[-1]
        self.wait(lambda: segment.path.stat().st_size > 40960 or
                  len(segment.read()["frames"]) > 6, "a part of the large event is written")
        self.proxy.hold()
        self.wait(lambda: self.keeper.told("waiting", "no sign of life"), "it notices")
        self.proxy.resume()
        self.server.rotate()
        self.wait_caught_up()
        self.stop()
        self.check_files([file])
        self.assertEqual(segment.strict()[1]["ended"], "broken")

    def test_a_server_without_tls_is_sent_no_login(self):
        plain = MariaDB(self.scratch, tls=False, name="plain")
        plain.start()
        self.addCleanup(plain.stop)
        plain.create_archive_user("binvault", require=None)
        proxy = Proxy(self.scratch, plain)
        self.source["servers"] = f"{proxy.host}:{proxy.port}"
        self.start()
        self.wait(lambda: self.keeper.state[0] == "refused", "it is refused")
        self.assertIn("offers no TLS, so no password was sent", self.keeper.state[1])
        self.assertEqual(b"".join(proxy.sent()), b"")


class LoginTest(PullTest):
    """Each mistake is its own sentence; none of them is hammered."""

    def refused(self, words, **source):
        self.source.update({key.replace("_", "-"): value for key, value in source.items()})
        self.start()
        self.wait(lambda: self.keeper.state[0] == "refused", "it is refused")
        self.assertIn(words, self.keeper.state[1])
        self.assertGreater(self.keeper.states[-1][2], (time.time() + 3) * 1e6)

    def test_an_authority_that_did_not_sign_the_servers_certificate(self):
        self.refused("is not signed by tls-ca", tls_ca=self.authority.other().certificate)

    def test_a_certificate_for_another_host(self):
        self.server_with(self.authority.wrong_host_server())
        self.refused("is for another host name")

    def test_an_expired_certificate(self):
        self.server_with(self.authority.expired_server())
        self.refused("has expired: renew it on the server")

    def test_no_certificate_of_ours_and_a_wrong_password(self):
        del self.source["tls-certificate"], self.source["tls-key"]
        self.refused("refused the login of 'binvault' (1045, password of ")
        self.puller.kill9()
        self.keeper.away()
        self.keeper.states.clear()
        self.source.update({"tls-certificate": self.authority.client.certificate,
                            "tls-key": self.authority.client.key})
        self.set_password("wrong")
        self.refused("refused the login of 'binvault' (1045, password of ")
        self.assertNotIn("wrong", self.puller.log_text().replace("wrong_password", ""))

    def test_a_key_that_is_not_the_certificates(self):
        self.refused("tls-key is not the key of tls-certificate",
                     tls_key=self.authority.other().client.key)

    def test_a_file_that_is_not_there(self):
        self.refused("tls-ca '/nonexistent/ca.pem' cannot be read", tls_ca="/nonexistent/ca.pem")

    def test_missing_grants(self):
        self.server.create_archive_user("nogrants", grants=())
        self.refused("lacks REPLICATION SLAVE, BINLOG MONITOR; do on the server: GRANT REPLICATION "
                     "SLAVE, BINLOG MONITOR ON *.* TO `nogrants`@`%`", user="nogrants")

    def test_our_server_id_is_the_servers(self):
        self.refused("server-id 11 is the server's own", server_id=11)

    def test_checksums_off(self):
        self.server.sql("SET GLOBAL binlog_checksum=NONE")
        self.addCleanup(self.server.sql, "SET GLOBAL binlog_checksum=CRC32")
        self.refused("SET GLOBAL binlog_checksum=CRC32")

    def test_a_format_that_is_not_allowed(self):
        self.server.sql("SET GLOBAL binlog_format='STATEMENT'")
        self.addCleanup(self.server.sql, "SET GLOBAL binlog_format='ROW'")
        self.refused("binlog_format is STATEMENT, which allowed-formats does not allow")

    def server_with(self, certificate):
        server = MariaDB(self.scratch, self.authority, name=certificate.certificate.stem,
                         certificate=certificate)
        server.start()
        self.addCleanup(server.stop)
        self.source["servers"] = f"{server.host}:{server.port}"


class DiskTest(PullTest):
    def test_a_full_volume_is_waited_for_and_nothing_is_lost(self):
        skip.require_loop("ext4")
        volume = LoopFileSystem(self.scratch, "small", "ext4", 96 * MEBIBYTE)
        self.keeper.directory = volume.path
        file = self.first_of_now()
        self.server.sql(SCHEMA)
        self.start()
        self.wait_caught_up()
        filler = volume.fill(leave=2 * MEBIBYTE)
        self.server.sql("INSERT INTO lab_pull.t (b) VALUES "
                        + ",".join(["(RANDOM_BYTES(1024))"] * 8000))
        self.wait(lambda: self.keeper.told("waiting", "the volume is full"), "it says so")
        os.unlink(filler)
        self.server.rotate()
        self.wait_caught_up()
        self.wait(lambda: self.keeper.state[0] == "streaming", "it streams")
        self.stop()
        self.check_files([file])


if __name__ == "__main__":
    unittest.main()
