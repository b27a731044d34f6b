"""A real database server in a directory of its own, on a free port of 127.0.0.1.

Owns: data directory, socket, port and server process; the scratch's close stops it. Nothing of the
machine's own configuration is read.
Durable: sync_binlog=1 and InnoDB's log flushed at commit, so that what a client saw committed is in
the binlog after `kill9`.

`Server` is the interface, the same for every flavour; `flavours` lists the flavours:

    MariaDB      10.11, as Debian 12 packages it         (mariadb.py)
    MariaDB118   11.8, unpacked by tools/fetch_servers    (mariadb.py)
    MySQL        9.7 or what sid holds, unpacked likewise (mysql.py)

A test that is for several flavours takes the class as a parameter and writes only what all of them
understand: `SHOW BINARY LOGS`, sha2(), ALTER TABLE without IF EXISTS, no CREATE OR REPLACE TABLE.
Where they differ there is a method or an attribute here: `engines`, `archive_grants`,
`binlog_tool`, `gtids`, `replicate_from`.

Two servers of one flavour replicate by GTID (`flavours.pair` makes both). With `semi_sync` a
primary without a replica waits for its time-out (10 s) at its next commit:

    replica.replicate_from(primary)   from its oldest binlog, over TLS, read-only
    replica.wait_for(primary)         until it has applied what the primary has committed by now
    replica.promote()                 applies what it has received, ends replication, is writable
    primary.replicate_from(replica)   the old primary comes back
"""

import os
import random
import socket
import subprocess
import time

from . import processes

SYSTEM_DATABASES = ("information_schema", "performance_schema", "mysql", "sys")
UNESCAPE = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
REPLICA_USER, REPLICA_PASSWORD = "lab_replica", "lab-replica"


class SqlError(RuntimeError):
    """The server refused a statement; the message is the client's."""


