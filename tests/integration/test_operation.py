"""What an operator sees and says of one source: coverage, the server's own files, purge advice."""

import json
import re
import time
import unittest

from tests.integration.lab import evidence, flavours
from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.traffic import MEBIBYTE, Traffic

MINUTE = 60
LIST_AGE = MINUTE + 15  # a new list is due after a minute, and this machine may be busy
WEEK = 7 * 86400


def usec(object_, key):
    return int(object_[key]) / 1e6


class CoverageTest(unittest.TestCase):
    """One vault and server; each test leaves them streaming."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(defaults={"maximum-uncovered": "6s"}, server_options={
            "options": [f"--binlog-expire-logs-seconds={WEEK}"]})
        cls.addClassCleanup(cls.stage.close)
        cls.server, cls.vault = cls.stage.server, cls.stage.vault
        cls.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY AUTO_INCREMENT,"
                       " b LONGBLOB)")
        cls.vault.start()
        cls.vault.wait_covered(SOURCE, cls.server)

    def status(self):
        return self.vault.source_status(SOURCE)

    def wait(self, predicate, what, timeout=30):
        return wait_until(predicate, timeout, lambda: f"{what}: {self.status()}\n"
                                                      f"{self.vault.tail()}", interval=0.2)

    def wait_listed(self, name):
        """Until the keeper knows a list of the server that has this file."""
        self.wait(lambda: self.status().get("observed", {}).get("file") == name,
                  f"{name} is listed", LIST_AGE)

    def advice(self):
        return json.loads(self.vault.verb("source", "purge-advice", SOURCE, "--output=json"))

    def test_an_idle_server_is_covered_up_to_now(self):
        self.wait(lambda: time.time() - usec(self.status()["covered"], "until") < 3,
                  "covered until now")
        time.sleep(3)
        self.wait(lambda: time.time() - usec(self.status()["covered"], "until") < 3,
                  "and it goes on")
        source = self.status()
        self.assertEqual((source["state"], source["behind"]), ("streaming", "0"))
        self.assertNotIn("missed_since", source)
        self.assertEqual(self.vault.run_verb("status").returncode, 0)
        check = self.vault.run_verb("check")
        self.assertEqual(check.returncode, 0, check.stdout)
        self.assertRegex(check.stdout, r"^BINVAULT OK - 1 source covered \| orders_behind=0B;;;0 "
                                       r"orders_uncovered=\d+\.\ds;;;0 volume0_free=\d+B;;;0 "
                                       r"unsigned=\d+;;;0\n$")

    def test_status_shows_what_the_server_keeps_and_for_how_long(self):
        self.wait(lambda: "observed" in self.status(), "it is looked at", LIST_AGE)
        source = self.status()
        observed, purge = source["observed"], source["purge"]
        self.assertEqual(observed["sentence"], "")
        self.assertEqual(observed["server"], f"{self.server.host}:{self.server.port}")
        self.assertFalse(observed["read_only"])
        self.assertIn(observed["file"], [name for name, _ in self.server.binlogs()])
        self.assertLess(abs(usec(observed, "server_time") - usec(observed, "time")), 5)
        self.assertRegex(observed["gtids"], r"^0-11-\d+$")
        self.assertRegex(source["covered"]["gtids"], r"^0-11-\d+$")
        self.assertEqual(int(purge["expire_usec"]), WEEK * 1_000_000)
        self.assertEqual((purge["file"], purge["purged"]), ("", False))
        self.assertEqual(usec(purge, "usec"), WEEK)
        text = self.vault.verb("status", expect=(0, 6))
        self.assertRegex(text, r"COVERED UNTIL \(durable\) +BEHIND +(SEMI-SYNC +)?GAPS +PURGE HORIZON\n")
        self.assertRegex(text, r"streaming .*mariadb-bin\.\d+:\d+ +\d.* 7 d 00 h\n")

    def test_the_connection_has_a_name_that_server_log_and_status_know(self):
        self.wait(lambda: self.status()["connection"], "it streams")
        connection = self.status()["connection"]
        self.assertRegex(connection, r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-")
        begins = [json.loads(line) for line in self.vault.log.splitlines()
                  if '"stream.begins"' in line]
        self.assertEqual(begins[-1]["connection"], connection)

    def test_what_is_not_covered_is_counted_in_bytes_and_time_and_needs_attention(self):
        pid = self.vault.pids("binvault-pull")
        self.wait(lambda: self.status()["behind"] == "0", "all is covered")
        self.server.stop()
        try:
            self.wait(lambda: "missed_since" in self.status(), "it is not covered")
            result = self.vault.run_verb("status")
            self.assertEqual(result.returncode, 6)
            self.assertIn("1 of 1 sources not covered", result.stdout)
            self.assertRegex(result.stdout, r"orders: not covered since \S+: connecting to ")
            check = self.vault.run_verb("check")
            self.assertEqual(check.returncode, 2)
            self.assertRegex(check.stdout,
                             r"^BINVAULT CRITICAL - orders: not covered \(waiting\): connecting to "
                             r"[^|\n]+ \| orders_behind=")
            source = self.status()
            self.assertLess(abs(usec(source, "missed_since") + usec(source, "behind_usec")
                                - time.time()), 3)
        finally:
            self.server.start()
        self.server.sql("INSERT INTO d.t (b) VALUES (REPEAT('x', 1000))")
        self.vault.wait_covered(SOURCE, self.server)
        self.wait(lambda: "missed_since" not in self.status(), "it is covered again")
        self.assertEqual(self.vault.pids("binvault-pull"), pid)

    def test_only_what_is_sealed_may_be_purged_and_the_server_takes_the_advice(self):
        for _ in range(2):
            self.server.sql("INSERT INTO d.t (b) VALUES (REPEAT('x', 1000))")
            names = self.stage.archive()
        current = self.server.binlogs()[-1][0]
        self.wait_listed(current)
        advice = self.advice()
        self.assertEqual(advice["statement"], f"PURGE BINARY LOGS TO '{current}';")
        self.assertEqual((advice["first"], advice["last"], int(advice["files"])),
                         (names[0], names[-1], len(names)))
        self.assertEqual(int(advice["bytes"]), sum(size for _, size in self.server.binlogs()[:-1]))
        result = self.vault.run_verb("source", "purge-advice", SOURCE)
        self.assertEqual((result.returncode, result.stdout), (0, advice["statement"] + "\n"))
        self.assertIn(f"{current} stays: {current} is the one that the server writes",
                      result.stderr)
        self.server.sql(advice["statement"])
        self.assertEqual([name for name, _ in self.server.binlogs()], [current])
        self.assertEqual(self.status()["state"], "streaming")

    def test_a_list_is_asked_for_once_a_minute_however_often_the_stream_breaks(self):
        self.server.sql("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log;"
                        "SET GLOBAL general_log = ON")
        self.addCleanup(self.server.sql, "SET GLOBAL general_log = OFF")
        begin = time.monotonic()
        streams = 0
        while time.monotonic() - begin < 1.5 * MINUTE:
            for (thread,) in self.server.sql(
                    "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog%'"):
                self.server.sql(f"KILL {thread}")
                streams += 1
            time.sleep(12)  # longer than a stream that counts as a success: it comes back at once
        minutes = (time.monotonic() - begin) / MINUTE
        asked = int(self.server.value("SELECT COUNT(*) FROM mysql.general_log WHERE "
                                      "argument = 'SHOW BINARY LOGS'"))
        self.assertGreater(streams, 3)
        self.assertGreaterEqual(asked, 1)
        self.assertLessEqual(asked, minutes + 1)
        logins = self.server.sql("SELECT argument FROM mysql.general_log WHERE "
                                 "command_type = 'Connect' AND argument LIKE 'binvault@%'")
        # The streams', and one of the second connection for what it lost: nothing.
        self.assertLessEqual(len(logins), streams + 2)


class CheckTest(unittest.TestCase):
    """What a monitoring system is told when the vault or a part of it is not there."""

    def test_without_a_keeper_a_configuration_or_enough_time(self):
        with Stage(defaults={"certificate-warning": "400d"}) as stage:
            vault = stage.vault
            check = vault.run_verb("check")
            self.assertEqual(check.returncode, 2)
            self.assertRegex(check.stdout, r"^BINVAULT CRITICAL - the keeper (is not running|does)")
            vault.start()
            vault.wait_covered(SOURCE, stage.server)
            # The three certificates, and nothing else once the first checkpoint is signed.
            wait_until(lambda: len(vault.run_verb("check").stdout.splitlines()) == 3, 30,
                       lambda: vault.run_verb("check").stdout)
            check = vault.run_verb("check")
            self.assertEqual(check.returncode, 1)
            self.assertRegex(check.stdout, r"^BINVAULT WARNING - orders: the server's certificate "
                                           r"ends \S+ \S+Z[^|]+ \(and more\) \| ")
            vault.verb("source", "pause", SOURCE, "--reason", "quiet")
            check = vault.run_verb("check")
            self.assertEqual(check.returncode, 1, check.stdout)
            vault.configuration.write_text("[archive]\nnonsense = 1\n")
            check = vault.run_verb("check")
            self.assertEqual(check.returncode, 3)
            self.assertIn("BINVAULT UNKNOWN - ", check.stdout)
            vault.write_configuration()


class SecondLoginTest(unittest.TestCase):
    def test_one_that_is_refused_is_a_warning_tried_once_and_the_stream_goes_on(self):
        with Stage() as stage:
            vault, server = stage.vault, stage.server
            vault.start()
            wait_until(lambda: "observed" in vault.source_status(SOURCE), 30, vault.tail)

            def sentence():
                return vault.source_status(SOURCE)["observed"]["sentence"]

            def kill(command):
                for (thread,) in server.sql(
                        "SELECT id FROM information_schema.processlist WHERE user = 'binvault' "
                        f"AND command LIKE '{command}'"):
                    server.sql(f"KILL {thread}")

            server.sql("ALTER USER 'binvault'@'%' IDENTIFIED BY 'another'")
            kill("Sleep")
            wait_until(sentence, LIST_AGE, vault.tail)
            self.assertIn("refused the login of 'binvault'", sentence())
            server.sql("CREATE DATABASE d")
            vault.wait_covered(SOURCE, server)
            result = vault.run_verb("status")
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stdout, r"orders: the server could not be looked at \(\S+\): ")
            # Nor does the stream try it again when it is cut, before a person says so.
            server.sql("ALTER USER 'binvault'@'%' IDENTIFIED BY 'lab-only'")
            kill("Binlog%")
            wait_until(lambda: vault.source_status(SOURCE)["state"] == "refused", 15, vault.tail)
            vault.verb("source", "pause", SOURCE, "--reason", "the password is right again")
            vault.verb("source", "resume", SOURCE)
            wait_until(lambda: not sentence(), LIST_AGE + 15, vault.tail)


class AdviceTest(unittest.TestCase):
    """Servers that must not be purged, whatever is sealed."""

    def wait_listed(self, stage):
        wait_until(lambda: stage.vault.source_status(SOURCE).get("observed", {}).get("file"),
                   LIST_AGE, stage.vault.tail)

    def advice(self, stage):
        return stage.vault.run_verb("source", "purge-advice", SOURCE)

    def test_files_before_the_first_that_is_archived_hold_all_advice_back(self):
        with Stage(start=True, defaults={"start": "now"}) as stage:
            for _ in range(2):
                stage.server.rotate()
            first = stage.server.binlogs()[0][0]
            stage.vault.start()
            stage.vault.wait_covered(SOURCE, stage.server)
            self.wait_listed(stage)
            result = self.advice(stage)
            self.assertEqual((result.returncode, result.stdout),
                             (0, f"Nothing may be purged: {first} is not archived (sealed) from "
                                 "this server.\n"))
            stage.server.stop()
            wait_until(lambda: stage.vault.source_status(SOURCE)["state"] == "waiting", 30,
                       stage.vault.tail)
            self.assertRegex(self.advice(stage).stdout, "^Nothing may be purged: nothing streams ")

    def test_what_is_durable_and_not_sealed_holds_it_back_too(self):
        with Stage() as stage:
            stage.vault.start()
            stage.vault.wait_covered(SOURCE, stage.server)
            self.wait_listed(stage)
            self.assertRegex(self.advice(stage).stdout,
                             r"^Nothing may be purged: mariadb-bin.000001 is the one that the "
                             r"server writes\.\n$")
            unknown = stage.vault.run_verb("source", "purge-advice", "nobody")
            self.assertEqual(unknown.returncode, 1)
            self.assertIn("there is no source 'nobody'", unknown.stderr)
            self.assertTrue(re.search("purge-advice", stage.vault.verb("source", "--help")))


class FlavourTest(unittest.TestCase):
    """The same of every server; MySQL counts the header of an encrypted file as part of it."""

    def check(self, flavour, gtids, **server_options):
        with Stage(flavour=flavour, server_options=server_options) as stage:
            vault, server = stage.vault, stage.server
            server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY)")
            server.rotate()
            server.sql("INSERT INTO d.t VALUES (1)")
            vault.start()
            names = stage.archive()
            current = server.binlogs()[-1][0]
            wait_until(lambda: vault.source_status(SOURCE).get("observed", {}).get("file")
                       == current, LIST_AGE, vault.tail)
            source = vault.source_status(SOURCE)
            self.assertEqual((source["observed"]["sentence"], source["behind"]), ("", "0"))
            self.assertRegex(source["observed"]["gtids"], gtids)
            self.assertEqual(source["covered"]["gtids"], source["observed"]["gtids"])
            # Each sends a heartbeat of its own kind while it has nothing else.
            idle_since = time.time()
            wait_until(lambda: usec(vault.source_status(SOURCE)["covered"], "until")
                       > idle_since + 3, 30, vault.tail)
            self.assertGreater(int(source["purge"].get("usec", -1)),
                               0 if int(source["purge"]["expire_usec"]) else -2)
            advice = vault.verb("source", "purge-advice", SOURCE)
            self.assertEqual(advice, f"PURGE BINARY LOGS TO '{current}';\n")
            # MariaDB keeps a file until its engines have told that they do not need it.
            wait_until(lambda: server.sql(advice) == []
                       and [name for name, _ in server.binlogs()] == [current], 30,
                       "the server purges what it was told to")
            self.assertGreater(len(names), 1)
            vault.verb("source", "pause", SOURCE, "--reason", "a look at the server")
            wait_until(lambda: server.sql("SELECT COUNT(*) FROM information_schema.processlist "
                                          "WHERE user = 'binvault'") == [["0"]], 30, vault.tail)
            server.sql("INSERT INTO d.t VALUES (2)")
            vault.verb("source", "resume", SOURCE)
            vault.wait_covered(SOURCE, server)

    @flavours.needs(flavours.MariaDB118)
    def test_mariadb_11_8(self):
        self.check(flavours.MariaDB118, r"^0-11-\d+$")

    @flavours.needs(flavours.MySQL)
    def test_mysql(self):
        self.check(flavours.MySQL, r"^[0-9a-f-]{36}:1-\d+$")

    @flavours.needs(flavours.MySQL)
    def test_mysql_with_encrypted_files(self):
        self.check(flavours.MySQL, r"^[0-9a-f-]{36}:1-\d+$", encrypted=True)


class HoldTest(unittest.TestCase):
    """A source that is paused, or that has had its share."""

    def stage(self, server_options=None, **defaults):
        stage = Stage(server_options=server_options,
                      defaults={"maximum-uncovered": "1h", **defaults})
        self.addCleanup(stage.close)
        stage.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY AUTO_INCREMENT,"
                         " b LONGBLOB)")
        stage.vault.start()
        stage.vault.wait_covered(SOURCE, stage.server)
        return stage

    def wait_state(self, stage, state):
        wait_until(lambda: stage.vault.source_status(SOURCE).get("state") == state, 30,
                   lambda: f"{state}: {stage.vault.source_status(SOURCE)}\n{stage.vault.tail()}")

    def write(self, stage, size=1000):
        stage.server.sql(f"INSERT INTO d.t (b) VALUES (REPEAT(RANDOM_BYTES(1000), {size} / 1000))")

    def timed_write(self, stage, size=1000):
        begin = time.monotonic()
        self.write(stage, size)
        return time.monotonic() - begin

    def semi_sync(self, stage, name):
        return stage.server.sql(f"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_{name}'")[0][1]

    def kill_streams(self, stage):
        for (thread,) in stage.server.sql("SELECT id FROM information_schema.processlist WHERE "
                                          "command LIKE 'Binlog%'"):
            stage.server.sql(f"KILL {thread}")

    def dump_threads(self, stage):
        return stage.server.sql("SELECT id FROM information_schema.processlist WHERE user = "
                                "'binvault'")

    def leaves(self, stage, kind):
        lines = [json.loads(line) for path in sorted((stage.vault.volume / "ledger").glob("*.jsonl"))
                 for line in path.read_text().splitlines() if line]
        return [leaf for leaf in lines if leaf["type"] == kind]

    def test_a_pause_is_kept_over_restarts_and_pulling_goes_on_where_it_stood(self):
        stage = self.stage()
        vault, server = stage.vault, stage.server
        refused = vault.run_verb("source", "pause", SOURCE)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--reason TEXT is missing", refused.stderr)
        vault.verb("source", "pause", SOURCE, "--reason", "the server moves")
        self.wait_state(stage, "paused")
        wait_until(lambda: not self.dump_threads(stage), 30, "both connections are closed")
        wait_until(lambda: not vault.source_status(SOURCE)["segments"], 30, "all is sealed")
        covered = vault.source_status(SOURCE)["covered"]
        self.write(stage)
        again = vault.run_verb("source", "pause", SOURCE, "--reason", "once more")
        self.assertEqual(again.returncode, 1)
        self.assertIn("paused already, by user 0: the server moves", again.stderr)

        vault.kill9()
        vault.start()
        self.wait_state(stage, "paused")
        status = vault.run_verb("status")
        self.assertEqual(status.returncode, 6)
        self.assertRegex(status.stdout, r"paused since \S+Z by user 0: the server moves\. Do: "
                                        r"binvault source resume orders")
        source = vault.source_status(SOURCE)
        self.assertEqual(source["paused"]["reason"], "the server moves")
        self.assertEqual(self.dump_threads(stage), [])
        self.assertEqual(source["covered"]["position"], covered["position"])

        output = vault.verb("source", "resume", SOURCE, "--reason", "it has moved")
        self.assertIn(f"orders goes on behind {covered['file']}:{covered['position']}.", output)
        vault.wait_covered(SOURCE, server)
        self.wait_state(stage, "streaming")
        self.assertEqual(vault.run_verb("status").returncode, 0)
        self.assertEqual(vault.run_verb("source", "resume", SOURCE).returncode, 2)
        (paused,), (resumed,) = self.leaves(stage, "paused"), self.leaves(stage, "resumed")
        self.assertEqual((resumed["paused"], resumed["reason"]), (paused["index"], "it has moved"))
        self.assertEqual((resumed["from_file"], resumed["from_position"]),
                         (covered["file"], covered["position"]))
        self.assertGreater(int(resumed["from_usec"]), 0)
        stage.archive()
        self.assertIn(", 0 gaps", vault.verb("list", SOURCE))
        vault.verb("verify")

    def test_a_semi_synchronous_server_does_not_wait_for_a_source_that_is_paused(self):
        """Nor for one that has had its share: commits go on at once, with a time-out of minutes."""
        stage = self.stage(
            {"options": ["--rpl-semi-sync-master-timeout=600000",
                         "--rpl-semi-sync-master-wait-no-slave=OFF"]},
            **{"semi-sync": "yes", "max-bytes-per-day": "8M"})
        stage.server.sql("SET GLOBAL rpl_semi_sync_master_enabled = ON")
        self.kill_streams(stage)  # so that it is asked for at the next login
        wait_until(lambda: self.semi_sync(stage, "clients") == "1", 60, stage.vault.tail)
        self.write(stage)
        self.assertEqual(self.semi_sync(stage, "status"), "ON")
        stage.vault.verb("source", "pause", SOURCE, "--reason", "it must not be waited for")
        begin, longest = time.monotonic(), 0.0
        while time.monotonic() < begin + 5:
            longest = max(longest, self.timed_write(stage))
        self.assertLess(longest, 15)
        self.wait_state(stage, "paused")
        self.assertEqual(self.semi_sync(stage, "clients"), "0")
        stage.vault.verb("source", "resume", SOURCE)
        wait_until(lambda: self.semi_sync(stage, "clients") == "1", 60, stage.vault.tail)
        for _ in range(12):
            longest = max(longest, self.timed_write(stage, 1_000_000))
        self.wait_state(stage, "limited")
        self.assertLess(longest, 15)

    def test_pause_and_resume_under_load_lose_nothing(self):
        stage = self.stage()
        traffic = Traffic(stage.server, seed=31, seconds=12, clients=2, largest=4 * MEBIBYTE)
        traffic.start()
        for _ in range(4):
            time.sleep(1)
            stage.vault.verb("source", "pause", SOURCE, "--reason", "under load")
            time.sleep(1)
            stage.vault.verb("source", "resume", SOURCE)
        traffic.wait()
        names = stage.archive(timeout=120)
        stage.vault.verb("restore", SOURCE, "--to", "whole")
        evidence.compare_restore(stage.server, stage.vault.export / "whole", names)

    def test_a_source_stops_at_its_bytes_of_the_day_and_no_restart_forgives(self):
        stage = self.stage(**{"max-bytes-per-day": "2M"})
        for _ in range(5):
            self.write(stage, 1_000_000)
        self.wait_state(stage, "limited")
        wait_until(lambda: not self.dump_threads(stage), 30, "the stream has ended")
        status = stage.vault.run_verb("status")
        self.assertEqual(status.returncode, 6)
        self.assertRegex(status.stdout, r"max-bytes-per-day = 2\.00 MiB is used up: \S+ MiB of "
                                        r"today \(UTC\) are archived, and the source is not pulled "
                                        r"until \S+T00:00:00Z\. Do: ")
        used = int(stage.vault.source_status(SOURCE)["quota"]["bytes_today"])
        self.assertGreaterEqual(used, 2 * MEBIBYTE)
        stage.vault.stop()
        stage.vault.start()
        self.wait_state(stage, "limited")
        self.assertEqual(int(stage.vault.source_status(SOURCE)["quota"]["bytes_today"]), used)
        stage.vault.stop()
        stage.vault.defaults["max-bytes-per-day"] = "1G"
        stage.vault.write_configuration()
        stage.vault.start()
        stage.vault.wait_covered(SOURCE, stage.server)
        stage.archive()
        self.assertIn(", 0 gaps", stage.vault.verb("list", SOURCE))

    def test_a_source_stops_at_its_segments_of_the_hour(self):
        if time.gmtime().tm_min >= 58:
            time.sleep(130)  # the limit would end while we look
        stage = self.stage(**{"max-segments-per-hour": "4"})
        for _ in range(5):
            stage.server.rotate()
            self.write(stage)
        self.wait_state(stage, "limited")
        self.assertIn("max-segments-per-hour = 4 is used up",
                      stage.vault.source_status(SOURCE)["sentence"])
        self.assertEqual(len(self.leaves(stage, "segment-opened")), 4)
        stage.vault.kill9()
        stage.vault.start()
        self.wait_state(stage, "limited")
        self.assertEqual(len(self.leaves(stage, "segment-opened")), 4)

    def test_rate_limit_holds_from_outside(self):
        stage = self.stage(**{"rate-limit": "1M"})
        begin = time.monotonic()
        for _ in range(6):
            self.write(stage, 1_000_000)
        written = sum(size for _, size in stage.server.binlogs())
        stage.vault.wait_covered(SOURCE, stage.server)
        seconds = time.monotonic() - begin
        # A tenth of a second's bytes may come at once, and one event is never cut.
        self.assertGreater(seconds, (written - 1.2e6) / MEBIBYTE)
        self.assertLess(seconds, written / MEBIBYTE * 2 + 10)


if __name__ == "__main__":
    unittest.main()
