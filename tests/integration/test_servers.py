"""Every server, every event type that it can write, its own encryption: archived byte for byte."""

import subprocess
import unittest

from tests.integration.lab import binlog, decrypt, workload
from tests.integration.lab.flavours import needs
from tests.integration.lab.mariadb import MariaDB, MariaDB118
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.server import replay
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.token import Token
from tests.integration.lab.traffic import MEBIBYTE, Traffic
from tests.integration.lab.vault import Vault


class Identity:
    """What is asserted for each flavour, plain and encrypted."""

    flavour = None
    encrypted = False
    about = ""  # the runner's line begins with it

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(flavour=cls.flavour, server_options={"encrypted": cls.encrypted})
        cls.addClassCleanup(cls.stage.close)
        cls.server = cls.stage.server
        cls.stage.vault.start()
        workload.run(cls.server)
        cls.names = cls.stage.archive()
        cls.copies = cls.raw_copies()

    @classmethod
    def raw_copies(cls):
        """What the server's own tool makes of its files, over the same kind of connection."""
        directory = cls.stage.scratch.directory("raw")
        subprocess.run(cls.server.remote_binlog_tool(
            cls.stage.authority, "--raw", f"--result-file={directory}/", *cls.names),
            stdin=subprocess.DEVNULL, check=True)
        return {name: (directory / name).read_bytes() for name in cls.names}

    def check_restored(self, vault):
        output = vault.verb("restore", SOURCE, "--to", "all")
        self.assertIn(f" && {self.server.binlog_program} {self.names[0]}", output)
        self.assertIn(f") | {self.server.client_program} --binary-mode", output)
        for name in self.names:
            restored = (vault.export / "all" / name).read_bytes()
            self.assertEqual(len(restored), len(self.copies[name]), name)
            self.assertTrue(restored == self.copies[name], f"{name} is what the tool copies")

    def test_every_event_type_of_the_server_was_written(self):
        types = set().union(*map(binlog.types, self.copies.values()))
        self.assertEqual(types, workload.every_type(self.server))

    def test_what_was_archived_while_it_was_written_is_the_servers_own(self):
        self.check_restored(self.stage.vault)

    def test_what_is_archived_afterwards_is_the_servers_own(self):
        scratch, authority = self.stage.scratch, self.stage.authority
        vault = Vault(scratch, Token(scratch.directory("token2")), authority,
                      scratch.directory("volume2"), {SOURCE: self.server}, name="vault02")
        vault.init()
        vault.start()
        self.addCleanup(vault.stop)
        vault.wait_covered(SOURCE, self.server)
        vault.wait_sealed(SOURCE, *self.names)
        self.check_restored(vault)
        vault.check_log()

    def test_the_files_of_the_server_are_no_different(self):
        for name in self.names:
            if self.encrypted:
                content = decrypt.plain(self.server, name)
                self.assertNotEqual(content, self.server.binlog_path(name).read_bytes())
            else:
                content = self.server.binlog_path(name).read_bytes()
            self.assertTrue(binlog.as_closed(content) == self.copies[name], name)


@needs(MariaDB)
class MariaDBTest(Identity, unittest.TestCase):
    flavour = MariaDB
    about = "MariaDB 10.11"


@needs(MariaDB)
class MariaDBEncryptedTest(MariaDBTest):
    encrypted = True
    about = "MariaDB 10.11, encrypted"


@needs(MariaDB118)
class MariaDB118Test(Identity, unittest.TestCase):
    flavour = MariaDB118
    about = "MariaDB 11.8"


@needs(MariaDB118)
class MariaDB118EncryptedTest(MariaDB118Test):
    encrypted = True
    about = "MariaDB 11.8, encrypted"


@needs(MySQL)
class MySQLTest(Identity, unittest.TestCase):
    flavour = MySQL
    about = "MySQL"


@needs(MySQL)
class MySQLEncryptedTest(MySQLTest):
    encrypted = True
    about = "MySQL, encrypted"


class Replay:
    """What a restore gives, the server's own programs replay."""

    flavour = None
    about = ""

    def test_what_is_restored_replays_into_another_server(self):
        with Stage(flavour=self.flavour) as stage:
            stage.vault.start()
            Traffic(stage.server, seed=17, seconds=3, largest=2 * MEBIBYTE).run()
            names = stage.archive()
            stage.vault.verb("restore", SOURCE, "--to", "all")
            target = self.flavour(stage.scratch, tls=False, name="db2", server_id=12, strict=False)
            target.start()
            replay(target, [stage.vault.export / "all" / name for name in names])
            self.assertEqual(target.checksum_all_tables(), stage.server.checksum_all_tables())


@needs(MariaDB118)
class MariaDB118ReplayTest(Replay, unittest.TestCase):
    flavour = MariaDB118
    about = "MariaDB 11.8"


@needs(MySQL)
class MySQLReplayTest(Replay, unittest.TestCase):
    flavour = MySQL
    about = "MySQL"


if __name__ == "__main__":
    unittest.main()
