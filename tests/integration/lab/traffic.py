"""Mixed traffic against a server, and bulk for the benchmark.

What it does, in random order from one seed: transactions from one row to `largest` bytes, BLOBs,
LOAD DATA LOCAL INFILE, tables of every engine of the server (InnoDB, MyISAM, Aria), CREATE / ALTER / DROP / TRUNCATE,
CREATE … SELECT, savepoints, rollbacks, XA, Unicode, updates and deletes, and rotations of the
binlog. The first operation of the first client has exactly the largest size, so that each run
contains it.

Owns: `clients` client processes, each fed by one thread and working in tables of its own; the
database `database`. What each client does depends on the seed alone, except for what the clock
decides: when a run by `seconds` ends, and rotations, of which there is at most one in
`rotation_interval` seconds (None: none at all). How the clients interleave is the server's affair.
Threads: start, stop, failed and the counters may be used from the thread that made it.
Crash: with `survive` a server that goes away is waited for (up to a minute) and the client goes on;
then only InnoDB tables are used, because the others may differ from the binlog after a crash.
Otherwise every error of a statement is a failure, which `stop` raises.

    /usr/bin/python3 -m tests.integration.lab.traffic --socket S --seed 1 --seconds 10
"""

import argparse
import math
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
NOISE_SIZE = 64 * KIBIBYTE
NOISE_ROWS = 64
LOST = ("ERROR 2002", "ERROR 2006", "ERROR 2013", "ERROR 2026", "ERROR 1053", "ERROR 1927")
WORDS = ("Überweisung", "Grüße", "取引記録", "платёж", "🏦💶", "naïve café", "ﬁligree", "עסקה",
         "quote ' and \" and \\", "a\tb\nc", "", "plain", "x" * 190, "é́", "\u0000".join("nul"))
COLUMNS = ("id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200), amount DECIMAL(18,4),"
           " at DATETIME(6), flags SET('a','b','c'), ratio DOUBLE, data LONGBLOB")


