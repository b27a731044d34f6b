"""A server that lies: it speaks as much of the MariaDB protocol as a puller asks for, and then what
a test tells it to. Honest by default, so that a lie can be the only thing that is wrong.

    server = HostileServer(scratch, authority, History())
    server.lie = lambda wire, file, position: wire.packet(b"\\xfe")

Owns: a listening socket on a free port of `host` and one thread for each connection; the
scratch's close ends them. Threads: attributes may be set from any; each dump reads them once.
"""

import os
import socket
import ssl
import struct
import threading
import zlib

from . import PROJECT, binlog

HOST = "127.0.0.1"
VARIABLES = "SHOW GLOBAL VARIABLES"  # the beginning of a longer statement
GOLDEN = PROJECT / "tests/golden/mariadb-10.11.binlog"
PAYLOAD_MAX = 0xFFFFFF
HEADER_SIZE, CRC_SIZE, FIRST_POSITION = 19, 4, 4
QUERY, STOP, ROTATE, FORMAT, HEARTBEAT, IGNORABLE, GTID, GTID_LIST = (
    2, 3, 4, 15, 27, 28, 162, 163)
IN_USE, ARTIFICIAL = 1, 0x20
SERVER_ID, STANDALONE = 11, 1

# LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SSL, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 1 | 8 | 1 << 9 | 1 << 11 | 1 << 13 | 1 << 15 | 1 << 19
GREETING = (b"\x0a5.5.5-10.11.99-MariaDB-log\0" + struct.pack("<I", 7) + b"12345678\0"
            + struct.pack("<HBHH", CAPABILITIES & 0xFFFF, 33, 2, CAPABILITIES >> 16)
            + b"\x15" + bytes(10) + b"123456789012\0mysql_native_password\0")
COM_QUIT, COM_QUERY, COM_BINLOG_DUMP = 0x01, 0x03, 0x12
TEXT_COLUMN = 253
COLUMN = (b"\x03def\0\0\0\x01v\0\x0c" + struct.pack("<HIBHB", 33, 1 << 20, TEXT_COLUMN, 0, 0)
          + b"\0\0")


def event(kind, body, end, flags=0, server_id=SERVER_ID, time=1700000000):
    """An event with a right CRC that says it ends at `end` (0: it does not say)."""
    size = HEADER_SIZE + len(body) + CRC_SIZE
    return sign(struct.pack("<IBIIIH", time, kind, server_id, size, end & 0xFFFFFFFF, flags) + body
                + bytes(CRC_SIZE))


def sign(raw):
    """The same bytes with the CRC that belongs to them."""
    return raw[:-CRC_SIZE] + struct.pack("<I", zlib.crc32(raw[:-CRC_SIZE]))


def fake_rotate(name, position=FIRST_POSITION):
    name = name if isinstance(name, bytes) else name.encode()
    return event(ROTATE, struct.pack("<Q", position) + name, 0, ARTIFICIAL, time=0)


def heartbeat(name, position):
    return event(HEARTBEAT, name.encode(), position, time=0)


def format_description():
    """That of a real server's file, not in use."""
    data = GOLDEN.read_bytes()
    size = struct.unpack_from("<I", data, FIRST_POSITION + 9)[0]
    return data[FIRST_POSITION:FIRST_POSITION + size]


class History:
    """One binlog file that grows: FORMAT_DESCRIPTION, GTID_LIST and whatever is added.

    `gtids` are what the list names: [(domain, server id, last number)]."""

    def __init__(self, name="hostile-bin.000001", seed=b"a", count=3, gtids=()):
        self.name, self._seed = name, seed
        self.events = [format_description()]
        self.add(GTID_LIST, struct.pack("<I", len(gtids)) + b"".join(
            struct.pack("<IIQ", *gtid) for gtid in gtids))
        for _ in range(count):
            self.grow()

    @property
    def size(self):
        return FIRST_POSITION + sum(map(len, self.events))

    @property
    def bytes(self):
        return b"\xfebin" + b"".join(self.events)

    def next_event(self, kind, body, **fields):
        """The event that would stand at the end of the file."""
        return event(kind, body, self.size + HEADER_SIZE + len(body) + CRC_SIZE, **fields)

    def add(self, kind, body):
        self.events.append(self.next_event(kind, body))

    def load(self, data):
        """Be a real server's file instead."""
        self.events = [data[at:at + size] for _, at, size in binlog.events(data)]

    def gtids(self):
        """What the next file's list has to name, if this one's names nothing."""
        last = {}
        for raw in self.events:
            if raw[4] == GTID:
                server_id, = struct.unpack_from("<I", raw, 5)
                number, domain = struct.unpack_from("<QI", raw, HEADER_SIZE)
                last[domain, server_id] = number
        return [(*group, number) for group, number in last.items()]

    def grow(self, size=100):
        self.add(IGNORABLE, self._seed * size)

    def transact(self, number):
        """A transaction of one statement with the GTID 0-11-number."""
        self.add(GTID, struct.pack("<QIB6x", number, 0, STANDALONE))
        self.add(QUERY, bytes(14) + b"CREATE TABLE t (i INT)")

    def end(self, next_name, how):
        """No more comes: by a ROTATE, by a STOP, or without a word as after a crash."""
        if how == "rotate":
            self.add(ROTATE, struct.pack("<Q", FIRST_POSITION) + next_name.encode())
        elif how == "stop":
            self.add(STOP, b"")

    def following(self, position):
        """The events from `position` on."""
        at, found = FIRST_POSITION, []
        for raw in list(self.events):
            if at >= position:
                found.append(raw)
            at += len(raw)
        return found


