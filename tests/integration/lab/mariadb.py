"""A real database server in a directory of its own, on a free port of 127.0.0.1.

Owns: data directory, socket, port and server process; the scratch's close stops it. Nothing of the
machine's own configuration is read.
Durable: sync_binlog=1 and InnoDB's log flushed at commit, so that what a client saw committed is in
the binlog after `kill9`.

`Server` is what every flavour shares; a flavour says how its data directory is made, how server
and client are called, and its options (`MariaDB` is the one of Debian 12; other versions unpacked
in a folder are subclasses that override `server_program` and `client_program`).
"""

import os
import random
import socket
import subprocess
import time
from pathlib import Path

from . import processes

SYSTEM_DATABASES = ("information_schema", "performance_schema", "mysql", "sys")
UNESCAPE = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


class SqlError(RuntimeError):
    """The server refused a statement; the message is the client's."""


class Server:
    """What all flavours share.

    `tls` False is a server without TLS; `certificate` replaces the authority's ordinary one;
    `strict` False is without gtid_strict_mode, for a server that `replay` fills; `options` are
    appended to the command line.
    """

    flavour = ""
    server_program = ""
    client_program = ""
    binlog_base = "mariadb-bin"

    def __init__(self, scratch, authority=None, name="db1", server_id=11, tls=True,
                 certificate=None, binlog_size=1 << 30, strict=True, options=()):
        self.name, self.server_id = name, server_id
        self.certificate = (certificate or authority.server) if tls else None
        self.host, self.port = "127.0.0.1", _free_port()
        self.directory = scratch.directory(name)
        self.data = self.directory / "data"
        self.socket = self.directory / "socket"
        self._scratch, self._process = scratch, None
        self._binlog_size, self._strict, self._options = binlog_size, strict, list(options)

    # -- life ------------------------------------------------------------------------------------
    def start(self, timeout=60):
        """Start it, with an empty data directory the first time, and wait until it answers."""
        if not self.data.exists():
            self.install()
        self.socket.unlink(missing_ok=True)
        self._process = processes.Process(self._scratch, self.name, self.command())
        processes.wait_until(self._answers, timeout,
                             lambda: f"{self.name} answers; its log ends:\n{self._process.tail()}")

    def stop(self):
        """An orderly shutdown; the last binlog is closed cleanly."""
        if self._process:
            self._process.stop(timeout=60)

    def kill9(self):
        """SIGKILL, as by a crash."""
        self._process.kill9()

    def restart(self):
        self.stop()
        self.start()

    def running(self):
        return self._process is not None and self._process.running()

    @property
    def pid(self):
        return self._process.pid

    def use_certificate(self, certificate):
        """Answer with another certificate (None: without TLS) from the next start on."""
        self.certificate = certificate

    # -- SQL -------------------------------------------------------------------------------------
    def client_command(self, *arguments):
        """The command line of a client that is connected as administrator."""
        return [self.client_program, "--no-defaults", f"--socket={self.socket}", "--user=root",
                "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--local-infile=1",
                "--batch", *arguments]

    def sql(self, text, database=None):
        """Run statements; returns the rows as lists of strings (NULL is the text NULL)."""
        command = self.client_command("--skip-column-names")
        result = subprocess.run(command + ([database] if database else []),
                                input=text.encode(), capture_output=True, check=False)
        if result.returncode != 0:
            raise SqlError(f"{self.name}: {result.stderr.decode(errors='replace').strip()}")
        lines = result.stdout.decode(errors="surrogateescape").split("\n")[:-1]
        return [[_unescape(field) for field in line.split("\t")] for line in lines]

    def value(self, text):
        """The first column of the first row."""
        return self.sql(text)[0][0]

    def tables(self):
        """All tables of users, as (database, table)."""
        hidden = ", ".join(f"'{name}'" for name in SYSTEM_DATABASES)
        return [tuple(row) for row in self.sql(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = "
            f"'BASE TABLE' AND table_schema NOT IN ({hidden}) ORDER BY 1, 2")]

    def checksum_all_tables(self):
        """{"database.table": CHECKSUM TABLE} of all tables of users."""
        names = [f"`{database}`.`{table}`" for database, table in self.tables()]
        if not names:
            return {}
        return dict(self.sql(f"CHECKSUM TABLE {', '.join(names)} EXTENDED"))

    # -- binlogs ---------------------------------------------------------------------------------
    def binlogs(self):
        """[(name, size)] as the server lists them; the last one is being written."""
        return [(row[0], int(row[1])) for row in self.sql("SHOW BINARY LOGS")]

    def closed_binlogs(self):
        """The names of all but the one that is being written."""
        return [name for name, _ in self.binlogs()[:-1]]

    def binlog_size(self):
        """The size of all binlogs together."""
        return sum(size for _, size in self.binlogs())

    def binlog_path(self, name):
        return self.data / name

    def rotate(self):
        self.sql("FLUSH BINARY LOGS")

    # -- accounts --------------------------------------------------------------------------------
    def create_archive_user(self, name="binvault", password="lab-only", require="X509",
                            grants=None):
        """An account with the least grants that an archive needs; returns its password.

        `require` None permits connections without TLS; `grants` () gives none at all.
        """
        grants = self.archive_grants if grants is None else grants
        with_tls = f" REQUIRE {require}" if require else ""
        self.sql(f"DROP USER IF EXISTS '{name}'@'%';"
                 f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'{with_tls};"
                 + (f"GRANT {', '.join(grants)} ON *.* TO '{name}'@'%';" if grants else ""))
        return password

    archive_grants = ()

    # -- for the flavours ------------------------------------------------------------------------
    def install(self):
        """Make the data directory."""
        raise NotImplementedError

    def command(self):
        """The server's command line."""
        raise NotImplementedError

    def _answers(self):
        if not self._process.running():
            raise RuntimeError(f"{self.name} ended while starting; its log ends:\n"
                               f"{self._process.tail(40)}")
        try:
            return self.sql("SELECT 1") == [["1"]]
        except SqlError:
            return False


