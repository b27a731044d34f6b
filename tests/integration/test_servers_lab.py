"""The lab's servers of every flavour replicate, fail over and come back."""

import unittest

from tests.integration.lab.flavours import needs, pair
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.pki import Authority
from tests.integration.lab.scratch import Scratch


class ReplicationTest(unittest.TestCase):
    def fail_over(self, flavour):
        """A primary that crashes, its replica promoted, and the old primary back; all encrypted."""
        scratch = Scratch()
        self.addCleanup(scratch.close)
        primary, replica = pair(flavour, scratch, Authority(scratch.directory("pki")),
                                encrypted=True)
        primary.sql("CREATE DATABASE lab; CREATE TABLE lab.t (a INT PRIMARY KEY);"
                    "INSERT INTO lab.t VALUES (1)")
        replica.wait_for(primary)
        primary.kill9()
        replica.promote()
        replica.sql("INSERT INTO lab.t VALUES (2)")
        primary.start()
        primary.replicate_from(replica)
        primary.wait_for(replica)
        self.assertEqual(primary.sql("SELECT a FROM lab.t ORDER BY a"), [["1"], ["2"]])
        self.assertEqual(primary.checksum_all_tables(), replica.checksum_all_tables())
        self.assertEqual(primary.gtids(), replica.gtids())
        for server in (primary, replica):
            name = server.binlogs()[0][0]
            self.assertNotIn(b"CREATE DATABASE", server.binlog_path(name).read_bytes())

    @needs(MariaDB)
    def test_mariadb_10_11_fails_over(self):
        self.fail_over(MariaDB)

    @needs(MariaDB118)
    def test_mariadb_11_8_fails_over(self):
        self.fail_over(MariaDB118)

    @needs(MySQL)
    def test_mysql_fails_over(self):
        self.fail_over(MySQL)


if __name__ == "__main__":
    unittest.main()
