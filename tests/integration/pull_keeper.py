"""A keeper for the tests of the puller alone: it speaks src/protocol/pull_messages.h and knows every
key, keeps segments as plain files, and can be told to be away, to refuse and to forget.

Owns: the socket, one thread, and the segment files in `directory`. Threads: the public methods are
for the test's thread; what both threads use is replaced whole or only appended to.
"""

import os
import secrets
import socket
import struct
import threading
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .lab.archive import reader


(HELLO, FAILURE, ATTACH, ATTACHED, OPEN, OPENED, PROGRESS, CLOSED, STATE, SEMI_SYNC, OBSERVED,
 CONTROL, DAMAGED) = (1, 2, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 28)
START, RESUME, NEXT, CONTINUE = range(4)
UNAVAILABLE, NO_SPACE, NOT_FOUND = -5, -6, -8
STATES = ("connecting", "streaming", "waiting", "refused", "paused", "limited")
PULL, PAUSE, LIMIT = range(3)
REASONS = ("", "failover", "reset", "diverged", "purged", "jumped")
GTIDS = "<BHH2560s"  # a set of GTIDs: known, count, size, bytes
BLOCK = 4096
FIRST_POSITION = 4


class Segment:
    """One segment file and its key."""

    def __init__(self, path, request):
        (identity, generation, file_id, name, start, gtids, reason, self.before, after_file,
         self.after_position, self.gap, sentence) = struct.unpack(
             "<64s32s32s129sQ2565sB32s129sQB512s", request)
        self.gtids, self.reason = gtids, REASONS[reason]
        self.after_file, self.sentence = (text.rstrip(b"\0").decode()
                                          for text in (after_file, sentence))
        self.path, self.identity, self.generation, self.file_id = path, identity, generation, file_id
        self.file, self.start = name.rstrip(b"\0").decode(), start
        self.id, self.closed = secrets.token_bytes(16), False
        self.header = struct.pack(
            "<8s4I2Q16s16s16s8x32s32s64s128s64s608x", b"BVSEG\r\n\x1a", 0, 0, 0, BLOCK, start,
            int(time.time() * 1e6), b"archive-for-test", self.id, b"period--for-test", generation,
            file_id, b"orders", self.file.encode(), identity)
        period = b"\x07" * 32
        self.key = reader.segment_key(period, self.header)
        with open(path, "xb") as file:
            file.write(self.header.ljust(BLOCK, b"\0"))

    def read(self):
        """What stands in the file, torn tail or not: dictionary of `events` (bytes up to the good
        end), `summary`, `end` (None without END), `sessions`, `frames` [(kind, nonce)]."""
        data = self.path.read_bytes()
        cipher, offset = AESGCM(self.key), BLOCK
        state = {"position": self.start, "sequence": 0, "sessions": 0,
                 "summary": dict.fromkeys(reader.SUMMARY, 0) | {"event_end": self.start,
                                                                "transaction_end": self.start}}
        found = {"events": b"", "end": None, "sessions": [], "frames": [], "ranges": []}
        parts = []
        while offset < len(data):
            try:
                frame = reader.read_frame(cipher, data, offset, BLOCK)
            except reader.Defect:
                break
            found["frames"].append((frame["kind"], data[offset + 36:offset + 48]))
            if frame["kind"] == reader.END:
                found["end"] = reader.read_end(frame["plain"], BLOCK, offset)
                break
            if frame["kind"] == reader.SESSION:
                found["sessions"].append(frame["plain"])
            else:
                events, ranges = reader.read_data(frame, state)
                parts.append(events)
                found["ranges"] += ranges
            state["sequence"] += 1
            offset += frame["total"]
        found["summary"] = state["summary"]
        found["events"] = b"".join(parts)[:state["summary"]["event_end"] - self.start]
        return found

    def strict(self):
        """The reference reader accepts it as a whole, sealed segment; returns (header, end)."""
        header, end, _ = reader.read_segment(self.path.read_bytes(), self.key, False)
        return header, end