class MariaDB(Server):
    """MariaDB as Debian 12 packages it (10.11)."""

    flavour = "mariadb"
    server_program = "/usr/sbin/mariadbd"
    client_program = "mariadb"
    archive_grants = ("REPLICATION SLAVE", "BINLOG MONITOR")

    def install(self):
        # A server that starts removes what looks like temporary tables from its directory for them.
        environment = {**os.environ, "TMPDIR": str(self._temporary())}
        result = subprocess.run(
            # --force: a host name that cannot be looked up is no hindrance.
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
             "--force", "--auth-root-authentication-method=normal", *self._user()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env=environment)
        if result.returncode != 0:
            raise RuntimeError(f"mariadb-install-db failed: {result.stdout}{result.stderr}")

    def command(self):
        tls = ["--skip-ssl"]
        if self.certificate:
            tls = [f"--ssl-ca={self.certificate.authority}",
                   f"--ssl-cert={self.certificate.certificate}",
                   f"--ssl-key={self.certificate.key}", "--tls-version=TLSv1.2,TLSv1.3"]
        return [self.server_program, "--no-defaults", *self._user(), f"--datadir={self.data}",
                f"--socket={self.socket}", f"--port={self.port}", f"--bind-address={self.host}",
                f"--pid-file={self.directory / 'pid'}", f"--tmpdir={self._temporary()}",
                f"--server-id={self.server_id}", f"--log-bin={self.binlog_base}",
                "--binlog-format=ROW", "--binlog-checksum=CRC32", "--sync-binlog=1",
                f"--gtid-strict-mode={'ON' if self._strict else 'OFF'}", "--log-slave-updates=ON",
                f"--max-binlog-size={self._binlog_size}", "--binlog-cache-size=4M",
                "--max-allowed-packet=1G", "--local-infile=ON", "--skip-name-resolve",
                "--character-set-server=utf8mb4", "--innodb-buffer-pool-size=256M",
                "--innodb-log-file-size=256M", "--myisam-recover-options=BACKUP,FORCE",
                *tls, *self._options]

    def _temporary(self):
        path = self.directory / "tmp"
        path.mkdir(exist_ok=True)
        return path

    @staticmethod
    def _user():
        # The server refuses to run as root unless told to.
        return ["--user=root"] if os.geteuid() == 0 else []


def _free_port():
    """A port nobody listens on, below the range from which the kernel gives ports to clients."""
    for _ in range(200):
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                time.sleep(0.001)
    raise RuntimeError("no free port found on 127.0.0.1 between 20000 and 30000")


def _unescape(field):
    if "\\" not in field:
        return field
    parts = field.split("\\")
    text, index = parts[0], 1
    while index < len(parts):
        part = parts[index]
        if part:
            text += UNESCAPE.get(part[0], part[0]) + part[1:]
        elif index + 1 < len(parts):  # an escaped backslash: the next part is plain text
            index += 1
            text += "\\" + parts[index]
        index += 1
    return text


def replay(server, files, program="mariadb-binlog"):
    """Feed binlog files into `server` as a restore does: mariadb-binlog FILE… | mariadb.

    The server must not be strict about GTIDs: a CREATE … SELECT is one GTID in row format but two
    when a client replays it, so that the next GTID of the file is already taken.
    """
    paths = [str(Path(file)) for file in files]
    source = subprocess.Popen([program, "--no-defaults", f"--local-load={server.data}", *paths],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    target = subprocess.run(server.client_command("--binary-mode"), stdin=source.stdout,
                            capture_output=True, check=False)
    source.stdout.close()
    words = source.stderr.read().decode(errors="replace").strip()
    source.stderr.close()
    if source.wait() != 0 and target.returncode == 0:
        raise RuntimeError(f"{program} failed: {words}")
    if target.returncode != 0:
        raise SqlError(f"replay into {server.name}: "
                       f"{target.stderr.decode(errors='replace').strip()}")
