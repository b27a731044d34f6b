"""The rules that a server must keep before its binlog is archived, at real servers.

Each rule is broken at the server itself, seen in `source test` with its sentence and key, and mended
with the very statements that it names.
"""

import json
import re
import time
import unittest

from tests.integration.lab.flavours import MariaDB, MariaDB118, MySQL, needs, pair
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.token import Token
from tests.integration.lab.vault import Vault

LIST_AGE = 60 + 15  # a new list of the server's files is due after a minute


class Rules:
    """The tests of one flavour: a server, and a vault that has an archive and does not run."""

    flavour = MariaDB

    @classmethod
    def setUpClass(cls):
        cls.flavour.require()
        cls.stage = Stage(flavour=cls.flavour)
        cls.addClassCleanup(cls.stage.close)
        cls.server, cls.vault = cls.stage.server, cls.stage.vault

    def setUp(self):
        self.server.create_archive_user()
        self.configure()

    def configure(self, **rules):
        """The source's keys, of this test alone."""
        self.vault.own = {key.replace("_", "-"): value for key, value in rules.items()}
        self.vault.write_configuration()

    def judge(self, expect=0):
        """`source test`, by rule; the report stays in self.report."""
        result = self.vault.run_verb("source", "test", SOURCE, "--output=json")
        self.assertEqual(result.returncode, expect, result.stdout + result.stderr)
        self.report = json.loads(result.stdout)["servers"][0]
        return {rule["rule"]: rule for rule in self.report.get("rules", [])}

    def assert_rule(self, name, verdict, *words, expect=None):
        expect = {"refused": 4}.get(verdict, 0) if expect is None else expect
        rule = self.judge(expect)[name]
        self.assertEqual(rule["verdict"], verdict, rule)
        for word in words:
            self.assertIn(word, rule["sentence"])
        return rule

    def assert_setting(self, rule, key, break_it, mended, *words):
        """A rule with a level: a warning by default, refused or silent if that is wanted."""
        self.server.sql(break_it)
        try:
            self.assertEqual(self.assert_rule(rule, "warning", *words)["key"], key)
            self.configure(**{key: "yes"})
            sentence = self.assert_rule(rule, "refused")["sentence"]
            self.configure(**{key: "no"})
            self.assert_rule(rule, "off")
            # What the sentence says is what mends it.
            statement = re.search(r"do on the server: (SET GLOBAL [^;]+)$", sentence).group(1)
            self.server.sql(statement)
            self.configure(**{key: "yes"})
            self.assert_rule(rule, "ok")
        finally:
            self.server.sql(mended)

    # -- the whole --------------------------------------------------------------------------------
    def test_a_server_that_keeps_all_rules_is_shown_rule_by_rule(self):
        rules = self.judge()
        self.assertTrue(self.report["ok"])
        self.assertEqual(self.report["statements"], [])
        for name in ("tls-version", "grants-missing", "grants-excessive", "log-bin", "checksum",
                     "format", "whole-binlog", "replica-updates", "sync-binlog", "server-id"):
            self.assertEqual(rules[name]["verdict"], "ok", rules[name])
        self.assertIn("TLSv1.3", rules["tls-version"]["sentence"])
        text = self.vault.verb("source", "test", SOURCE)
        self.assertRegex(text, r"RULE +VERDICT +WHAT IS SEEN\n")
        self.assertRegex(text, r"\n  account-host +warning +.* \(key: allow-any-host\)\n")

    def test_a_server_that_cannot_be_reached_or_refuses_us_is_told_apart(self):
        self.vault.sources[SOURCE] = type("Nobody", (), {"host": "127.0.0.1", "port": 1})
        self.addCleanup(self.vault.sources.update, {SOURCE: self.server})
        self.configure()
        self.judge(expect=5)
        self.assertIn("127.0.0.1:1", self.report["error"])
        self.vault.sources[SOURCE] = self.server
        self.configure()
        self.server.sql("ALTER USER 'binvault'@'%' IDENTIFIED BY 'another'")
        self.judge(expect=4)
        self.assertIn("refused the login of 'binvault'", self.report["error"])

    # -- the account ------------------------------------------------------------------------------
    def test_the_account_of_any_host_is_renamed_as_the_sentence_says(self):
        sentence = self.assert_rule("account-host", "warning", "RENAME USER")["sentence"]
        self.addCleanup(self.server.sql, "DROP USER IF EXISTS binvault@localhost, "
                                         "binvault@'127.0.0.1'")
        self.configure(allow_any_host="no")
        self.assert_rule("account-host", "refused")
        self.server.sql(sentence.split("do on the server: ")[1])
        self.assert_rule("account-host", "ok")

    def excess(self, *statements, names=()):
        """More than an archive needs is refused, named, and taken away by what it is told."""
        for statement in statements:
            self.server.sql(statement)
        self.assert_rule("grants-excessive", "refused")
        told = "; ".join(self.report["statements"])
        for name in names:
            self.assertIn(name, told)
        self.configure(excessive_grants="warn")
        self.assert_rule("grants-excessive", "warning")
        self.configure()
        for statement in self.report["statements"]:
            self.server.sql(statement)
        self.assert_rule("grants-excessive", "ok")
        self.assertEqual(self.report["statements"], [])

    def test_every_privilege_is_too_much(self):
        self.excess("GRANT ALL PRIVILEGES ON *.* TO binvault@'%' WITH GRANT OPTION",
                    "CREATE DATABASE IF NOT EXISTS d", "GRANT SELECT ON d.* TO binvault@'%'",
                    "CREATE TABLE IF NOT EXISTS d.t (a INT, b INT)",
                    "GRANT INSERT, UPDATE (b) ON d.t TO binvault@'%'", names=("REVOKE",))

    def test_a_missing_privilege_is_named_with_the_grant(self):
        self.server.sql(f"REVOKE {self.flavour.archive_grants[1]} ON *.* FROM binvault@'%'")
        rule = self.assert_rule("grants-missing", "refused", "lacks", "do on the server: GRANT ")
        self.server.sql(rule["sentence"].split("do on the server: ")[1])
        self.assert_rule("grants-missing", "ok")

    # -- identity ---------------------------------------------------------------------------------
    def test_a_pin_is_shown_asked_for_and_may_have_a_next_one(self):
        shown = self.judge()["tls-pin"]
        self.assertEqual(shown["verdict"], "off")
        pin = re.search(r"sha256:[0-9a-f]{64}", shown["sentence"]).group(0)
        self.configure(tls_pin="sha256:" + "ab" * 32)
        rule = self.assert_rule("tls-pin", "refused", pin, "another machine may stand between")
        self.assertEqual(rule["key"], "tls-pin")
        self.configure(tls_pin=f"sha256:{'ab' * 32}, {pin}")
        self.assert_rule("tls-pin", "ok")

    def test_a_server_id_that_is_not_listed_is_refused(self):
        self.configure(server_ids="77, 78")
        self.assert_rule("server-ids", "refused", "server_id is 11")
        self.configure(server_ids="77, 11")
        self.assert_rule("server-ids", "ok")

    def test_tls_below_the_minimum_is_refused(self):
        self.configure(tls_minimum="1.3")
        self.assert_rule("tls-version", "ok")

    def test_a_certificate_near_its_end_needs_attention(self):
        soon = self.stage.authority.issue("soon", "DNS:localhost,IP:127.0.0.1", days=5)
        self.addCleanup(self.server.restart)
        self.addCleanup(self.server.use_certificate, self.stage.authority.server)
        self.server.use_certificate(soon)
        self.server.restart()
        rule = self.assert_rule("server-certificate", "warning", "renew it before", expect=6)
        self.assertIs(rule["attention"], True)

    # -- settings ---------------------------------------------------------------------------------
    def test_what_makes_a_binlog_less_than_durable_or_whole(self):
        self.assert_setting("sync-binlog", "require-sync-binlog", "SET GLOBAL sync_binlog=0",
                            "SET GLOBAL sync_binlog=1", "sync_binlog is 0")
        self.assert_setting("flush-log", "require-flush-log",
                            "SET GLOBAL innodb_flush_log_at_trx_commit=2",
                            "SET GLOBAL innodb_flush_log_at_trx_commit=1", "is 2")
        self.assert_setting("row-image", "require-full-row-image",
                            "SET GLOBAL binlog_row_image=MINIMAL",
                            "SET GLOBAL binlog_row_image=FULL", "MINIMAL")

    def test_the_text_of_statements_in_the_binlog(self):
        variable = ("binlog_rows_query_log_events" if self.flavour is MySQL
                    else "binlog_annotate_row_events")
        before = self.server.value(f"SELECT @@global.{variable}")
        self.assert_setting("sql-text", "require-no-sql-text", f"SET GLOBAL {variable}=ON",
                            f"SET GLOBAL {variable}={before}", variable)

    def test_no_checksum_is_refused(self):
        self.server.sql("SET GLOBAL binlog_checksum=NONE")
        self.addCleanup(self.server.sql, "SET GLOBAL binlog_checksum=CRC32")
        self.assert_rule("checksum", "refused", "SET GLOBAL binlog_checksum=CRC32")

    def test_a_format_that_is_not_allowed_is_refused(self):
        self.server.sql("SET GLOBAL binlog_format=STATEMENT")
        self.addCleanup(self.server.sql, "SET GLOBAL binlog_format=ROW")
        self.assert_rule("format", "refused", "STATEMENT")
        self.configure(allowed_formats="row, statement")
        self.assert_rule("format", "ok")

    def test_filters_and_early_purging(self):
        self.server.set_options("--binlog-ignore-db=scratch")
        self.addCleanup(self.server.restart)
        self.addCleanup(self.server.set_options)
        self.server.restart()
        self.assert_rule("whole-binlog", "refused", "binlog_ignore_db is 'scratch'")
        self.server.sql("SET GLOBAL binlog_expire_logs_seconds=3600")
        rule = self.judge(4)["binlog-expiry"]
        self.assertEqual((rule["verdict"], rule["key"]), ("warning", "minimum-binlog-expiry"))

    def test_a_binlog_in_clear_is_a_warning_and_may_be_refused(self):
        self.assert_rule("source-encryption", "warning", "in clear")
        self.configure(require_source_encryption="yes")
        self.assert_rule("source-encryption", "refused", "in clear")