class Observed:
    """What OBSERVED says: `files` is [(name, size, encrypted)]."""

    def __init__(self, body, descriptors):
        (self.time, server, sentence, self.server_time, self.read_only, self.expire_usec,
         self.size_limit, self.semi_sync, self.clients, self.acknowledged, self.not_acknowledged,
         count, file, self.given_position, given, gtids) = struct.unpack(
             "<Q128s512sQBQQB3QI129sQ8192s8192s", body)
        self.given_file, self.given_gtids = (
            text.rstrip(b"\0").decode() for text in (file, given))
        self.server, self.sentence, self.gtids = (
            text.rstrip(b"\0").decode() for text in (server, sentence, gtids))
        self.files = []
        for descriptor in descriptors:
            with open(descriptor, "rb") as file:
                file.seek(0)
                data, offset = file.read(), 0
            while offset < len(data):
                size, encrypted, length = struct.unpack_from("<QBB", data, offset)
                offset += 10 + length
                self.files.append((data[offset - length:offset].decode(), size, bool(encrypted)))
        if len(self.files) != count:
            raise AssertionError(f"{count} files are announced, {len(self.files)} are listed")


class Keeper:
    """Listens at `socket_path` from start() to away()."""

    def __init__(self, directory, socket_path):
        self.directory, self.socket_path = directory, str(socket_path)
        self.segments, self.states, self.progress, self.attaches = [], [], [], []
        self.damaged = []  # (segment's id, file, position, length, CRC), as told
        self.refusal = None  # (code, sentence): the answer to OPEN_SEGMENT
        self.room = 0  # for so many segments, before it is
        self.forgets = False  # held segments are not known
        self.connections, self.caught_up = [], 0  # as STATE said
        self.semi_sync = []  # (on, sentence, since, file, position, acknowledged, others)
        self.observed = []  # Observed, one for each OBSERVED
        self._control = struct.pack("<BQ512s", PULL, 0, b"")
        self.begin = ""  # with nothing sealed: the file to begin with, "" as configured
        self._listener = self._connection = self._thread = None
        self._stopping = False

    def start(self):
        self._stopping = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.socket_path)
        self._listener.listen(4)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def away(self):
        """As if it had died: the socket is gone and the connection closed."""
        self._stopping = True
        os.unlink(self.socket_path)
        for end in (self._listener, self._connection):
            if end:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self._listener.close()
        self._thread.join(10)

    # -- what the tests ask ------------------------------------------------------------------------
    @property
    def state(self):
        """(state, sentence) as told last."""
        return self.states[-1][:2] if self.states else ("", "")

    def told(self, state, words=""):
        return any(s == state and words in sentence for s, sentence, _ in self.states)

    def is_synchronous(self):
        return bool(self.semi_sync) and self.semi_sync[-1][0]

    def file_bytes(self, name):
        """The binlog file as it can be put together from the segments; fails at a hole."""
        position, parts = FIRST_POSITION, []
        for segment in sorted((s for s in self.segments if s.file == name), key=lambda s: s.start):
            events = segment.read()["events"]
            if segment.start != position:
                raise AssertionError(f"{name}: a segment begins at {segment.start}, not {position}")
            parts.append(events)
            position += len(events)
        return b"\xfebin" + b"".join(parts)

    def good_end(self, name):
        return max((s.start + len(s.read()["events"]) for s in self.segments if s.file == name),
                   default=0)

    def nonces(self):
        """Of all frames of all segments."""
        return [(s.id, nonce) for s in self.segments for _, nonce in s.read()["frames"]]

    # -- the conversation --------------------------------------------------------------------------
    def _run(self):
        while not self._stopping:
            try:
                self._connection, _ = self._listener.accept()
            except OSError:
                return
            with self._connection:
                try:
                    while self._answer(*socket.recv_fds(self._connection, 65536, 4)[:2]):
                        pass
                except OSError:
                    pass

    def _send(self, kind, body, fds=()):
        socket.send_fds(self._connection, [struct.pack("<HHI", kind, 1, len(body)) + body],
                        list(fds))

    def _fail(self, code, sentence):
        self._send(FAILURE, struct.pack("<i512s", code, sentence.encode()))

    def control(self, kind, sentence="", until=0):
        """Say now and at each ATTACH whether the source may be pulled."""
        self._control = struct.pack("<BQ512s", kind, until, sentence.encode())
        self._send(CONTROL, self._control)

    def _answer(self, message, descriptors):
        if not message:
            return False
        kind, body = struct.unpack_from("<H", message)[0], message[8:]
        if kind == HELLO:
            self._send(HELLO, struct.pack("<32s32s32s", b"binvault-keeper", b"test", b""))
        elif kind == ATTACH:
            self._attach(body)
        elif kind == OPEN:
            self._open(body)
        elif kind == PROGRESS:
            self.progress.append((time.monotonic(), *struct.unpack("<16s6QI16s", body)))
        elif kind == CLOSED:
            self._find(body[:16]).closed = True
        elif kind == DAMAGED:
            segment_id, file, *rest = struct.unpack("<16s129sQII", body)
            self.damaged.append((segment_id, file.rstrip(b"\0").decode(), *rest))
        elif kind == STATE:
            state, retry, _, sentence, connection, caught_up = struct.unpack(
                "<BQ128s512s37sQ", body)
            self.states.append((STATES[state], sentence.rstrip(b"\0").decode(), retry))
            self.connections.append(connection.rstrip(b"\0").decode())
            self.caught_up = max(self.caught_up, caught_up)
        elif kind == SEMI_SYNC:
            on, since, sentence, file, *rest = struct.unpack("<BQ512s129s3Q", body)
            self.semi_sync.append((bool(on), sentence.rstrip(b"\0").decode(), since,
                                   file.rstrip(b"\0").decode(), *rest))
        elif kind == OBSERVED:
            self.observed.append(Observed(body, descriptors))
        return True

    def _find(self, segment_id):
        return next(s for s in self.segments if s.id == segment_id)

    def _attach(self, body):
        held = body[0] != 0
        self.attaches.append(held)
        self._send(CONTROL, self._control)
        if held and self.forgets:
            self._fail(NOT_FOUND, "the segment that is held is not open any more")
        elif held:
            self._send(ATTACHED, struct.pack("<B2979x", CONTINUE))
        else:
            self._send(ATTACHED, self._place())

    def _place(self):
        for segment in reversed(self.segments):
            found = segment.read()
            summary = found["summary"]
            if not summary["event_count"]:
                continue
            following = found["end"]["next_file"] if found["end"] else ""
            return struct.pack("<B64s32s32s129s129sQQIQ2565s", NEXT if following else RESUME,
                               segment.identity, segment.generation, segment.file_id,
                               segment.file.encode(), following.encode(), summary["event_end"],
                               summary["last_event_position"], summary["last_event_crc"],
                               self._transaction_end(segment), self._archived(segment, found))
        return struct.pack("<B257x129s2593x", START, self.begin.encode())

    def _transaction_end(self, last):
        for segment in reversed(self.segments[:self.segments.index(last) + 1]):
            summary = segment.read()["summary"]
            if segment.file_id != last.file_id:
                break
            if summary["transaction_count"]:
                return summary["transaction_end"]
        return FIRST_POSITION

    @staticmethod
    def _archived(segment, found):
        """What was archived before the segment, and its own ranges: a set, as the real keeper's."""
        known, count, size, encoded = struct.unpack(GTIDS, segment.gtids)
        if not known:
            return segment.gtids
        ranges, offset = list(found["ranges"]), 0
        for _ in range(count):
            length = encoded[offset]
            group = encoded[offset + 1:offset + 1 + length]
            first, last = struct.unpack_from("<QQ", encoded, offset + 1 + length)
            ranges.append((group, first, last))
            offset += 1 + length + 16
        united = []
        for group, first, last in sorted(ranges):
            if united and united[-1][0] == group and first <= united[-1][2] + 1:
                united[-1] = (group, united[-1][1], max(last, united[-1][2]))
            else:
                united.append((group, first, last))
        body = b"".join(bytes([len(group)]) + group + struct.pack("<QQ", first, last)
                        for group, first, last in united)
        return struct.pack(GTIDS, 1, len(united), len(body), body)

    def _open(self, body):
        if self.refusal and len(self.segments) >= self.room:
            self._fail(*self.refusal)
            return
        segment = Segment(self.directory / f"{len(self.segments):03}.seg", body)
        descriptor = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_DIRECT)
        self.segments.append(segment)
        try:
            self._send(OPENED, segment.header + segment.key, [descriptor])
        finally:
            os.close(descriptor)
