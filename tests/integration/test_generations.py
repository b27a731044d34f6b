"""A history that is not the archived one: found out, named, gone on with beside it, and restored.

Each trouble is made for real, with MariaDB and MySQL: a server that was reset, that lost its tail in
a crash, that was set back to an earlier state, that purged what was not archived; and a switch of
the primary under load, with the old one coming back.
"""

import json
import shlex
import shutil
import threading
import time
import unittest

from tests.integration.lab.flavours import MariaDB, MySQL, needs, pair
from tests.integration.lab.processes import wait_until
from tests.integration.lab.proxy import Proxy
from tests.integration.lab.server import SqlError, replay
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.vault import Vault

QUICK = False

RESET = {"mariadb": "RESET MASTER", "mysql": "RESET BINARY LOGS AND GTIDS"}
PATIENCE = 90
MEBIBYTE = 1 << 20


class GenerationTest(unittest.TestCase):
    """One vault and one server; what is archived can be listed by generation."""

    def begin(self, flavour, proxied=False, **options):
        self.stage = Stage(flavour=flavour, defaults={"failover-after": "1s"}, **options)
        self.addCleanup(self.stage.close)
        self.server, self.vault = self.stage.server, self.stage.vault
        if proxied:
            self.proxy = self.vault.sources[SOURCE] = Proxy(self.stage.scratch, self.server)
            self.vault.write_configuration()
        self.server.sql("CREATE DATABASE lab; CREATE TABLE lab.t (id INT PRIMARY KEY "
                        "AUTO_INCREMENT, text VARCHAR(200))")
        self.vault.start()

    def write(self, count, word="row", server=None):
        for _ in range(count):
            (server or self.server).sql(f"INSERT INTO lab.t (text) VALUES ('{word}')")

    def listing(self):
        output = self.vault.verb("list", SOURCE, "--output=json", expect=(0, 6))
        return json.loads(output)["sources"][0]

    def generations(self):
        """The leaves that begin generations, from the ledger itself."""
        leaves = []
        for path in sorted((self.vault.volume / "ledger").glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                if line.startswith(b"{") and b'"type":"generation"' in line:
                    leaf = json.loads(line)
                    if leaf["type"] == "generation":
                        leaves.append(leaf)
        return leaves

    def wait_generation(self, count=1):
        wait_until(lambda: len(self.generations()) >= count, PATIENCE, lambda: (
            f"{count} generations: {self.generations()}\n{self.vault.source_status(SOURCE)}\n"
            f"{self.vault.tail()}"), interval=0.3)
        return self.generations()[count - 1]

    def restore(self, name, *options):
        """Restore; the directory and the report."""
        report = json.loads(self.vault.verb("restore", SOURCE, "--to", name, "--output=json",
                                            *options))
        return self.vault.export / name, report

    def assert_files(self, directory, report, server, prefix=""):
        """Every closed file of the server is restored byte for byte."""
        for file in server.closed_binlogs():
            self.assertEqual((directory / f"{prefix}{file}").read_bytes(),
                             server.binlog_path(file).read_bytes(), file)

    def archive(self):
        self.stage.archive(timeout=PATIENCE)

    # -- the troubles of one server ------------------------------------------------------------
    def reset(self, flavour):
        self.begin(flavour)
        self.write(3, "before")
        self.archive()
        self.server.sql(RESET[flavour.flavour])
        self.write(5, "after")
        leaf = self.wait_generation()
        self.assertEqual((leaf["reason"], leaf["gap"], leaf["gaps"]), ("reset", True, "1"))
        self.assertIn("the server was reset or built anew", leaf["sentence"])
        self.archive()
        listing = self.listing()
        self.assertEqual(len(listing["gaps"]), 1)
        status = self.vault.run_verb("status")
        self.assertEqual(status.returncode, 6, status.stdout)
        self.assertIn("reset or built anew", status.stdout)
        # What lies on both sides of the gap is there; over it, only who asks for it goes.
        refused = self.vault.run_verb("restore", SOURCE, "--to", "over")
        self.assertEqual(refused.returncode, 3, refused.stderr)
        generation = listing["segments"][-1]["generation"]
        directory, report = self.restore("new", "--generation", generation[:12])
        self.assert_files(directory, report, self.server)
        first = listing["segments"][0]["generation"]
        directory, report = self.restore("old", "--generation", first[:12])
        self.assertIn(b"before", b"".join((directory / file["name"]).read_bytes()
                                          for file in report["files"]))
        self.vault.verb("verify", expect=(0,))
        self.accept(generation)

    def accept(self, generation):
        """The gap before it: once, for good, and no secret."""
        def refused(*arguments):
            result = self.vault.run_verb("source", "accept-gap", SOURCE, *arguments)
            self.assertNotEqual(result.returncode, 0, result.stdout)
            return result.stderr

        self.assertIn("which gap?", refused("--reason", "why"))
        self.assertIn("why is it accepted?", refused("--generation", generation[:12]))
        self.assertIn("no generation 0000000000 of source 'orders' begins with a gap",
                      refused("--generation", "0000000000", "--reason", "why"))
        self.assertEqual(self.vault.run_verb("list", SOURCE).returncode, 6)
        output = self.vault.verb("source", "accept-gap", SOURCE, "--generation", generation[:12],
                                 "--reason", "a test database, made anew")
        self.assertIn("the server was reset or built anew", output)
        self.assertIn("by user 0: a test database, made anew: a gap is accepted once",
                      refused("--generation", generation[:12], "--reason", "again"))
        for begin_again in (False, True):
            if begin_again:
                self.vault.kill9()
                self.vault.start()
                self.vault.wait_covered(SOURCE, self.server)
            wait_until(lambda: self.vault.run_verb("status").returncode == 0, PATIENCE,
                       lambda: self.vault.run_verb("status").stdout)
            shown = r"accepted \S+Z by user 0: a test database, made anew"
            self.assertRegex(self.vault.verb("status"),
                             rf"orders: gap {shown}: the server was reset or built anew")
            self.assertRegex(self.vault.verb("status"), r"\b1, 1 accepted\b")
            self.assertEqual(self.vault.run_verb("check").returncode, 0)
            self.assertRegex(self.vault.verb("list", SOURCE), rf"GAP  the server was .*; {shown}")
            self.assertEqual(len(self.listing()["gaps"]), 1)
            over = self.vault.run_verb("restore", SOURCE, "--to", "over")
            self.assertEqual(over.returncode, 3, over.stderr)
            self.assertRegex(over.stderr, rf"gap: the server was reset .*; {shown}")
        self.vault.verb("verify", expect=(0,))
        # The next one is another matter.
        self.server.sql(RESET[self.server.flavour])
        self.write(2, "once more")
        leaf = self.wait_generation(2)
        self.assertEqual((leaf["gap"], leaf["gaps"]), (True, "2"))
        self.assertEqual(self.vault.run_verb("status").returncode, 6)
        self.assertRegex(self.vault.run_verb("status").stdout, r"\b2, 1 accepted\b")

    def test_mariadb_reset(self):
        self.reset(MariaDB)

    @needs(MySQL)
    def test_mysql_reset(self):
        self.reset(MySQL)

    def lost_tail(self, flavour):
        """A crash of a server that had not synced: its file ends before what is archived."""
        self.begin(flavour)
        self.write(3, "kept")
        file, kept = self.server.binlogs()[-1]
        self.write(3, "lost")
        self.vault.wait_covered(SOURCE, self.server)
        self.server.kill9()
        with open(self.server.binlog_path(file), "r+b") as binlog:
            binlog.truncate(kept)
        self.server.start()
        leaf = self.wait_generation()
        self.assertEqual((leaf["reason"], leaf["gap"]), ("diverged", False))
        self.assertEqual(leaf["binlog_file"], file)
        self.write(2, "anew")
        self.archive()
        listing = self.listing()
        self.assertEqual(listing["gaps"], [])
        directory, report = self.restore("now")
        self.assertEqual((directory / file).stat().st_size, kept)
        old = listing["overlaps"][0]["generation"]
        directory, report = self.restore("lost", "--generation", old[:12])
        self.assertIn(b"lost", (directory / file).read_bytes())
        self.vault.verb("verify", "--decrypt", expect=(0,))

    def test_mariadb_lost_its_tail(self):
        self.lost_tail(MariaDB)

    @needs(MySQL)
    def test_mysql_lost_its_tail(self):
        self.lost_tail(MySQL)

    def set_back(self, flavour):
        """The database's machine goes back to a snapshot, and writes files of the same names."""
        self.begin(flavour)
        self.write(3, "common")
        self.archive()
        self.server.stop()
        snapshot = self.server.directory / "snapshot"
        shutil.copytree(self.server.data, snapshot, symlinks=True)
        self.server.start()
        self.write(4, "undone")
        self.archive()
        self.server.stop()
        shutil.rmtree(self.server.data)
        snapshot.rename(self.server.data)
        self.server.start()
        self.write(2, "instead")
        leaf = self.wait_generation()
        self.assertEqual((leaf["reason"], leaf["gap"]), ("reset", True))
        self.archive()
        generation = self.listing()["segments"][-1]["generation"]
        directory, report = self.restore("new", "--generation", generation[:12])
        self.assert_files(directory, report, self.server)

    def test_mariadb_set_back(self):
        self.set_back(MariaDB)

    @needs(MySQL)
    def test_mysql_set_back(self):
        self.set_back(MySQL)

    def purged(self, flavour, missed):
        """Files go while the vault is away: those that it has, or (missed) those that it has not."""
        self.begin(flavour)
        self.write(3)
        self.archive()
        self.vault.stop()
        if missed:
            self.write(2, "missed")
            self.server.rotate()
        current = self.server.binlogs()[-1][0]

        def purge():
            # A server keeps what it still sends (that the vault is gone it finds out by a
            # heartbeat), and what its engines may need after a crash.
            self.server.sql(f"PURGE BINARY LOGS TO '{current}'")
            return self.server.binlogs()[0][0] == current

        wait_until(purge, 30, "the files are purged")
        self.write(2, "later")
        self.vault.start()
        if not missed:
            self.archive()
            self.assertEqual(self.listing()["gaps"], [])
            return
        leaf = self.wait_generation()
        self.assertEqual((leaf["reason"], leaf["gap"]), ("purged", True))
        self.assertRegex(leaf["sentence"], r"0-11-\d+ is missing" if flavour is MariaDB
                         else r"[0-9a-f]{8}-[0-9a-f-]+:\d+-\d+ is missing")
        self.archive()
        directory, report = self.restore("r", "--from-file", current)
        self.assert_files(directory, report, self.server)

    def test_mariadb_purged_what_is_archived(self):
        self.purged(MariaDB, False)

    def test_mariadb_purged_what_is_not(self):
        self.purged(MariaDB, True)

    @needs(MySQL)
    def test_mysql_purged_what_is_archived(self):
        self.purged(MySQL, False)

    @needs(MySQL)
    def test_mysql_purged_what_is_not(self):
        self.purged(MySQL, True)

    # -- the beginning -------------------------------------------------------------------------
    def start_behind(self, flavour):
        """`start` is the GTID that a backup ends with."""
        self.begin(flavour)
        self.vault.stop()
        server = self.server
        self.write(2)
        server.rotate()
        self.write(2)
        file, gtids = server.binlogs()[-1][0], server.gtids()
        self.write(1)
        server.rotate()
        other = self.stage.scratch.directory("second")
        vault = Vault(self.stage.scratch, self.stage.token, self.stage.authority, other,
                      {SOURCE: server}, name="vault02", defaults={"start": gtids})
        vault.init()
        vault.start()
        self.addCleanup(vault.stop)
        vault.wait_sealed(SOURCE, file)
        listing = json.loads(vault.verb("list", SOURCE, "--output=json", expect=(0, 6)))
        first = listing["sources"][0]["segments"][0]
        self.assertEqual((first["file"], first["start"]), (file, "4"))

    def test_mariadb_start_behind_a_gtid(self):
        self.start_behind(MariaDB)

    @needs(MySQL)
    def test_mysql_start_behind_gtids(self):
        self.start_behind(MySQL)

    # -- what is no trouble ----------------------------------------------------------------------
    def die_inside_a_transaction(self, flavour, die):
        """Part of a transaction is archived when `die` ends who did it; the next one finds no gap.

        The network is cut inside it and held, so that it cannot end before.
        """
        self.begin(flavour, proxied=True)
        self.server.sql("CREATE TABLE lab.large (bytes LONGBLOB)")
        self.vault.wait_covered(SOURCE, self.server)
        file, begin = self.server.binlogs()[-1]
        self.proxy.hold()
        self.server.sql("START TRANSACTION;" + 40 * (
            "INSERT INTO lab.large VALUES (REPEAT(RANDOM_BYTES(1000), 1000));") + "COMMIT")
        end = self.server.binlogs()[-1][1]
        self.proxy.limit = 6 * MEBIBYTE
        self.proxy.resume()
        wait_until(lambda: self.proxy.cut_count > 0, PATIENCE, self.vault.tail, interval=0.01)
        self.proxy.hold()
        wait_until(lambda: self.covered() > begin + 4 * MEBIBYTE, 30, self.vault.tail)
        die()
        self.proxy.limit = None
        wait_until(lambda: '"event":"puller.attached"' in self.vault.log.rsplit(
            '"event":"puller.gone"', 1)[-1], PATIENCE, self.vault.tail)
        inside = self.covered()
        self.assertTrue(begin + 4 * MEBIBYTE < inside < end, (begin, inside, end))
        self.proxy.resume()
        self.vault.wait_covered(SOURCE, self.server)
        for _ in range(2):
            self.server.rotate()
            self.write(1, "behind")
        self.archive()
        self.assertEqual(self.generations(), [])
        self.assertEqual(self.listing()["gaps"], [])
        wait_until(lambda: self.vault.source_status(SOURCE)["covered"].get("gtids")
                   == self.server.gtids(), PATIENCE, lambda: (
                       f"{self.server.gtids()} {self.vault.source_status(SOURCE)}"))
        self.assertEqual(self.vault.run_verb("status").returncode, 0)
        directory, report = self.restore("whole")
        self.assert_files(directory, report, self.server)
        self.assertEqual(file, report["files"][0]["name"])

    def covered(self):
        return int(self.vault.source_status(SOURCE)["covered"]["position"])

    def test_mariadb_a_puller_that_dies_inside_a_transaction_leaves_no_gap(self):
        self.die_inside_a_transaction(MariaDB, lambda: self.vault.kill("binvault-pull"))

    @needs(MySQL)
    def test_mysql_a_puller_that_dies_inside_a_transaction_leaves_no_gap(self):
        self.die_inside_a_transaction(MySQL, lambda: self.vault.kill("binvault-pull"))

    def test_mariadb_a_vault_that_dies_inside_a_transaction_leaves_no_gap(self):
        def die():
            self.vault.kill9()
            self.vault.start()

        self.die_inside_a_transaction(MariaDB, die)


class Load:
    """Inserts into whatever server it is pointed at, until stopped; counts what was committed."""

    def __init__(self, server):
        self.server, self.count, self._stop = server, 0, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                self.server.sql("INSERT INTO lab.t (text) VALUES ('under load');" * 5)
                self.count += 5
            except SqlError:
                time.sleep(0.1)

    def stop(self):
        self._stop.set()
        self._thread.join()


class FailoverTest(GenerationTest):
    """Two servers of one group; the vault follows the primary, whichever it is."""

    def switch(self, flavour):
        stage = Stage(flavour=flavour, start=False, init=False)
        self.addCleanup(stage.close)
        self.stage, scratch, authority = stage, stage.scratch, stage.authority
        first, second = pair(flavour, scratch, authority)
        first.create_archive_user()
        first.sql("CREATE DATABASE lab; CREATE TABLE lab.t (id INT PRIMARY KEY AUTO_INCREMENT, "
                  "text VARCHAR(200))")
        second.wait_for(first)
        self.vault = stage.vault
        self.vault.sources = {SOURCE: [first, second]}
        self.vault.defaults["failover-after"] = "2s"
        self.vault.write_configuration()
        self.vault.init()
        self.vault.start()
        load = Load(first)
        try:
            wait_until(lambda: load.count >= 50, 60, "some load")
            self.vault.wait_covered(SOURCE, first)
            load.server = second  # refused until it is promoted
            first.sql("SET GLOBAL read_only = ON")
            second.wait_for(first)
            first.stop()
            second.promote()
            leaf = self.wait_generation()
            before = load.count
            wait_until(lambda: load.count >= before + 50, 60, "load goes on")
            first.start()
            first.replicate_from(second)
            first.wait_for(second)
            self.vault.wait_covered(SOURCE, second)
            self.assertEqual(len(self.generations()), 1, "nobody switches back by himself")
            # … until the second goes, and the first takes over again.
            load.server = first
            second.sql("SET GLOBAL read_only = ON")
            first.wait_for(second)
            second.stop()
            first.promote()
            self.wait_generation(2)
            before = load.count
            wait_until(lambda: load.count >= before + 50, 60, "load goes on")
        finally:
            load.stop()
        self.assertEqual((leaf["reason"], leaf["gap"]), ("failover", False), leaf["sentence"])
        first.rotate()
        self.vault.wait_covered(SOURCE, first)
        self.vault.wait_sealed(SOURCE, *first.closed_binlogs()[-1:])
        self.assertEqual(self.listing()["gaps"], [])
        self.check_restore(flavour, first, load.count)

    def check_restore(self, flavour, primary, count):
        directory = self.vault.export / "all"
        words = self.vault.verb("restore", SOURCE, "--to", "all")
        lines = [line for line in words.splitlines() if line.startswith("replay")]
        self.assertEqual(len(lines), 3, words)
        target = flavour(self.stage.scratch, self.stage.authority, name="target", server_id=77,
                         strict=False)
        target.start()
        for line in lines:
            command = shlex.split(line.partition("&&")[2].rpartition(") |")[0])
            options = [word for word in command[1:] if word.startswith("--")]
            files = [directory / word for word in command[1:] if not word.startswith("--")]
            replay(target, files, *options)
        self.assertEqual(target.checksum_all_tables()["lab.t"],
                         primary.checksum_all_tables()["lab.t"])
        self.assertEqual(int(target.value("SELECT COUNT(*) FROM lab.t")), count)

    def test_mariadb_switch_under_load_and_back(self):
        self.switch(MariaDB)

    @needs(MySQL)
    def test_mysql_switch_under_load_and_back(self):
        self.switch(MySQL)

    def test_a_stranger_is_not_followed(self):
        self.begin(MariaDB)
        self.write(2)
        self.archive()
        stranger = MariaDB(self.stage.scratch, self.stage.authority, name="stranger",
                           server_id=99)
        stranger.start()
        stranger.create_archive_user()
        stranger.sql("SET GLOBAL gtid_domain_id = 7; SET gtid_domain_id = 7; CREATE DATABASE x")
        self.vault.stop()
        self.vault.sources = {SOURCE: stranger}
        self.vault.write_configuration()
        self.vault.start()
        wait_until(lambda: self.vault.source_status(SOURCE).get("state") == "refused", 30,
                   lambda: f"refused: {self.vault.source_status(SOURCE)}\n{self.vault.tail()}")
        self.assertIn("no member of this group", self.vault.source_status(SOURCE)["sentence"])
