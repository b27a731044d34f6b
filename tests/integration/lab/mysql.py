"""MySQL, from a folder: what Debian sid holds (9.7).

The interface is `server.Server`'s. Making a data directory takes MySQL five seconds, so that it is
made once in the folder and copied for each server (without the identity that auto.cnf gives it).
"""

import json
import shutil
import subprocess

from .server import REPLICA_PASSWORD, REPLICA_USER, Server, root_option
from .tree import Tree

TEMPLATE = "data"
ENCRYPTED_HEADER_SIZE = 512  # in front of an encrypted file, and counted by SHOW BINARY LOGS


class MySQL(Server):
    """MySQL 9.7 with GTIDs, from a folder."""

    flavour = "mysql"
    title = "MySQL 9.7"
    label = "mysql-9.7"
    binlog_base = "mysql-bin"
    client_program, binlog_program = "mysql", "mysqlbinlog"
    archive_grants = ("REPLICATION SLAVE", "REPLICATION CLIENT")
    semi_sync_role = "source"
    tree = Tree("mysql-sid")

    @classmethod
    def missing(cls):
        return cls.tree.missing()

    def program(self, name):
        return self.tree.command(name)

    def install(self):
        shutil.copytree(self.tree.prepared(TEMPLATE, self._initialize), self.data, symlinks=True)
        (self.data / "auto.cnf").unlink(missing_ok=True)

    def _initialize(self, path):
        result = subprocess.run(
            [*self._server_program(), *root_option(), f"--datadir={path}",
             f"--tmpdir={self._temporary()}", "--initialize-insecure", "--skip-log-bin",
             "--auto-generate-certs=OFF", "--innodb-redo-log-capacity=8388608",
             "--innodb-doublewrite=OFF"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"mysqld --initialize-insecure failed: {result.stderr}")

    def command(self):
        return [*self._server_program(), *self._shared_options(),
                f"--plugin-dir={self._plugins() if self.encrypted else self.tree.plugins}",
                f"--gtid-mode={'ON' if self._gtid else 'OFF'}",
                f"--enforce-gtid-consistency={'ON' if self._gtid else 'OFF'}",
                "--log-replica-updates=ON", "--mysqlx=OFF", "--secure-file-priv=",
                "--auto-generate-certs=OFF", "--innodb-buffer-pool-size=128M",
                "--innodb-redo-log-capacity=256M",
                *(self._tls_options() if self.certificate else ["--tls-version="]),
                *(["--binlog-encryption=ON"] if self.encrypted else []),
                *self._semi_sync_options(), *self._options]

    def client_tls(self, certificate):
        return [f"--ssl-ca={certificate.authority}", f"--ssl-cert={certificate.certificate}",
                f"--ssl-key={certificate.key}", "--ssl-mode=VERIFY_IDENTITY"]

    def _server_program(self):
        # mysqld looks for the list of its keyring components beside itself.
        stands_at = self._keyring() / "mysqld" if self.encrypted else None
        return [*self.tree.command("mysqld", stands_at), "--no-defaults",
                f"--basedir={self.tree.usr}",
                f"--lc-messages-dir={self.tree.usr / 'share' / 'mysql'}"]

    def _keyring(self):
        """A directory with what makes component_keyring_file keep its keys there."""
        path = self.directory / "keyring"
        path.mkdir(mode=0o700, exist_ok=True)
        (path / "mysqld.my").write_text(
            json.dumps({"components": "file://component_keyring_file"}))
        return path

    def _plugins(self):
        """A directory of the same plugins with the configuration of this server's keyring."""
        path = self.directory / "plugins"
        path.mkdir(exist_ok=True)
        for plugin in self.tree.plugins.glob("*.so"):
            link = path / plugin.name
            if not link.is_symlink():
                link.symlink_to(plugin)
        (path / "component_keyring_file.cnf").write_text(
            json.dumps({"path": str(self._keyring() / "keys"), "read_only": False}))
        return path

    def _semi_sync_options(self):
        if not self.semi_sync:
            return []
        return ["--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so",
                "--rpl-semi-sync-source-enabled=ON", "--rpl-semi-sync-replica-enabled=ON",
                "--rpl-semi-sync-source-wait-point=AFTER_SYNC"]

    def binlogs(self):
        return [(name, int(size) - (ENCRYPTED_HEADER_SIZE if encrypted == "Yes" else 0))
                for name, size, encrypted in self.sql("SHOW BINARY LOGS")]

    # -- replication -----------------------------------------------------------------------------
    def gtids(self):
        return self.value("SELECT REPLACE(@@global.gtid_executed, '\\n', '')")

    def _replicate_from(self, primary):
        tls = "SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1"
        if primary.certificate:
            tls = f"SOURCE_SSL = 1, SOURCE_SSL_CA = '{primary.certificate.authority}'"
        self.sql("STOP REPLICA;"
                 f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{primary.host}', "
                 f"SOURCE_PORT = {primary.port}, SOURCE_USER = '{REPLICA_USER}', "
                 f"SOURCE_PASSWORD = '{REPLICA_PASSWORD}', SOURCE_CONNECT_RETRY = 1, "
                 f"SOURCE_RETRY_COUNT = 86400, SOURCE_AUTO_POSITION = 1, {tls};"
                 "SET GLOBAL super_read_only = ON; START REPLICA;")

    def _wait_applied(self, gtids, timeout):
        if self.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{gtids}', {timeout})") != "0":
            raise TimeoutError(f"{self.name} has not applied {gtids} within {timeout} s: "
                               f"{self.records('SHOW REPLICA STATUS')}")

    def promote(self, timeout=60):
        self.sql("STOP REPLICA IO_THREAD")
        received = self.value("SELECT REPLACE(received_transaction_set, '\\n', '') "
                              "FROM performance_schema.replication_connection_status")
        if received:
            self._wait_applied(received, timeout)
        self.sql("STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only = OFF;"
                 "SET GLOBAL read_only = OFF;")