def _row(*values):
    """A row's packet; None is NULL."""
    return b"".join(
        b"\xfb" if value is None else
        b"\xfd" + struct.pack("<I", len(value))[:3] + value.encode() for value in values)


class Wire:
    """One connection after TLS: packets, and the bytes beneath."""

    def __init__(self, connection, raw):
        self._connection, self._raw, self.sequence = connection, raw, 0
        self.left = None  # bytes until the connection breaks off, None: it does not
        self.packet_count, self.packets_left = 0, None  # sent by `packet`; the same, in packets

    def secured(self, connection):
        """It goes on with TLS."""
        self._connection, self.sequence = connection, 0

    def bytes(self, data):
        """Inside TLS, as they are."""
        if self.left is None:
            self._connection.sendall(data)
            return
        self._connection.sendall(data[:self.left])
        self.left -= len(data)
        if self.left < 0:
            raise ConnectionError("broken off, as the test wants it")

    def plain(self, data):
        """Beneath TLS."""
        self._raw.sendall(data)

    def packet(self, payload):
        if self.packets_left is not None and self.packet_count >= self.packets_left:
            raise ConnectionError("broken off between two packets, as the test wants it")
        self.packet_count += 1
        while True:
            part, payload = payload[:PAYLOAD_MAX], payload[PAYLOAD_MAX:]
            self.bytes(struct.pack("<I", len(part) | self.sequence << 24) + part)
            self.sequence = (self.sequence + 1) % 256
            if len(part) < PAYLOAD_MAX:
                return

    def packet_begin(self, payload):
        """Only the full physical packets of a payload that goes on."""
        for at in range(0, len(payload) - PAYLOAD_MAX + 1, PAYLOAD_MAX):
            self.bytes(struct.pack("<I", PAYLOAD_MAX | self.sequence << 24)
                       + payload[at:at + PAYLOAD_MAX])
            self.sequence = (self.sequence + 1) % 256

    def event(self, raw):
        self.packet(b"\0" + raw)

    def error(self, number, text):
        self.packet(b"\xff" + struct.pack("<H", number) + b"#HY000" + text)

    def ok(self):
        self.packet(b"\0\0\0\2\0\0\0")

    def rows(self, values):
        """A result: texts for one column, tuples for several."""
        rows = [value if isinstance(value, tuple) else (value,) for value in values]
        self._columns(len(rows[0]) if rows else 1)
        for row in rows:
            self.packet(_row(*row))
        self.packet(b"\xfe\0\0\2\0")

    def rows_without_end(self, *values):
        self._columns(len(values))
        self.packets_without_end(_row(*values))

    def packets_without_end(self, payload):
        """The same one again and again, as fast as it goes."""
        head = struct.pack("<I", len(payload))[:3]
        every = b"".join(head + bytes([(self.sequence + i) % 256]) + payload for i in range(256))
        while True:
            self.bytes(every * 16)

    def rows_begin(self, count=1):
        """The head of a result; its rows follow, each by `row`."""
        self._columns(count)

    def row(self, *values):
        self.packet(_row(*values))

    def columns_without_end(self):
        """The head of a result that never comes to its rows."""
        self.packet(b"\x01")
        self.packets_without_end(COLUMN)

    def _columns(self, count=1):
        self.packet(bytes([count]))
        for _ in range(count):
            self.packet(COLUMN)
        self.packet(b"\xfe\0\0\2\0")

    def read_packet(self):
        head = self._read(4)
        self.sequence = (head[3] + 1) % 256
        return self._read(head[0] | head[1] << 8 | head[2] << 16)

    def _read(self, size):
        data = b""
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise ConnectionError("the client has gone")
            data += part
        return data


