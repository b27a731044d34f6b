"""One event of nearly 1 GiB, the largest that a server can write: archived and restored byte for
byte, in bounded memory, from each kind of server."""

import filecmp
import secrets
import shutil
import unittest

from tests.integration.lab import THOROUGH, processes, skip
from tests.integration.lab.flavours import needs
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.traffic import MEBIBYTE

NOISE_SIZE = 8 * MEBIBYTE  # no frame of 1 MiB holds any of it twice, so nothing gets smaller
REPEATED = 127
RESIDENT_MAX = 64 * MEBIBYTE
SPACE_NEEDED = 8 << 30  # the row, the transaction's cache, the binlog, the archive, the restore
MEMORY_NEEDED = 6 << 30  # of the server: the row several times over

# MyISAM: of InnoDB's log a row may not take more than a tenth.
SCHEMA = "CREATE DATABASE lab; CREATE TABLE lab.t (b LONGBLOB) ENGINE=MyISAM;"


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable"))


class OneGib:
    """What is asserted for each kind of server."""

    flavour = None

    def test_an_event_of_nearly_1_gib_passes_in_64_mib_and_comes_back_as_it_was(self):
        with Stage(flavour=self.flavour) as stage:
            if available_memory() < MEMORY_NEEDED:
                skip.lacks("6 GiB of memory for a server with such a row")
            if shutil.disk_usage(stage.scratch.path).free < SPACE_NEEDED:
                skip.lacks("8 GiB of space for such a row and its copies")
            server, vault = stage.server, stage.vault
            server.sql(SCHEMA)
            vault.start()
            vault.wait_covered(SOURCE, server)
            name = server.binlogs()[-1][0]
            server.sql(f"SET @noise = X'{secrets.token_hex(NOISE_SIZE)}';"
                       f"INSERT INTO lab.t VALUES (REPEAT(@noise, {REPEATED}))")
            self.assertGreater(server.binlogs()[-1][1], NOISE_SIZE * REPEATED)
            vault.wait_covered(SOURCE, server, 120)
            for daemon in ("binvault-pull", "binvault-keeper"):
                peak = max(map(processes.peak_resident_size, vault.pids(daemon)))
                print(f"{daemon}: {peak / MEBIBYTE:.1f} MiB", flush=True)
                self.assertLess(peak, RESIDENT_MAX, daemon)
            stage.archive(timeout=120)
            vault.verb("restore", SOURCE, "--to", "whole", "--from-file", name)
            self.assertTrue(filecmp.cmp(vault.export / "whole" / name, server.binlog_path(name),
                                        shallow=False), f"{name} is not the server's")


@needs(MariaDB)
class MariaDBTest(OneGib, unittest.TestCase):
    flavour = MariaDB
    about = "MariaDB 10.11"


if THOROUGH:  # each takes most of a minute, and gigabytes of the disk
    @needs(MySQL)
    class MySQLTest(OneGib, unittest.TestCase):
        flavour = MySQL
        about = "MySQL 9.7"

    @needs(MariaDB118)
    class MariaDB118Test(OneGib, unittest.TestCase):
        flavour = MariaDB118
        about = "MariaDB 11.8"


if __name__ == "__main__":
    unittest.main()