class Server:
    """What all flavours share.

    `tls` False is a server without TLS; `certificate` replaces the authority's ordinary one;
    `strict` False is without gtid_strict_mode, for a server that `replay` fills, and `gtid` False
    without GTIDs at all (MariaDB always has them); `encrypted` writes encrypted binlogs;
    `semi_sync` makes it wait (as primary) for acknowledgements after the sync and give them (as
    replica); `options` are appended to the command line.
    """

    flavour = ""                       # mariadb or mysql, as the archive calls it
    title = ""                         # as people call it, with the version
    engines = ("InnoDB", "MyISAM")
    copy_engines = ("InnoDB",)         # that CREATE TABLE … SELECT may make
    label = ""                         # of flavour and version, in options and file names
    binlog_base = ""
    binlog_program = ""
    archive_grants = ()
    semi_sync_role = ""                # of who waits, in the names of options and variables

    def __init__(self, scratch, authority=None, name="db1", server_id=11, tls=True,
                 certificate=None, binlog_size=1 << 30, strict=True, gtid=True, encrypted=False,
                 semi_sync=False, options=()):
        self.require()
        self.name, self.server_id = name, server_id
        self.certificate = (certificate or authority.server) if tls else None
        self.host, self.port = "127.0.0.1", free_port()
        self.directory = scratch.directory(name)
        self.data = self.directory / "data"
        self.socket = self.directory / "socket"
        self.encrypted, self.semi_sync = encrypted, semi_sync
        self._scratch, self._process = scratch, None
        self._binlog_size, self._strict, self._gtid = binlog_size, strict, gtid
        self._options = list(options)

    # -- whether it can be had -------------------------------------------------------------------
    @classmethod
    def missing(cls):
        """Why this flavour cannot be had here, as a sentence; None if it can."""
        return None

    @classmethod
    def require(cls):
        """Skip the test, with the reason, if this flavour cannot be had here."""
        from . import skip  # here: a server that is no test has no use for it

        reason = cls.missing()
        if reason:
            skip.skip(f"{cls.title}: {reason}")

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

    @property
    def log(self):
        """What the running server (not an earlier one of this data directory) has logged."""
        return self._process.log_text() if self._process else ""

    def whole_log(self):
        """What every server of this data directory has logged."""
        log = self._scratch.directory("log") / f"{self.name}.log"
        return log.read_text(errors="replace")

    def use_certificate(self, certificate):
        """Answer with another certificate (None: without TLS) from the next start on."""
        self.certificate = certificate

    def set_options(self, *options):
        """Options that replace those of the constructor, from the next start on."""
        self._options = list(options)

    # -- programs --------------------------------------------------------------------------------
    def tool(self, program, *arguments):
        """The command line of one of this flavour's own programs, without configuration files."""
        return [*self.program(program), "--no-defaults", *map(str, arguments)]

    def client_command(self, *arguments):
        """The command line of a client that is connected as administrator."""
        return self.tool(self.client_program, f"--socket={self.socket}", "--user=root",
                         "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
                         "--local-infile=1", "--batch", *arguments)

    def binlog_tool(self, *arguments):
        """The command line of mariadb-binlog or mysqlbinlog of this very version."""
        return self.tool(self.binlog_program, *arguments)

    def remote_binlog_tool(self, authority, *arguments, user="binvault", password="lab-only"):
        """The same, reading from this server as an archive does: over TCP, with TLS on both sides.

        Without further arguments but a file's name it prints; --raw and --result-file copy.
        """
        return self.binlog_tool(
            "--read-from-remote-server", f"--host={self.host}", f"--port={self.port}",
            f"--user={user}", f"--password={password}", *self.client_tls(authority.client),
            *arguments)

    def client_tls(self, certificate):
        """Options of this flavour's own client programs: our certificate, and theirs checked."""
        raise NotImplementedError

    # -- SQL -------------------------------------------------------------------------------------
    def sql(self, text, database=None):
        """Run statements; returns the rows as lists of strings (NULL is the text NULL)."""
        return self._run(text, database, ["--skip-column-names"])

    def records(self, text):
        """Run one statement; returns its rows as dictionaries by column name."""
        names, *rows = self._run(text, None, []) or [[]]
        return [dict(zip(names, row)) for row in rows]

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

    def _run(self, text, database, arguments):
        command = self.client_command(*arguments)
        result = subprocess.run(command + ([database] if database else []),
                                input=text.encode(), capture_output=True, check=False)
        if result.returncode != 0:
            raise SqlError(f"{self.name}: {result.stderr.decode(errors='replace').strip()}")
        lines = result.stdout.decode(errors="surrogateescape").split("\n")[:-1]
        return [[_unescape(field) for field in line.split("\t")] for line in lines]

    # -- binlogs ---------------------------------------------------------------------------------
    def binlogs(self):
        """[(name, size)] of all; the last one is being written.

        The size is that of the plain file: where the next event begins, and what an archive has.
        """
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

    # -- replication -----------------------------------------------------------------------------
    def replicate_from(self, primary):
        """Become a read-only replica of `primary` (of the same flavour), by GTID.

        Whatever is created on this server before, accounts too, is an errant transaction.
        """
        if not primary.value("SELECT COUNT(*) FROM mysql.user "
                             f"WHERE user = '{REPLICA_USER}'").strip("0"):
            primary.create_archive_user(REPLICA_USER, REPLICA_PASSWORD, require=None,
                                        grants=("REPLICATION SLAVE",))
        self._replicate_from(primary)

    def wait_for(self, primary, timeout=60):
        """Wait until this replica has applied all that `primary` has committed by now."""
        self._wait_applied(primary.gtids(), timeout)

    def promote(self, timeout=60):
        """End replication when all that was received is applied, and accept writes."""
        raise NotImplementedError

    def gtids(self):
        """What this server has committed, as its flavour writes it (one line)."""
        raise NotImplementedError

    def _replicate_from(self, primary):
        raise NotImplementedError

    def _wait_applied(self, gtids, timeout):
        raise NotImplementedError

    # -- for the flavours ------------------------------------------------------------------------
    client_program = ""

    def program(self, name):
        """The beginning of the command line that runs a program of this flavour."""
        raise NotImplementedError

    def install(self):
        """Make the data directory."""
        raise NotImplementedError

    def command(self):
        """The server's command line."""
        raise NotImplementedError

    def _shared_options(self):
        """What every flavour's server understands."""
        return [*root_option(), f"--datadir={self.data}", f"--socket={self.socket}",
                f"--port={self.port}", f"--bind-address={self.host}",
                f"--pid-file={self.directory / 'pid'}", f"--tmpdir={self._temporary()}",
                f"--server-id={self.server_id}", f"--log-bin={self.binlog_base}",
                "--binlog-format=ROW", "--binlog-checksum=CRC32", "--sync-binlog=1",
                f"--max-binlog-size={self._binlog_size}", "--binlog-cache-size=4M",
                "--max-allowed-packet=1G", "--local-infile=ON", "--skip-name-resolve",
                "--character-set-server=utf8mb4", "--myisam-recover-options=BACKUP,FORCE"]

    def _tls_options(self):
        return [f"--ssl-ca={self.certificate.authority}",
                f"--ssl-cert={self.certificate.certificate}",
                f"--ssl-key={self.certificate.key}", "--tls-version=TLSv1.2,TLSv1.3"]

    def _temporary(self):
        path = self.directory / "tmp"
        path.mkdir(exist_ok=True)
        return path

    def _answers(self):
        if not self._process.running():
            raise RuntimeError(f"{self.name} ended while starting; its log ends:\n"
                               f"{self._process.tail(40)}")
        try:
            return self.sql("SELECT 1") == [["1"]]
        except SqlError:
            return False


def root_option():
    """What a server that root starts has to be told."""
    return ["--user=root"] if os.geteuid() == 0 else []


def free_port():
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


def replay(server, files, *options):
    """Feed binlog files into `server` as a restore does: mariadb-binlog FILE… | mariadb.

    MariaDB must not be strict about GTIDs: a CREATE … SELECT is one GTID in row format but two
    when a client replays it, so that the next GTID of the file is already taken.
    """
    source = subprocess.Popen(server.binlog_tool(f"--local-load={server.data}", *options, *files),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    target = subprocess.run(server.client_command("--binary-mode"), stdin=source.stdout,
                            capture_output=True, check=False)
    source.stdout.close()
    words = source.stderr.read().decode(errors="replace").strip()
    source.stderr.close()
    if source.wait() != 0 and target.returncode == 0:
        raise RuntimeError(f"{server.binlog_program} failed: {words}")
    if target.returncode != 0:
        raise SqlError(f"replay into {server.name}: "
                       f"{target.stderr.decode(errors='replace').strip()}")
