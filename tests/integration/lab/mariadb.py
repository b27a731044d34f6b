"""MariaDB: 10.11 as Debian 12 packages it, and 11.8 from a folder.

The interface is `server.Server`'s.
"""

import os
import secrets
import subprocess

from .server import REPLICA_PASSWORD, REPLICA_USER, Server, SqlError, replay, root_option
from .tree import Tree

__all__ = ("MariaDB", "MariaDB118", "SqlError", "replay")


class MariaDB(Server):
    """MariaDB as Debian 12 packages it (10.11).

    Only its plugins (`encrypted`, and what a test's own options load) need tools/fetch_servers.
    """

    flavour = "mariadb"
    title = "MariaDB 10.11"
    label = "mariadb-10.11"
    engines = copy_engines = ("InnoDB", "Aria", "MyISAM")
    binlog_base = "mariadb-bin"
    client_program, binlog_program = "mariadb", "mariadb-binlog"
    archive_grants = ("REPLICATION SLAVE", "BINLOG MONITOR")
    semi_sync_role = "master"
    tree = Tree("mariadb-bookworm")

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if self.encrypted:
            self.require_plugins()
        # A crash of the server must find the same key again.
        self._key = secrets.token_hex(32)

    @classmethod
    def require_plugins(cls):
        """Skip the test if the plugins that are no part of mariadb-server-core are not there."""
        from . import skip

        reason = cls.tree.missing()
        if reason:
            skip.skip(f"the plugins of {cls.title}: {reason}")

    def program(self, name):
        return [name]

    def install(self):
        # A server that starts removes what looks like temporary tables from its directory for them.
        environment = {**os.environ, "TMPDIR": str(self._temporary())}
        result = subprocess.run(
            # --force: a host name that cannot be looked up is no hindrance.
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
             "--force", "--auth-root-authentication-method=normal", *root_option()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env=environment)
        if result.returncode != 0:
            raise RuntimeError(f"mariadb-install-db failed: {result.stdout}{result.stderr}")

    def command(self):
        return [*self._server_program(), *self._shared_options(),
                f"--gtid-strict-mode={'ON' if self._strict else 'OFF'}", "--log-slave-updates=ON",
                "--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M",
                *(self._tls_options() if self.certificate else ["--skip-ssl"]),
                *self._plugin_options(), *self._semi_sync_options(), *self._options]

    def client_tls(self, certificate):
        return [f"--ssl-ca={certificate.authority}", f"--ssl-cert={certificate.certificate}",
                f"--ssl-key={certificate.key}", "--ssl-verify-server-cert"]

    def _server_program(self):
        return ["/usr/sbin/mariadbd", "--no-defaults"]

    def _plugin_options(self):
        options = [] if self.tree.missing() else [f"--plugin-dir={self.tree.plugins}"]
        if self.encrypted:
            keys = self.directory / "keys"
            keys.write_text(f"1;{self._key}\n")
            keys.chmod(0o600)
            options += ["--plugin-load-add=file_key_management",
                        f"--file-key-management-filename={keys}", "--encrypt-binlog=ON"]
        return options

    def _semi_sync_options(self):
        if not self.semi_sync:
            return []
        return ["--rpl-semi-sync-master-enabled=ON", "--rpl-semi-sync-slave-enabled=ON",
                "--rpl-semi-sync-master-wait-point=AFTER_SYNC"]

    # -- replication -----------------------------------------------------------------------------
    def gtids(self):
        return self.value("SELECT @@global.gtid_binlog_pos")

    def _replicate_from(self, primary):
        tls = ", MASTER_SSL = 0"
        if primary.certificate:
            tls = (f", MASTER_SSL = 1, MASTER_SSL_CA = '{primary.certificate.authority}', "
                   "MASTER_SSL_VERIFY_SERVER_CERT = 0")
        # An old primary goes on after what it has written itself.
        self.sql("STOP SLAVE; SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos;"
                 f"CHANGE MASTER TO MASTER_HOST = '{primary.host}', MASTER_PORT = {primary.port}, "
                 f"MASTER_USER = '{REPLICA_USER}', MASTER_PASSWORD = '{REPLICA_PASSWORD}', "
                 f"MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos{tls};"
                 "SET GLOBAL read_only = ON; START SLAVE;")

    def _wait_applied(self, gtids, timeout):
        if self.value(f"SELECT MASTER_GTID_WAIT('{gtids}', {timeout})") != "0":
            raise TimeoutError(f"{self.name} has not applied {gtids} within {timeout} s: "
                               f"{self.records('SHOW SLAVE STATUS')}")

    def promote(self, timeout=60):
        self.sql("STOP SLAVE IO_THREAD")
        received = self.records("SHOW SLAVE STATUS")[0]["Gtid_IO_Pos"]
        if received:
            self._wait_applied(received, timeout)
        self.sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF;")


class MariaDB118(MariaDB):
    """MariaDB 11.8, from a folder."""

    title = "MariaDB 11.8"
    label = "mariadb-11.8"
    tree = Tree("mariadb-trixie")

    @classmethod
    def missing(cls):
        return cls.tree.missing()

    def program(self, name):
        return self.tree.command(name)

    def client_command(self, *arguments):
        # This version's client insists on TLS, on a socket too.
        plain = [] if self.certificate else ["--skip-ssl"]
        return super().client_command(*plain, *arguments)

    def install(self):
        """What mariadb-install-db does, which cannot find its programs in a folder."""
        self.data.mkdir()
        share = self.tree.usr / "share" / "mariadb"
        statements = "\n".join(
            ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket = NULL;",
             *((share / f"{name}.sql").read_text() for name in (
                 "mariadb_system_tables", "mariadb_system_tables_data",
                 "mariadb_performance_tables", "maria_add_gis_sp_bootstrap"))])
        result = subprocess.run(
            [*self._server_program(), "--bootstrap", *root_option(),
             f"--datadir={self.data}", f"--tmpdir={self._temporary()}", "--log-warnings=0",
             "--enforce-storage-engine=", "--max-allowed-packet=8M", "--net-buffer-length=16K"],
            input=statements.encode(), capture_output=True, check=False)
        if result.returncode != 0:
            raise RuntimeError("mariadbd --bootstrap failed: "
                               + result.stderr.decode(errors="replace"))

    def _server_program(self):
        return [*self.tree.command("mariadbd"), "--no-defaults", f"--basedir={self.tree.usr}",
                f"--lc-messages-dir={self.tree.usr / 'share' / 'mariadb'}"]
