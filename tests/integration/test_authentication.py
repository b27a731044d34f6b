"""The ways to log in: those that are taken, at real servers, and those that are not.

A server that asks for the password itself, as PAM does, gets none: whoever owns it would have it.
"""

import unittest

from tests.integration.lab.flavours import MariaDB, MySQL, needs
from tests.integration.test_pull_stream import PullTest

PASSWORD = "lab-only"
NOT_ALLOWED = "asks for a way to log in that is not allowed"


class Logins:
    """A puller that logs in as `user`, however that is done."""

    def setUp(self):
        super().setUp()
        self.source["user"] = "vault"
        self.addCleanup(self.server.sql, "DROP USER IF EXISTS vault@'%'")

    def create(self, how):
        grants = ", ".join(self.server.archive_grants)
        self.server.sql(f"CREATE USER vault@'%' {how} REQUIRE X509; GRANT {grants} ON *.* TO "
                        "vault@'%'")

    def assert_streams(self, as_user="vault"):
        self.start()
        self.wait_caught_up()
        self.server.sql("CREATE DATABASE IF NOT EXISTS lab_login; DROP DATABASE lab_login")
        self.wait_caught_up()
        users = self.server.sql("SELECT user FROM information_schema.processlist WHERE command "
                                "LIKE 'Binlog Dump%'")
        self.assertEqual(users, [[as_user]])
        self.stop()

    def assert_refused(self, words):
        self.start()
        self.wait(lambda: self.keeper.state[0] == "refused", words)
        self.assertIn(words, self.keeper.state[1])
        self.assertNotIn(PASSWORD, self.puller.log_text())


class MariaDBTest(Logins, PullTest):
    """MariaDB's plugins; auth_pam stands for all that send the password as it is."""

    server_options = {"options": ["--plugin-load-add=auth_ed25519", "--plugin-load-add=auth_pam_v1",
                                  "--pam-use-cleartext-plugin"]}

    @classmethod
    def setUpClass(cls):
        MariaDB.require_plugins()
        super().setUpClass()

    def test_ed25519(self):
        self.create(f"IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')")
        self.assert_streams()

    def test_mysql_native_password(self):
        self.create(f"IDENTIFIED VIA mysql_native_password USING PASSWORD('{PASSWORD}')")
        self.assert_streams()

    def test_the_certificate_alone(self):
        self.create("")
        self.source["credential"] = "none"
        self.assert_streams()

    def test_a_password_in_clear_is_refused(self):
        self.create("IDENTIFIED VIA pam USING 'lab'")
        self.assert_refused(NOT_ALLOWED)


class DialogTest(Logins, PullTest):
    """The same of PAM's dialogue."""

    server_options = {"options": ["--plugin-load-add=auth_pam_v1"]}

    @classmethod
    def setUpClass(cls):
        MariaDB.require_plugins()
        super().setUpClass()

    def test_a_dialogue_is_refused(self):
        self.create("IDENTIFIED VIA pam USING 'lab'")
        self.assert_refused(NOT_ALLOWED)


@needs(MySQL)
class MySQLTest(Logins, PullTest):
    """MySQL's plugins."""

    server_class = MySQL

    def test_caching_sha2_password_with_and_without_its_cache(self):
        self.create(f"IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'")
        self.assert_streams()  # the server has nothing in its cache: all of it, within TLS
        for clear_cache in (False, True):
            if clear_cache:
                self.server.sql("FLUSH PRIVILEGES")
            count = len(self.keeper.states)
            self.restart()
            self.wait(lambda: len(self.keeper.states) > count
                      and self.keeper.state[0] == "streaming", "it streams again")
            self.stop()

    def test_sha256_password(self):
        if self.server.value("SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = "
                             "'sha256_password'") == "0":
            self.skipTest("this MySQL has no sha256_password any more")
        self.create(f"IDENTIFIED WITH sha256_password BY '{PASSWORD}'")
        self.assert_streams()

    def test_the_certificate_alone(self):
        self.create("IDENTIFIED WITH caching_sha2_password BY ''")
        self.source["credential"] = "none"
        self.assert_streams()


if __name__ == "__main__":
    unittest.main()