class Traffic:
    """Mixed traffic against `server`, for `seconds`, or `operations` in all, or until stopped."""

    def __init__(self, server, seed=1, seconds=None, operations=None, clients=3,
                 largest=64 * MEBIBYTE, database="traffic", survive=False, rotation_interval=1.0,
                 xa=True, directory=None):
        self.seed, self.database, self.survive = seed, database, survive
        self.largest, self.xa = largest, xa
        self._rotation_interval, self._last_rotation = rotation_interval, 0.0
        self.done, self.bytes = {}, 0
        # An XA name left prepared by a crash must not come again in the next run of the same seed.
        self.run_name = secrets.token_hex(4)
        self.reconnects = 0
        self.server, self._seconds, self._directory = server, seconds, directory
        self._shares = _shares(operations, clients)
        self._stop = threading.Event()
        self._failures, self._lock = [], threading.Lock()
        self._gate = _Gate()
        self._threads = []

    def start(self):
        """Make the tables and start the clients; returns at once after that."""
        prepare(self.server, self.database, self.seed)
        end = time.monotonic() + self._seconds if self._seconds else math.inf
        for number, share in enumerate(self._shares):
            client = _Client(self, number, share, end)
            thread = threading.Thread(target=self._guarded, args=(client,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def running(self):
        return any(thread.is_alive() for thread in self._threads)

    def failed(self):
        """The sentences of what went wrong so far."""
        return list(self._failures)

    def wait(self, timeout=600):
        """Wait until the clients have done their share, then as stop."""
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))
        return self.stop()

    def stop(self, timeout=120):
        """Let each client finish its operation; RuntimeError if any failed; {operation: count}."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)
        if self.running():
            raise RuntimeError(f"traffic (seed {self.seed}) did not stop within {timeout} s")
        if self._failures:
            raise RuntimeError(f"traffic (seed {self.seed}) failed: " + "; ".join(self._failures))
        return dict(self.done)

    def run(self):
        """start and wait."""
        return self.start().wait()

    # -- for the clients -------------------------------------------------------------------------
    def _guarded(self, client):
        try:
            client.run()
        except Exception as error:
            with self._lock:
                self._failures.append(f"client {client.number}: {error}")
            self._stop.set()
        finally:
            client.close()

    def count(self, operation, size):
        with self._lock:
            self.done[operation] = self.done.get(operation, 0) + 1
            self.bytes += size

    def count_reconnect(self):
        with self._lock:
            self.reconnects += 1

    def may_rotate(self):
        """Whether the last rotation was long enough ago; if so, this one counts from now."""
        with self._lock:
            now, interval = time.monotonic(), self._rotation_interval
            if interval is None or now - self._last_rotation < interval:
                return False
            self._last_rotation = now
            return True

    def stopping(self):
        return self._stop.is_set()

    def connect(self):
        """A new client process of the server."""
        return subprocess.Popen(
            self.server.client_command("--unbuffered", "--skip-column-names", "--binary-mode"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def pause(self, seconds):
        self._stop.wait(seconds)

    def alone(self):
        """A context in which no other client has an operation under way."""
        return self._gate.exclusive()

    def together(self):
        return self._gate.shared()

    def directory(self):
        return self._directory


class _Client:
    """One connection: chooses operations, sends each as one script and waits for its end."""

    def __init__(self, traffic, number, share, end):
        self.number = number
        self._traffic, self._share, self._end = traffic, share, end
        self._random = random.Random(traffic.seed * 1009 + number)
        self._engines = ["InnoDB"] if traffic.survive else ["InnoDB", *traffic.server.engines]
        self._copy_engines = [engine for engine in self._engines
                              if engine in traffic.server.copy_engines]
        self._table = f"t{number}"  # of any engine
        self._steady = f"s{number}"  # InnoDB, and never touched by DDL
        self._xa_count = 0
        self._extra = set()  # the columns that ALTER TABLE has added to the table
        self._process = None
        self._sequence = 0
        self._file = tempfile.NamedTemporaryFile(prefix="load-", dir=traffic.directory())

    def run(self):
        self._do("create", f"CREATE TABLE IF NOT EXISTS {self._steady} ({COLUMNS}) ENGINE=InnoDB;"
                 + self._create_table())
        if self.number == 0:
            self._do("largest", self._transaction(self._traffic.largest), self._traffic.largest)
        done = 0
        while done < self._share and time.monotonic() < self._end and not self._traffic.stopping():
            self._one()
            done += 1

    def close(self):
        self._disconnect()
        self._file.close()

    # -- choosing --------------------------------------------------------------------------------
    def _one(self):
        operations = [("insert", 30), ("transaction", 30), ("update", 10), ("delete", 4),
                      ("blob", 6), ("load", 6), ("savepoint", 6), ("rollback", 4), ("alter", 3),
                      ("create_select", 3), ("create", 2), ("truncate", 1), ("rotate", 2)]
        if self._traffic.xa:
            operations.append(("xa", 4))
        names, weights = zip(*operations)
        name = self._random.choices(names, weights)[0]
        if name == "rotate" and not self._traffic.may_rotate():
            name = "insert"
        size = 0
        if name in ("transaction", "load", "blob", "rollback"):
            size = self._size()
        if name == "xa":
            with self._traffic.alone():
                self._do(name, self._xa())
        else:
            with self._traffic.together():
                self._do(name, self._script(name, size), size)

    def _script(self, name, size):
        simple = {"insert": self._insert, "update": self._update, "delete": self._delete,
                  "savepoint": self._savepoint, "alter": self._alter,
                  "create_select": self._create_select, "create": self._create_table,
                  "truncate": lambda: f"TRUNCATE TABLE {self._table};",
                  "rotate": lambda: "FLUSH BINARY LOGS;"}
        if name in simple:
            return simple[name]()
        if name == "transaction":
            return self._transaction(size)
        if name == "rollback":
            return f"BEGIN; {self._noise_rows(size)} ROLLBACK;"
        return self._blob(size) if name == "blob" else self._load(size)

    def _size(self):
        """Mostly small, now and then anything up to the largest."""
        kind = self._random.random()
        limit = 32 * KIBIBYTE if kind < 0.8 else 2 * MEBIBYTE if kind < 0.97 else 1 << 62
        limit = min(limit, self._traffic.largest)
        return int(math.exp(self._random.uniform(math.log(100), math.log(max(limit, 101)))))

    # -- scripts ---------------------------------------------------------------------------------
    def _create_table(self):
        engine = self._random.choice(self._engines)
        self._extra.clear()
        return (f"DROP TABLE IF EXISTS {self._table};"
                f"CREATE TABLE {self._table} ({COLUMNS}) ENGINE={engine} "
                f"COMMENT='{self._random.choice(['Ü', 'plain', '記録'])}';" + self._insert(5))

    def _row(self):
        pick = self._random
        amount = f"{pick.randint(-10**12, 10**12)}.{pick.randint(0, 9999):04d}"
        moment = (f"20{pick.randint(0, 37):02d}-{pick.randint(1, 12):02d}-{pick.randint(1, 28):02d}"
                  f" 12:00:00.{pick.randint(0, 999999):06d}")
        data = pick.randbytes(pick.randint(0, 200)).hex()
        return (f"({_text(pick.choice(WORDS))}, {amount}, '{moment}', "
                f"'{pick.choice(['', 'a', 'a,c', 'a,b,c'])}', {pick.random()!r}, X'{data}')")

    def _insert(self, rows=1, table=None):
        values = ", ".join(self._row() for _ in range(rows))
        return (f"INSERT INTO {table or self._table} (name, amount, at, flags, ratio, data) "
                f"VALUES {values};")

    def _noise_rows(self, size):
        """Statements that insert `size` bytes which do not compress, in rows of up to 64 KiB."""
        rows, rest = divmod(size, NOISE_SIZE)
        salt = self._random.getrandbits(62)
        script = ""
        if rows:
            script += (f"INSERT INTO {self._table} (name, amount, data) "
                       f"SELECT 'noise', n, {_noise(salt)} FROM numbers, noise "
                       f"WHERE noise.id = n % {NOISE_ROWS} AND n < {rows} ORDER BY n;")
        return script + (f"INSERT INTO {self._table} (name, data) SELECT 'rest', "
                         f"LEFT({_noise(salt + 1)}, {rest}) FROM noise, numbers "
                         f"WHERE noise.id = 0 AND n = 0;")

    def _transaction(self, size):
        few = self._insert(self._random.randint(1, 20))
        return f"BEGIN; {few} {self._noise_rows(size)} {self._update()} COMMIT;"

    def _update(self):
        pick = self._random
        return (f"UPDATE {self._table} SET name = {_text(pick.choice(WORDS))}, amount = amount + 1 "
                "WHERE data IS NULL OR LENGTH(data) < 1000 ORDER BY id "
                f"LIMIT {pick.randint(1, 50)};")

    def _delete(self):
        return f"DELETE FROM {self._table} ORDER BY id LIMIT {self._random.randint(1, 40)};"

    def _blob(self, size):
        """One row with one value of that size (compressible, by construction)."""
        word = self._random.randbytes(16).hex()
        return (f"INSERT INTO {self._table} (name, data) "
                f"VALUES ('blob', REPEAT(X'{word}', {size // 16 + 1}));")

    def _load(self, size):
        pick = self._random
        width = 300
        with open(self._file.name, "wb") as file:
            for line in range(min(size, 4 * MEBIBYTE) // width + 1):
                data = pick.randbytes(width // 2).hex()
                file.write(f"line {line} ä\t{line}.5\t{data}\n".encode())
        Path(self._file.name).chmod(0o644)
        return (f"LOAD DATA LOCAL INFILE '{self._file.name}' INTO TABLE {self._table} "
                "CHARACTER SET utf8mb4 (name, amount, @hex) SET data = UNHEX(@hex);")

    def _savepoint(self):
        """Savepoints need InnoDB: Aria refuses them."""
        table = self._steady
        back = "ROLLBACK TO SAVEPOINT one;" if self._random.random() < 0.5 else ""
        return (f"BEGIN; {self._insert(3, table)} SAVEPOINT one; {self._insert(4, table)} "
                f"SAVEPOINT two; {self._insert(5, table)} ROLLBACK TO SAVEPOINT two; "
                f"{self._insert(1, table)} {back} COMMIT;")

    def _alter(self):
        column = f"extra{self._random.randint(0, 3)}"
        table = self._table
        if self._random.random() < 1 / 3:
            return self._alter_column(table, column)
        return self._random.choice([
            f"ALTER TABLE {table} ENGINE={self._random.choice(self._engines)};",
            f"ALTER TABLE {table} COMMENT='größer {self._random.randint(0, 99)}';"])

    def _alter_column(self, table, column):
        """MySQL has no DROP COLUMN IF EXISTS, and a crash may have undone what was added."""
        if self._traffic.survive:
            return f"ALTER TABLE {table} COMMENT='{column}';"
        drop = f"ALTER TABLE {table} DROP COLUMN {column}; " if column in self._extra else ""
        self._extra.add(column)
        return (f"{drop}ALTER TABLE {table} ADD COLUMN {column} INT "
                f"DEFAULT {self._random.randint(0, 9)};")

    def _create_select(self):
        copy = f"{self._table}_copy{self._random.randint(0, 2)}"
        engine = self._random.choice(self._copy_engines)
        return (f"DROP TABLE IF EXISTS {copy}; CREATE TABLE {copy} ENGINE={engine} "
                f"SELECT id, name, amount, LEFT(data, 100) AS data FROM {self._table} "
                "ORDER BY id LIMIT 200;")

    def _xa(self):
        """XA in the steady table: what is prepared when a server dies keeps its locks."""
        self._xa_count += 1
        name = f"'{self._traffic.run_name}-{self.number}-{self._xa_count}'"
        end = self._random.choice([f"XA PREPARE {name}; XA COMMIT {name};",
                                   f"XA PREPARE {name}; XA ROLLBACK {name};",
                                   f"XA COMMIT {name} ONE PHASE;", f"XA ROLLBACK {name};"])
        return f"XA START {name}; {self._insert(2, self._steady)} XA END {name}; {end}"

    # -- the connection --------------------------------------------------------------------------
    def _do(self, operation, script, size=0):
        """Run the script to its end; what a lost server interrupted is not repeated."""
        self._sequence += 1
        marker = f"done-{self._sequence}"
        text = f"{script}\nSELECT '{marker}';\n".encode()
        if self._send(text, marker):
            self._traffic.count(operation, size)
            return
        words = self._disconnect()
        lost = not words or any(code in words for code in LOST)
        if not (self._traffic.survive and lost):
            words = words[-300:] or "the client ended without a word"  # it repeats the statement
            raise RuntimeError(f"{operation}: {words}")
        self._wait_for_server()

    def _send(self, text, marker):
        if self._process is None:
            self._process = self._traffic.connect()
            text = f"USE {self._traffic.database};\n".encode() + text
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        for line in self._process.stdout:
            if line.rstrip(b"\n") == marker.encode():
                return True
        return False

    def _wait_for_server(self):
        end = time.monotonic() + 60
        while not self._traffic.stopping():
            # A table that was to be replaced when the server died may be gone.
            table = (f"CREATE TABLE IF NOT EXISTS {self._table} ({COLUMNS}) ENGINE=InnoDB;"
                     f"CREATE TABLE IF NOT EXISTS {self._steady} ({COLUMNS}) ENGINE=InnoDB;")
            if self._send(f"{table}SELECT 'again';\n".encode(), "again"):
                self._traffic.count_reconnect()
                return
            words = self._disconnect()
            if time.monotonic() > end:
                raise RuntimeError(f"the server did not come back within a minute: {words}")
            self._traffic.pause(0.1)

    def _disconnect(self):
        """End the client; returns what it said on stderr."""
        if self._process is None:
            return ""
        process, self._process = self._process, None
        try:
            _, words = process.communicate(timeout=60)
        except (BrokenPipeError, ValueError):
            words = process.stderr.read()
            process.wait()
        except subprocess.TimeoutExpired:
            process.kill()
            _, words = process.communicate()
        return words.decode(errors="replace").strip()


class _Gate:
    """Many shared or one exclusive, and those who wait for exclusive go first."""

    def __init__(self):
        self._condition = threading.Condition()
        self._shared, self._exclusive, self._waiting = 0, False, 0

    @contextmanager
    def shared(self):
        with self._condition:
            self._condition.wait_for(lambda: not self._exclusive and not self._waiting)
            self._shared += 1
        try:
            yield
        finally:
            with self._condition:
                self._shared -= 1
                self._condition.notify_all()

    @contextmanager
    def exclusive(self):
        with self._condition:
            self._waiting += 1
            self._condition.wait_for(lambda: not self._exclusive and not self._shared)
            self._waiting -= 1
            self._exclusive = True
        try:
            yield
        finally:
            with self._condition:
                self._exclusive = False
                self._condition.notify_all()


def prepare(server, database, seed):
    """The database with `numbers` (0 … 65535) and `noise` (rows of 64 KiB that do not compress)."""
    pick = random.Random(seed)
    noise = ",".join(f"({index}, X'{pick.randbytes(NOISE_SIZE).hex()}')"
                     for index in range(NOISE_ROWS))
    digits = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(16))
    server.sql(f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4; USE {database};"
               "DROP TABLE IF EXISTS numbers, noise;"
               "CREATE TABLE numbers (n INT PRIMARY KEY) ENGINE=InnoDB;"
               f"INSERT INTO numbers SELECT a.d + 16 * b.d + 256 * c.d + 4096 * e.d FROM ({digits})"
               f" a, ({digits}) b, ({digits}) c, ({digits}) e;"
               "CREATE TABLE noise (id INT PRIMARY KEY, data MEDIUMBLOB) ENGINE=InnoDB;"
               f"INSERT INTO noise VALUES {noise};")


def bulk(server, total_size, seed=1, database="bulk", transaction_size=8 * MEBIBYTE):
    """Commit until the binlogs have grown by `total_size`; returns by how much they have.

    Each transaction is half rows of 1 KiB of text (compressible) and half rows of 64 KiB of noise.
    The tables are emptied as they grow, so that the disk holds little but the binlogs.
    """
    prepare(server, database, seed)
    # The quickest that may take part in a transaction: MySQL with GTIDs allows only InnoDB there.
    engine = server.copy_engines[-1]
    server.sql(f"USE {database}; DROP TABLE IF EXISTS paper, ballast;"
               "CREATE TABLE paper (id INT, account CHAR(20), text VARCHAR(2000)) "
               f"ENGINE={engine};"
               f"CREATE TABLE ballast (id INT, data MEDIUMBLOB) ENGINE={engine};")
    begin = server.binlog_size()
    text_rows = transaction_size // 2 // 1060
    noise_rows = max(1, transaction_size // 2 // NOISE_SIZE)
    grown, number = 0, 0
    while grown < total_size:
        script = "TRUNCATE paper; TRUNCATE ballast;"
        for _ in range(min(16, (total_size - grown) // transaction_size + 1)):
            number += 1
            script += (
                "BEGIN; INSERT INTO paper SELECT n, CONCAT('account ', n), REPEAT(CONCAT("
                f"'transfer ', n * {number}, ' from Zürich to Genève; '), 1024 DIV 40) FROM numbers "
                f"WHERE n < {text_rows}; INSERT INTO ballast SELECT n, "
                f"{_noise(seed * 7919 + number)} FROM numbers, noise WHERE noise.id = n % "
                f"{NOISE_ROWS} AND n < {noise_rows}; COMMIT;")
        server.sql(script, database)
        grown = server.binlog_size() - begin
    server.sql("TRUNCATE paper; TRUNCATE ballast;", database)
    return server.binlog_size() - begin


def _noise(salt):
    """An SQL expression: the noise row enciphered with a key of its own, 64 KiB."""
    return f"LEFT(AES_ENCRYPT(noise.data, UNHEX(SHA2(CONCAT('{salt}-', n), 256))), {NOISE_SIZE})"


def _text(word):
    """A string literal; as hexadecimal, so that any character survives client and shell."""
    return f"CONVERT(X'{word.encode().hex()}' USING utf8mb4)"


def _shares(operations, clients):
    """How many operations each client does."""
    if operations is None:
        return [math.inf] * clients
    return [operations // clients + (number < operations % clients) for number in range(clients)]


class _Socket:
    """The least that Traffic and bulk need of a server, for the command line."""

    engines, copy_engines = ("InnoDB", "MyISAM"), ("InnoDB",)

    def __init__(self, path, program):
        self._path, self._program = path, program

    def client_command(self, *arguments):
        return [self._program, "--no-defaults", f"--socket={self._path}", "--user=root",
                "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--local-infile=1",
                "--batch", *arguments]

    def sql(self, text, database=None):
        result = subprocess.run(
            self.client_command("--skip-column-names", *([database] if database else [])),
            input=text.encode(), capture_output=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(result.stderr.decode(errors="replace").strip())
        return [line.split("\t") for line in result.stdout.decode().splitlines()]

    def binlog_size(self):
        return sum(int(row[1]) for row in self.sql("SHOW BINARY LOGS"))


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="Mixed traffic against a server.")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--client", default="mariadb", help="the client program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--operations", type=int)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--largest", type=int, default=64, help="MiB of the largest transaction")
    parser.add_argument("--database", default="traffic")
    parser.add_argument("--survive", action="store_true", help="wait for a server that went away")
    parser.add_argument("--bulk", type=int, help="instead: so many MiB of binlog, quickly")
    options = parser.parse_args()
    server = _Socket(options.socket, options.client)
    if options.bulk:
        print(f"{bulk(server, options.bulk * MEBIBYTE, options.seed)} bytes of binlog")
        return 0
    traffic = Traffic(server, seed=options.seed, seconds=options.seconds,
                      operations=options.operations, clients=options.clients,
                      largest=options.largest * MEBIBYTE, database=options.database,
                      survive=options.survive)
    try:
        traffic.start().wait(timeout=math.inf if options.seconds is None else
                             options.seconds + 120)
    except KeyboardInterrupt:
        traffic.stop()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    for operation, count in sorted(traffic.done.items()):
        print(f"{operation:14} {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