class HostileServer:
    """`lie(wire, file, position)` answers dumps while it is set; `answers` are those to SQL, texts,
    lists of texts or functions of the wire. `greeting(wire)` and `login(wire)` take the place of
    the greeting, beneath TLS, and of the answer to the login."""

    def __init__(self, scratch, authority, history, heartbeat_seconds=0.5, host=HOST,
                 certificate=None):
        self.history, self.lie, self.greeting, self.login = history, None, None, None
        self.earlier = []  # histories of the files before it, each ended
        self.heartbeat_seconds, self.delay_seconds = heartbeat_seconds, 0
        self.answers = self.honest_answers()
        self.dumps = []  # (file, position) of each that was asked for
        self.packet_limit = lambda: None  # asked for at each connection: after how many it breaks
        self.wires = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = certificate or authority.server
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._connections, self._ended = [], threading.Event()
        self._listener = socket.create_server((host, 0))
        self.host, self.port = self._listener.getsockname()
        scratch.defer(self.stop)
        threading.Thread(target=self._accept, daemon=True).start()

    def honest_answers(self):
        return {
            "SELECT @@global.server_id": "11", "SHOW GRANTS":
            "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `binvault`@`%`",
            "SELECT CURRENT_USER(), USER(), CURRENT_ROLE()": [
                ("binvault@%", "binvault@localhost", None)],
            VARIABLES: [("log_bin", "ON"), ("binlog_checksum", "CRC32"), ("binlog_format", "ROW")],
            "SHOW MASTER STATUS": [(self.history.name, str(FIRST_POSITION), "", "")],
            "SHOW BINARY LOGS": [
                (history.name, str(FIRST_POSITION + len(history.bytes)))
                for history in self.earlier + [self.history]]}

    def stop(self):
        self._ended.set()
        self._listener.close()
        self.cut()

    def cut(self):
        """End all connections."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def honest(self, wire, file, position):
        """What a server does: from `position` to the end of the last file, and on as that grows."""
        files = self.earlier + [self.history]
        number = [history.name for history in files].index(file)
        for history in files[number:-1]:
            self.begin(wire, history.name, position, history)
            for raw in history.following(max(position, FIRST_POSITION + 1)):
                wire.event(raw)
            position = FIRST_POSITION
        history, sent = self.history, position
        self.begin(wire, history.name, position)
        while True:
            for raw in history.following(max(sent, FIRST_POSITION + 1)):
                wire.event(raw)
            sent = history.size
            wire.event(heartbeat(history.name, sent))
            if self._ended.wait(self.heartbeat_seconds):
                return

    def begin(self, wire, file, position, history=None):
        """The part before the events: ROTATE and FORMAT_DESCRIPTION."""
        wire.event(fake_rotate(file, position))
        first = (history or self.history).events[0]
        if position > FIRST_POSITION:
            first = sign(first[:13] + bytes(4) + first[17:])
        wire.event(first)

    def through(self, wire, file, position):
        """Honest up to what the history holds now, so that a lie can follow."""
        self.begin(wire, file, position)
        for raw in self.history.following(max(position, FIRST_POSITION + 1)):
            wire.event(raw)

    # -- the conversation --------------------------------------------------------------------------
    def _accept(self):
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        raw = socket.socket(fileno=os.dup(connection.fileno()))
        try:
            with raw:
                self._converse(connection, raw)
        except (OSError, ValueError):
            pass  # the client has gone, or the test has ended it
        finally:
            connection.close()

    def _converse(self, connection, raw):
        if self.greeting:
            self.greeting(Wire(connection, raw))
            return
        wire = Wire(connection, raw)
        wire.packets_left = self.packet_limit()
        self.wires.append(wire)
        self._ended.wait(self.delay_seconds)
        wire.packet(GREETING)
        wire.read_packet()  # the request for TLS
        with self._context.wrap_socket(connection, server_side=True) as secured:
            self._connections.append(secured)
            wire.secured(secured)
            wire.read_packet()  # the login
            self._ended.wait(self.delay_seconds)
            if self.login:
                self.login(wire)
                return
            wire.ok()
            while self._answer(wire, wire.read_packet()):
                pass

    def _answer(self, wire, command):
        self._ended.wait(self.delay_seconds)
        if command[0] == COM_QUERY:
            self._query(wire, command[1:].decode())
        elif command[0] == COM_BINLOG_DUMP:
            position, file = struct.unpack_from("<I", command, 1)[0], command[11:].decode()
            self.dumps.append((file, position))
            (self.lie or self.honest)(wire, file, position)
            return False
        return command[0] != COM_QUIT

    def _query(self, wire, text):
        answer = self.answers.get(VARIABLES if text.startswith(VARIABLES) else text)
        if callable(answer):
            answer(wire)
        elif answer is not None:
            wire.rows([answer] if isinstance(answer, str) else answer)
        else:
            wire.ok()
