"""Binlog files beyond 4 GiB: pulled, cut behind 4 GiB, gone on with, from each kind of server."""

import unittest

from tests.integration.lab import THOROUGH, beyond
from tests.integration.lab.flavours import needs
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.processes import wait_until
from tests.integration.lab.proxy import Proxy
from tests.integration.lab.stage import SOURCE, Stage

GIBIBYTE = 1 << 30
TLS_OVERHEAD = 1.01  # at most, of what the server sends


class Beyond:
    """What is asserted for each kind of server."""

    flavour, gtid = None, True
    rereads = False  # it cannot be asked for a position beyond 4 GiB

    def test_a_file_beyond_4_gib_is_archived_whole_over_a_cut(self):
        with Stage(flavour=self.flavour, server_options={"gtid": self.gtid},
                   **{"segment-size": "512M"}) as stage:
            server, vault = stage.server, stage.vault
            self.proxy = vault.sources[SOURCE] = Proxy(stage.scratch, server)
            vault.write_configuration()
            server.sql("CREATE DATABASE beyond_4_gib")
            server.rotate()
            server.stop()
            name, size = beyond.add(server)
            self.assertGreater(size, 4 * GIBIBYTE + 32 * beyond.SMALL)
            self.proxy.limit = int((4 * GIBIBYTE + 32 * beyond.SMALL) * TLS_OVERHEAD)
            server.start()
            vault.start()
            wait_until(lambda: self.proxy.cut_count == 1, 120, vault.tail)
            self.proxy.hold()
            # The last archived event begins beyond 4 GiB, and more are to come.
            wait_until(lambda: self.covered(vault) > beyond.COUNT * beyond.LARGE, 30, vault.tail)
            self.assertLess(self.covered(vault), size)
            vault.kill("binvault-pull")  # the next one knows only what the archive says
            self.proxy.limit = None
            self.proxy.resume()
            told = set()

            def sealed():
                told.add(vault.source_status(SOURCE).get("sentence", ""))
                return name in self.sealed(vault)

            wait_until(sealed, 120, vault.tail, interval=0.1)
            rereading = [text for text in told if "re-reading " in text]
            self.assertEqual(bool(rereading), self.rereads, told)
            self.assertTrue(all(f"re-reading {name}: " in text for text in rereading), told)
            server.rotate()
            stage.archive()
            segments = [segment for segment in vault.segments(
                vault.verb("list", SOURCE, "--output=json")) if segment["file"] == name]
            self.assertEqual(segments[-1]["end"], str(size))
            self.assertEqual(sum(int(segment["events"]) for segment in segments),
                             2 + beyond.COUNT + 3 * beyond.SMALL_COUNT + 1)
            self.assertEqual(len({segment["generation"] for segment in segments}), 1)
            self.assertIn("no defect", vault.verb("verify", "--decrypt"))

    @staticmethod
    def covered(vault):
        return int(vault.source_status(SOURCE)["covered"]["position"])

    @staticmethod
    def sealed(vault):
        result = vault.run_verb("list", SOURCE, "--output=json")
        return {segment["file"] for segment in vault.segments(result.stdout)
                if segment["file_complete"]} if result.returncode == 0 else set()


@needs(MariaDB)
class MariaDBTest(Beyond, unittest.TestCase):
    flavour, rereads = MariaDB, True
    about = "MariaDB 10.11"


@needs(MySQL)
class MySQLTest(Beyond, unittest.TestCase):
    flavour = MySQL
    about = "MySQL 9.7"


if THOROUGH:  # each takes most of a minute
    @needs(MariaDB118)
    class MariaDB118Test(Beyond, unittest.TestCase):
        flavour, rereads = MariaDB118, True
        about = "MariaDB 11.8"

    @needs(MySQL)
    class MySQLWithoutGtidTest(Beyond, unittest.TestCase):
        flavour, gtid, rereads = MySQL, False, True
        about = "MySQL 9.7 without GTIDs"


if __name__ == "__main__":
    unittest.main()