class MariaDBTest(Rules, unittest.TestCase):
    """MariaDB 10.11."""

    def test_a_role_must_be_active_and_what_it_gives_counts(self):
        self.server.sql("CREATE ROLE archive; GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO "
                        "archive; REVOKE ALL PRIVILEGES ON *.* FROM binvault@'%'")
        self.addCleanup(self.server.sql, "DROP ROLE IF EXISTS archive, inner_one, other")
        self.configure(require_role="archive")
        rule = self.assert_rule("role", "refused", "role 'archive' is not active")
        self.server.sql(rule["sentence"].split("do on the server: ")[1])
        self.assert_rule("role", "ok", "archive")
        self.assertEqual(self.judge()["grants-excessive"]["verdict"], "ok")
        # One within the other.
        self.excess("CREATE ROLE inner_one", "GRANT BINLOG ADMIN ON *.* TO inner_one",
                    "GRANT inner_one TO archive", names=("inner_one",))
        self.configure(require_role="archive")
        # One that is not active, but could be.
        self.excess("CREATE ROLE other", "GRANT SUPER ON *.* TO other",
                    "GRANT other TO binvault@'%'", names=("REVOKE `other` FROM",))

    def test_the_grants_that_some_guides_recommend(self):
        self.excess("GRANT BINLOG ADMIN, REPLICATION MASTER ADMIN ON *.* TO binvault@'%'",
                    names=("BINLOG ADMIN", "REPLICATION MASTER ADMIN"))


