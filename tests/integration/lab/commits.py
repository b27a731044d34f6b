"""Clients whose transactions have names, and which of them have returned from COMMIT.

    commits = Commits(server, seed=1)
    commits.prepare()                 # the tables; like every commit it waits for semi-sync
    commits.start()
    commits.take_returned()           # the names of those that returned since the last call
    commits.stop()
    names(bytes)                      # those that stand in binlog events

A name is the number client * 10^8 + transaction, written into the one row of the client's table that
the transaction inserts. What it does beside that is in another table, so that a name stands in no
other transaction. One whose client lost its server is never tried again: nobody knows of it.

Owns: one thread and one client process a client. Threads: all methods may be used from the thread
that made it. Crash: a server that goes away is waited for, up to `patience` seconds; every other
error is a failure, which `check` raises.
"""

import random
import re
import subprocess
import threading
import time

from .traffic import LOST

DATABASE = "commits"
NAME = re.compile(rb"commit-(\d{2})-(\d{8})\.")
LARGEST = 3 << 20  # larger than a frame, and than what the puller holds


def names(content):
    """The names of the transactions in these bytes."""
    return {int(client) * 10**8 + int(number) for client, number in NAME.findall(content)}


class Commits:
    """`clients` clients of `server`; what each does depends on the seed alone."""

    def __init__(self, server, seed=1, clients=4, patience=90):
        self.server, self.patience = server, patience
        self._clients = [_Client(self, number, seed) for number in range(clients)]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._returned, self._failures = [], []
        self._threads = []
        self.count = 0  # how many have returned in all

    def prepare(self):
        """Make the database and its tables."""
        self.server.sql(f"CREATE DATABASE {DATABASE}")
        for client in self._clients:
            self.server.sql(client.tables(), DATABASE)

    def start(self):
        self._stop.clear()
        self._threads = [threading.Thread(target=self._guarded, args=(client,), daemon=True)
                         for client in self._clients]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout=180):
        """Each client finishes its transaction, which must return; then as check."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)
            if thread.is_alive():
                raise RuntimeError(f"a commit has not returned within {timeout} s")
        self.check()

    def check(self):
        """RuntimeError if something went wrong."""
        if self._failures:
            raise RuntimeError("; ".join(self._failures))

    def take_returned(self):
        """The names of the transactions whose COMMIT has returned since the last call."""
        with self._lock:
            taken, self._returned = self._returned, []
        return taken

    def committed(self):
        """The names of all transactions that the server holds."""
        return {client.name(number) for client in self._clients
                for number in client.committed()}

    # -- for the clients -------------------------------------------------------------------------
    def stopping(self):
        return self._stop.is_set()

    def pause(self, seconds):
        self._stop.wait(seconds)

    def returned(self, name):
        with self._lock:
            self._returned.append(name)
            self.count += 1

    def _guarded(self, client):
        try:
            while not self.stopping():
                client.transact()
        except Exception as error:
            self._failures.append(f"client {client.number}: {error}")
            self._stop.set()
        finally:
            client.disconnect()


class _Client:
    """One connection, one transaction after the other."""

    def __init__(self, commits, number, seed):
        self.number, self._commits = number, commits
        self._random = random.Random(f"{seed}.{number}")
        self._process, self._count = None, 0

    def name(self, number):
        return self.number * 10**8 + number

    def tables(self):
        return (f"CREATE TABLE named{self.number} (id INT PRIMARY KEY, name CHAR(19), "
                "data LONGBLOB) ENGINE=InnoDB;"
                f"CREATE TABLE other{self.number} (id INT PRIMARY KEY AUTO_INCREMENT, data BLOB) "
                "ENGINE=InnoDB;")

    def committed(self):
        return [int(row[0]) for row in
                self._commits.server.sql(f"SELECT id FROM {DATABASE}.named{self.number}")]

    def transact(self):
        self._count += 1
        if self._send(self._script(self._count), f"returned {self._count}"):
            self._commits.returned(self.name(self._count))
            if self._random.random() < 0.3:
                self._commits.pause(self._random.uniform(0, 0.02))
            return
        self._explain()
        self._wait_for_server()

    def _script(self, number):
        insert = (f"INSERT INTO named{self.number} VALUES ({number}, "
                  f"'commit-{self.number:02}-{number:08}.', {self._data()});")
        kind = self._random.choices(
            ["single", "transaction", "after a rollback", "rotation"], [70, 20, 6, 0.3])[0]
        if kind == "single":
            return insert
        other = (f"INSERT INTO other{self.number} (data) VALUES ('{'x' * 50}'), ('y');"
                 f"UPDATE other{self.number} SET data = 'z' ORDER BY id DESC LIMIT 1;"
                 f"DELETE FROM other{self.number} ORDER BY id LIMIT 1;")
        if kind == "transaction":
            return f"BEGIN; {other} {insert} {other} COMMIT;"
        if kind == "after a rollback":
            return f"BEGIN; {other} ROLLBACK; {insert}"
        return f"FLUSH BINARY LOGS; {insert}"

    def _data(self):
        """Mostly small; now and then more than a frame holds."""
        limit = self._random.choices([200, 20_000, LARGEST], [90, 9, 0.3])[0]
        return f"REPEAT(X'{self._random.randbytes(40).hex()}', {self._random.randint(0, limit) // 40})"

    # -- the connection --------------------------------------------------------------------------
    def _send(self, text, answer):
        """True when all of it was done and the server has said so."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._commits.server.client_command("--unbuffered", "--skip-column-names",
                                                    "--binary-mode", DATABASE),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self._process.stdin.write(f"{text}\nSELECT '{answer}';\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return self._process.stdout.readline() == f"{answer}\n".encode()

    def _explain(self):
        """The client has ended: it must be because the server went away."""
        words = self.disconnect()
        if words and not any(code in words for code in LOST):
            raise RuntimeError(words[-300:])

    def _wait_for_server(self):
        end = time.monotonic() + self._commits.patience
        while not self._commits.stopping():
            if self._send("", "again"):
                return
            self._explain()
            if time.monotonic() > end:
                raise RuntimeError(f"the server did not come back in {self._commits.patience} s")
            self._commits.pause(0.1)

    def disconnect(self):
        """End the client; returns what it said on stderr."""
        if self._process is None:
            return ""
        process, self._process = self._process, None
        try:
            _, words = process.communicate(timeout=60)
        except (BrokenPipeError, ValueError):
            words = process.stderr.read()
            process.wait()
        return words.decode(errors="replace").strip()


class Commit:
    """One statement in a thread of its own, which may have to wait."""

    def __init__(self, server, statement):
        self.error, self.done = None, threading.Event()
        self._arguments = (server, statement)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        server, statement = self._arguments
        try:
            server.sql(statement)
        except RuntimeError as error:
            self.error = error
        self.done.set()

    def returned(self, timeout=0.0):
        if not self.done.wait(timeout):
            return False
        if self.error:
            raise self.error
        return True
