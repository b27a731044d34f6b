"""A byte of a binlog file is damaged on the server's own disk: the event is archived as the server
has it, everybody is told, and what is restored is the server's file to the byte."""

import json
import unittest

from tests.integration.lab import binlog
from tests.integration.lab.flavours import needs
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.stage import SOURCE, Stage

QUICK = True

ATTENTION = 6
SCHEMA = "CREATE DATABASE lab_damage; CREATE TABLE lab_damage.t (id INT PRIMARY KEY, b LONGBLOB);"


class Damage:
    """What is asserted for each flavour."""

    flavour = None

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(flavour=cls.flavour)
        cls.addClassCleanup(cls.stage.close)
        server, vault = cls.stage.server, cls.stage.vault
        server.sql(SCHEMA)
        server.rotate()
        for number in range(20):
            server.sql(f"INSERT INTO lab_damage.t VALUES ({number}, REPEAT('x', 3000))")
        # One that is larger than the puller's buffer has room for.
        server.sql("INSERT INTO lab_damage.t VALUES (20, REPEAT('y', 6 * 1024 * 1024))")
        server.sql("INSERT INTO lab_damage.t VALUES (21, 'z')")
        server.rotate()
        cls.damaged = server.closed_binlogs()[-1]
        cls.positions = cls.damage(server.binlog_path(cls.damaged))
        server.sql("INSERT INTO lab_damage.t VALUES (22, 'behind')")
        server.rotate()
        vault.start()
        cls.names = cls.stage.archive()

    @classmethod
    def damage(cls, path):
        """Flip a bit of one small and of the large row event; returns where they stand."""
        content = bytearray(path.read_bytes())
        rows = [(at, length) for kind, at, length in binlog.events(bytes(content))
                if kind.startswith("WRITE_ROWS")]
        chosen = [rows[3], max(rows, key=lambda row: row[1])]
        for at, length in chosen:
            content[at + length // 2] ^= 0x08
        path.write_bytes(content)
        return [at for at, _ in chosen]

    def leaves(self, kind):
        ledger = self.stage.vault.volume / "ledger"
        return [leaf for path in sorted(ledger.glob("*.jsonl"))
                for leaf in map(json.loads, filter(None, path.read_bytes().split(b"\n")))
                if leaf["type"] == kind]

    def test_it_is_archived_whole_and_everybody_is_told(self):
        vault, server = self.stage.vault, self.stage.server
        output = vault.verb("restore", SOURCE, "--to", "all", expect=(ATTENTION,))
        self.assertIn(f"WARNING  {self.damaged} from ", output)
        for name in self.names:
            self.assertTrue((vault.export / "all" / name).read_bytes()
                            == server.binlog_path(name).read_bytes(), name)
        manifest = json.loads((vault.export / "all" / "MANIFEST.json").read_bytes())
        said = [entry for entry in manifest["ranges"] if "crc_wrong_count" in entry]
        self.assertEqual([entry["file"] for entry in said], [self.damaged] * len(said))
        self.assertEqual(sum(int(entry["crc_wrong_count"]) for entry in said), 2)
        self.assertEqual(said[-1]["crc_wrong_position"], str(self.positions[-1]))
        self.assertIn("WRONG CRC", vault.verb("list", SOURCE))
        sealed = [leaf for leaf in self.leaves("segment-sealed") if leaf["crc_wrong"]]
        self.assertEqual({leaf["binlog_file"] for leaf in sealed}, {self.damaged})

    def test_status_says_so_for_a_while_also_after_a_restart(self):
        vault = self.stage.vault
        self.assertEqual([(leaf["binlog_file"], int(leaf["position"]))
                          for leaf in self.leaves("damaged")],
                         [(self.damaged, position) for position in self.positions])
        for _ in range(2):
            self.assertEqual(vault.run_verb("status").returncode, ATTENTION)
            sentence = vault.alarms()[f"damaged event {SOURCE}"]
            self.assertIn(f"{self.damaged}:{self.positions[-1]} has a wrong CRC on the server",
                          sentence)
            vault.stop()
            vault.start()
            vault.wait_covered(SOURCE, self.stage.server)

    def test_verify_finds_nothing_that_is_wrong_with_the_archive(self):
        output = self.stage.vault.verb("verify", "--decrypt")
        self.assertIn(f"WARNING  {self.damaged} from ", output)
        self.assertIn("no defect", output)

    def test_the_archive_goes_on_behind_it(self):
        server, vault = self.stage.server, self.stage.vault
        server.sql("REPLACE INTO lab_damage.t VALUES (23, 'more')")
        vault.wait_covered(SOURCE, server)
        self.assertEqual(vault.source_status(SOURCE)["state"], "streaming")
        vault.check_log()


@needs(MariaDB)
class MariaDBTest(Damage, unittest.TestCase):
    flavour = MariaDB
    about = "MariaDB 10.11"


@needs(MariaDB118)
class MariaDB118Test(Damage, unittest.TestCase):
    flavour = MariaDB118
    about = "MariaDB 11.8"


@needs(MySQL)
class MySQLTest(Damage, unittest.TestCase):
    flavour = MySQL
    about = "MySQL 9.7"


if __name__ == "__main__":
    unittest.main()