@needs(MariaDB118)
class MariaDB118Test(MariaDBTest):
    """MariaDB 11.8."""

    flavour = MariaDB118
    about = "11.8"


@needs(MySQL)
class MySQLTest(Rules, unittest.TestCase):
    """MySQL."""

    flavour = MySQL
    about = "MySQL"

    def test_the_grants_that_some_guides_recommend(self):
        """They cannot stream, and can purge."""
        self.server.sql("REVOKE REPLICATION SLAVE, REPLICATION CLIENT ON *.* FROM binvault@'%';"
                        "GRANT BINLOG_ADMIN, BINLOG_ENCRYPTION_ADMIN ON *.* TO binvault@'%'")
        rules = self.judge(4)
        self.assertEqual(rules["grants-missing"]["verdict"], "refused")
        self.assertIn("REPLICATION SLAVE, REPLICATION CLIENT", rules["grants-missing"]["sentence"])
        told = "; ".join(self.report["statements"])
        self.assertIn("BINLOG_ADMIN", told)
        self.assertIn("BINLOG_ENCRYPTION_ADMIN", told)
        for statement in self.report["statements"]:
            self.server.sql(statement)
        self.server.sql(rules["grants-missing"]["sentence"].split("do on the server: ")[1])
        self.assertTrue(self.judge()["grants-excessive"]["verdict"] == "ok" and self.report["ok"])

    def test_a_role_must_be_active_and_what_it_gives_counts(self):
        self.server.sql("CREATE ROLE archive; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* "
                        "TO archive; REVOKE ALL PRIVILEGES, GRANT OPTION FROM binvault@'%'")
        self.addCleanup(self.server.sql, "SET GLOBAL mandatory_roles=''; "
                                         "DROP ROLE IF EXISTS archive, inner_one, other, for_all")
        self.configure(require_role="archive")
        rule = self.assert_rule("role", "refused", "role 'archive' is not active")
        self.server.sql(rule["sentence"].split("do on the server: ")[1])
        self.assert_rule("role", "ok", "archive")
        self.assertEqual(self.judge()["grants-excessive"]["verdict"], "ok")
        self.excess("CREATE ROLE inner_one", "GRANT BINLOG_ADMIN ON *.* TO inner_one",
                    "GRANT inner_one TO archive", names=("inner_one",))
        self.configure(require_role="archive")
        self.excess("CREATE ROLE other", "GRANT SUPER ON *.* TO other",
                    "GRANT other TO binvault@'%'", names=("REVOKE `other`@`%` FROM",))
        # What everybody has cannot be taken from one account.
        self.configure(require_role="archive")
        self.excess("CREATE ROLE for_all", "GRANT SELECT ON *.* TO for_all",
                    "SET GLOBAL mandatory_roles='for_all'", names=("SELECT", "`for_all`"))

    def test_partial_revokes_and_dynamic_privileges(self):
        self.excess("GRANT SYSTEM_USER, CONNECTION_ADMIN ON *.* TO binvault@'%'",
                    "GRANT PROXY ON root@localhost TO binvault@'%'",
                    names=("SYSTEM_USER", "PROXY"))

    def test_gtids_off_is_a_warning_and_with_several_servers_refused(self):
        for mode in ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"):
            self.server.sql(f"SET GLOBAL gtid_mode={mode}")
        self.addCleanup(lambda: [self.server.sql(f"SET GLOBAL gtid_mode={mode}") for mode in
                                 ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")])
        self.assert_rule("gtid", "warning", "gtid_mode is OFF")
        self.vault.sources[SOURCE] = [self.server, self.server]
        self.addCleanup(self.vault.sources.update, {SOURCE: self.server})
        self.configure()
        self.assert_rule("gtid", "refused", "`servers` has several")

    def test_a_server_uuid_that_is_not_listed_is_refused(self):
        uuid = self.server.value("SELECT @@server_uuid")
        self.configure(server_uuid="00000000-1111-2222-3333-444444444444")
        self.assert_rule("server-uuid", "refused", f"server_uuid is {uuid}")
        self.configure(server_uuid=f"00000000-1111-2222-3333-444444444444, {uuid}")
        self.assert_rule("server-uuid", "ok")


class ReplicaTest(unittest.TestCase):
    """A replica that does not write what it replicates cannot be archived in its primary's stead."""

    def check(self, flavour, option):
        with Scratch() as scratch:
            authority, token = Authority(scratch.directory("pki")), Token(scratch.directory("token"))
            primary, replica = pair(flavour, scratch, authority)
            primary.create_archive_user()
            replica.wait_for(primary)
            vault = Vault(scratch, token, authority, scratch.directory("volume"),
                          {SOURCE: replica})

            def verdict():
                result = vault.run_verb("source", "test", SOURCE, "--output=json")
                rules = json.loads(result.stdout)["servers"][0]["rules"]
                return next(rule for rule in rules if rule["rule"] == "replica-updates")

            self.assertEqual(verdict()["verdict"], "ok")
            replica.set_options(option)
            replica.restart()
            self.assertEqual(verdict()["verdict"], "refused")
            self.assertIn("is OFF on a server that replicates from another",
                          verdict()["sentence"])

    def test_mariadb(self):
        self.check(MariaDB, "--skip-log-slave-updates")

    @needs(MySQL)
    def test_mysql(self):
        self.check(MySQL, "--skip-log-replica-updates")


class RunningTest(unittest.TestCase):
    """What the running vault makes of it: refusal, warnings in status, one leaf for each change."""

    def leaves(self, vault):
        return [json.loads(line) for path in sorted((vault.volume / "ledger").glob("*.jsonl"))
                for line in path.read_text().splitlines() if '"type":"preflight"' in line]

    def wait_state(self, vault, state, timeout=30):
        wait_until(lambda: vault.source_status(SOURCE).get("state") == state, timeout,
                   lambda: f"{state}: {vault.source_status(SOURCE)}\n{vault.tail()}")

    def break_stream(self, server):
        for (thread,) in server.sql("SELECT id FROM information_schema.processlist WHERE "
                                    "command LIKE 'Binlog%'"):
            server.sql(f"KILL {thread}")

    def test_it_judges_at_each_connect_and_the_ledger_says_when_the_verdict_changed(self):
        with Stage(defaults={"require-full-row-image": "yes"}) as stage:
            vault, server = stage.vault, stage.server
            vault.start()
            vault.wait_covered(SOURCE, server)
            self.wait_state(vault, "streaming")
            warnings = {warning["rule"] for warning in vault.source_status(SOURCE)["warnings"]}
            self.assertIn("account-host", warnings)
            # Other things may still be on their way: the HSM service, signatures.
            wait_until(lambda: vault.run_verb("status").returncode == 0, 30, lambda: (
                f"warnings are no attention:\n{vault.run_verb('status').stdout}"), interval=0.5)
            result = vault.run_verb("status")
            self.assertRegex(result.stdout, r"orders: warning \(account-host\): ")
            self.assertEqual([leaf["ok"] for leaf in self.leaves(vault)], [True])
            # The same again is no leaf.
            self.break_stream(server)
            server.sql("CREATE DATABASE d")
            vault.wait_covered(SOURCE, server)
            self.assertEqual(len(self.leaves(vault)), 1)
            # Something changed: judged at the reconnect.
            server.sql("SET GLOBAL binlog_row_image=MINIMAL")
            self.break_stream(server)
            self.wait_state(vault, "refused")
            self.assertIn("SET GLOBAL binlog_row_image=FULL",
                          vault.source_status(SOURCE)["sentence"])
            self.assertEqual(vault.run_verb("status").returncode, 6)
            last = self.leaves(vault)[-1]
            self.assertEqual((last["ok"], last["server"]),
                             (False, f"{server.host}:{server.port}"))
            self.assertIn("row-image", [rule["rule"] for rule in last["rules"]])
            vault.stop()
            vault.verb("verify")
            # The verdict is known after a restart, and mended it goes on.
            server.sql("SET GLOBAL binlog_row_image=FULL")
            vault.start()
            self.wait_state(vault, "streaming")
            self.assertEqual([leaf["ok"] for leaf in self.leaves(vault)
                              if "state" not in leaf][-1], True)
            stage.archive()
            self.assertIn(", 0 gaps", vault.verb("list", SOURCE))

    @needs(MySQL)
    def test_a_binlog_that_is_no_longer_encrypted_is_noticed_while_it_streams(self):
        with Stage(flavour=MySQL, server_options={"encrypted": True},
                   defaults={"require-source-encryption": "yes"}) as stage:
            vault, server = stage.vault, stage.server
            vault.start()
            vault.wait_covered(SOURCE, server)
            self.wait_state(vault, "streaming")
            server.sql("SET GLOBAL binlog_encryption=OFF")
            begin = time.monotonic()
            self.wait_state(vault, "refused", 2 * LIST_AGE)
            self.assertLess(time.monotonic() - begin, 2 * LIST_AGE)
            self.assertIn("binlog_encryption is OFF", vault.source_status(SOURCE)["sentence"])


if __name__ == "__main__":
    unittest.main()
