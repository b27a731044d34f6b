"""A server that lies: after each lie the puller lives, names the cause, and has archived nothing
that is wrong; as soon as the server is honest again, what it has is archived whole."""

import functools
import itertools
import random
import re
import signal
import struct
import threading
import time
import unittest

from tests.integration.lab import processes, program
from tests.integration.lab.hostile import (FIRST_POSITION, GREETING, GTID_LIST, HEADER_SIZE,
                                           IGNORABLE, IN_USE, QUERY, ROTATE, HostileServer,
                                           History, event, fake_rotate, heartbeat, sign)
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import Process, wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.token import Token
from tests.integration.lab.traffic import MEBIBYTE
from tests.integration.lab.vault import Vault
from tests.integration.pull_keeper import Keeper

QUICK = True

RESIDENT_MAX = 64 * MEBIBYTE
NAME = "hostile-bin.000001"

# Of a SIGTERM; the second when it comes before the puller has begun to listen to it.
STOPPED = (0, -signal.SIGTERM)
FOREVER = 3600


class Scene:
    """One hostile server, one puller and one keeper."""

    def __init__(self, scratch, authority, name, **source):
        directory = scratch.directory(name)
        self.history = History()
        self.server = HostileServer(scratch, authority, self.history)
        runtime = scratch.directory(f"{name}/run")
        self.keeper = Keeper(scratch.directory(f"{name}/segments"), runtime / "pull-orders.sock")
        self.keeper.start()
        options = {"servers": f"{self.server.host}:{self.server.port}", "server-id": 990017,
                   "user": "binvault", "credential": "none", "tls-ca": authority.certificate,
                   "tls-certificate": authority.client.certificate,
                   "tls-key": authority.client.key, "heartbeat": "1s", "start": "oldest", **source}
        configuration = directory / "binvault.conf"
        configuration.write_text(
            f"[archive]\nname = test\nvolume = {directory}\nruntime = {runtime}\n"
            "frame-delay = 10ms\n[hsm]\nmodule = /none\ntoken-label = none\nstate = /none\n"
            "pin-source = file:/none\n[export]\npath = /none\n[source orders]\n"
            + "".join(f"{key} = {value}\n" for key, value in options.items()))
        self._start = lambda: Process(scratch, name, [program("binvault-pull"), "--config",
                                                      configuration, "orders"])
        self.puller = None

    def start(self):
        self.puller = self._start()

    def wait(self, predicate, what, timeout=20):
        def checked():
            if not self.puller.running():
                raise AssertionError(f"the puller has ended: {self.puller.tail()}")
            return predicate()
        return wait_until(checked, timeout, lambda: f"{what}: {self.keeper.states}\n"
                                                    f"{self.puller.tail()}")

    def archived(self):
        """What the segments hold of the file, up to its good end."""
        return self.keeper.file_bytes(NAME)

    def wait_archived(self, timeout=20):
        self.wait(lambda: self.archived() == self.history.bytes, "the history is archived", timeout)

    def told(self, state, words):
        """Has a sentence with `words` been told in `state`? Both are regular expressions."""
        return any(re.fullmatch(state, told) and re.search(words, sentence)
                   for told, sentence, _ in self.keeper.states)

    def wait_told(self, state, words):
        self.wait(lambda: self.told(state, words), f"{state}: {words}", 30)

    def restart(self):
        """In good order."""
        if self.puller.stop() != 0:
            raise AssertionError(f"no orderly end: {self.puller.tail()}")
        self.start()

    def be_honest(self):
        """From now on; and there is something new."""
        self.server.lie = self.server.greeting = self.server.login = None
        self.server.answers = self.server.honest_answers()
        self.history.grow()
        self.server.cut()

    def finish(self):
        """The server has become honest: all of it comes, in segments that the reference reader
        accepts."""
        self.wait_archived(75)
        if self.puller.stop() != 0:
            raise AssertionError(f"no orderly end: {self.puller.tail()}")
        for segment in self.keeper.segments:
            segment.strict()
        if self.archived() != self.history.bytes:
            raise AssertionError("the archive is not the history")


# --- lies: functions of (scene, wire, file, position) ---------------------------------------------

def after(make):
    """All that is archived, and then the packets or events that `make(scene)` gives."""
    def lie(scene, wire, file, position):
        scene.server.through(wire, file, position)
        for raw in make(scene):
            wire.event(raw)
        time.sleep(FOREVER)
    return lie


def instead(make):
    """Nothing that is archived: the events that `make(scene, file, position)` gives."""
    def lie(scene, wire, file, position):
        for raw in make(scene, file, position):
            wire.event(raw)
        time.sleep(FOREVER)
    return lie


def unless_whole(lie):
    """A server whose history turns out to be another is asked for the file from its beginning: of
    that it says nothing, so that the test's honest server can go on with the archived one."""
    def wrapped(scene, wire, file, position):
        if position > FIRST_POSITION:
            lie(scene, wire, file, position)
        time.sleep(FOREVER)
    return wrapped


def packet(make):
    """All that is archived, and then one packet that is no event."""
    def lie(scene, wire, file, position):
        scene.server.through(wire, file, position)
        wire.packet(make(scene))
        time.sleep(FOREVER)
    return lie


def new_event(scene, **fields):
    return scene.history.next_event(IGNORABLE, b"new" * 100, **fields)


def without_room(scene):
    """An event of a header and 2 bytes."""
    raw = event(IGNORABLE, b"", 0)[:-2]
    return raw[:9] + struct.pack("<I", len(raw)) + raw[13:]


def with_length(raw, length):
    return sign(raw[:9] + struct.pack("<I", length) + raw[13:])


def with_end(raw, end):
    return sign(raw[:13] + struct.pack("<I", end) + raw[17:])


def real_rotate(scene, name):
    """The event that ends a file, with a right CRC."""
    return scene.history.next_event(ROTATE, struct.pack("<Q", FIRST_POSITION) + name.encode())


def without_checksums(raw):
    """A FORMAT_DESCRIPTION of a file whose events have no CRC; it has one itself."""
    return sign(raw[:-5] + b"\0" + raw[-4:])


def old_format(raw):
    """A FORMAT_DESCRIPTION of the binlogs of MySQL 4."""
    return sign(raw[:HEADER_SIZE] + b"\3\0" + raw[HEADER_SIZE + 2:])


def flipped(raw):
    return raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:]


def randomly_flipped(raw):
    at = random.randrange(HEADER_SIZE, len(raw))
    return raw[:at] + bytes([raw[at] ^ random.randrange(1, 256)]) + raw[at + 1:]


def other_history(scene, file, position):
    """Another history under the same name, as long as ours."""
    other = History(seed=b"b")
    yield fake_rotate(file, position)
    yield with_end(other.events[0], 0)
    yield from other.following(position)


def garbage_beneath_tls(scene, wire, file, position):
    scene.server.through(wire, file, position)
    wire.plain(b"\x17\x03\x03\x40\x00" + b"garbage" * 4000)
    time.sleep(FOREVER)


def wrong_sequence(scene, wire, file, position):
    scene.server.through(wire, file, position)
    wire.sequence = (wire.sequence + 1) % 256
    wire.event(new_event(scene))
    time.sleep(FOREVER)


def cut_within_event(scene, wire, file, position):
    scene.server.through(wire, file, position)
    raw = b"\0" + new_event(scene)
    wire.bytes(struct.pack("<I", len(raw) | wire.sequence << 24) + raw[:100])


def endless_packets(scene, wire, file, position):
    """An event that is longer than its header says, by ever more packets."""
    scene.server.through(wire, file, position)
    raw = with_end(with_length(new_event(scene), 8 * MEBIBYTE), 0)
    wire.packet(b"\0" + raw + bytes(16 * MEBIBYTE))
    for _ in range(4):
        wire.packet(bytes(16 * MEBIBYTE))


def only_heartbeats(scene, wire, file, position):
    """As if nothing stood where the last archived event does."""
    scene.server.begin(wire, file, position)
    while True:
        wire.event(heartbeat(file, position))
        time.sleep(0.05)


def only_heartbeats_before_the_format(scene, wire, file, position):
    wire.event(fake_rotate(file, position))
    while True:
        wire.event(heartbeat(file, position))
        time.sleep(0.05)


TWICE = "wrong on two connections, so it is the server's.*"
BEFORE, NEXT = "hostile-bin.000000", "hostile-bin.000002"

# name: (lie, state that is told in the end, words of the sentence)
BEHIND_AN_ARCHIVED_EVENT = {
    "a length less than a header": (
        after(lambda s: [with_length(new_event(s), 18)]), "refused", TWICE + "length of 18"),
    "a length of 4 GiB": (
        after(lambda s: [with_length(new_event(s), 0xFFFFFFFF)]), "refused",
        TWICE + "more than the"),
    "a length that is too small": (
        after(lambda s: [with_length(new_event(s), 50)]), "refused", TWICE + "packet is longer"),
    "a length that is too large": (
        after(lambda s: [with_length(new_event(s), 5000), new_event(s)]), "refused",
        TWICE + "packet is shorter"),
    "an event without room for a CRC": (
        after(lambda s: [without_room(s)]), "refused", TWICE + "no room for its CRC"),
    "a truncated event": (
        after(lambda s: [new_event(s)[:-30]]), "refused", TWICE + "packet is shorter"),
    "a packet of one byte": (packet(lambda s: b"\0"), "refused", TWICE + "packet of 1 bytes"),
    "an empty packet": (packet(lambda s: b""), "refused", TWICE + "packet of 0 bytes"),
    "a packet that is no event": (
        packet(lambda s: b"\x42" * 100), "refused", TWICE + "begins with 0x42"),
    "a packet out of sequence": (wrong_sequence, "refused", TWICE + "sent packet"),
    "a wrong CRC, each time another": (
        after(lambda s: [randomly_flipped(new_event(s))]), "refused",
        TWICE + "other bytes than on the connection before: event says CRC"),
    "a wrong log_pos": (
        after(lambda s: [with_end(new_event(s), 77777)]), "refused", TWICE + "bytes are missing"),
    "a FORMAT_DESCRIPTION within the file": (
        after(lambda s: [with_end(s.history.events[0], 0)]), "refused",
        TWICE + "FORMAT_DESCRIPTION stands there"),
    "a transaction whose GTID was rewritten": (
        after(lambda s: [s.history.next_event(QUERY, bytes(14) + b"BEGIN")]), "refused",
        "a transaction begins with QUERY and not with a GTID"),
    "a ROTATE to a position other than 4": (
        after(lambda s: [fake_rotate(NEXT, 120)]), "refused", TWICE + f"goes on with {NEXT}:120"),
    "a ROTATE to the same file": (
        after(lambda s: [fake_rotate(NAME, 4)]), "refused", TWICE + "goes on with"),
    "a ROTATE with a path": (
        after(lambda s: [fake_rotate("../../etc/cron.d/x")]), "refused", TWICE + "ROTATE"),
    "a ROTATE with 300 characters": (
        after(lambda s: [fake_rotate("a" * 300)]), "refused", TWICE + "300 characters"),
    "a ROTATE with a NUL": (
        after(lambda s: [fake_rotate(b"a\0b")]), "refused", TWICE + "NUL"),
    "a ROTATE that leads back to the file at hand": (
        after(lambda s: [real_rotate(s, NAME), fake_rotate(NAME)]), "refused",
        TWICE + f"leads back to {NAME}, an earlier file"),
    "a ROTATE that leads back to an earlier file": (
        after(lambda s: [real_rotate(s, BEFORE), fake_rotate(BEFORE)]), "refused",
        TWICE + f"leads back to {BEFORE}, an earlier file"),
    "a ROTATE of the file with a path": (
        after(lambda s: [real_rotate(s, "../../etc/cron.d/x")]), "refused", TWICE + "ROTATE"),
    "a heartbeat of a file to come": (
        after(lambda s: [heartbeat(NEXT, FIRST_POSITION)]), "refused",
        TWICE + f"sent all up to {NEXT}:4, and what has come ends at {NAME}"),
    "a heartbeat from behind what has come": (
        after(lambda s: [heartbeat(NAME, s.history.size - 1)]), "refused",
        TWICE + "sent all up to"),
    "a heartbeat from where nothing has come yet": (
        after(lambda s: [heartbeat(NAME, s.history.size + 4096)]), "refused",
        TWICE + "sent all up to"),
    "a FORMAT_DESCRIPTION within the file, without checksums": (
        after(lambda s: [with_end(without_checksums(s.history.events[0]), 0)]), "refused",
        TWICE + "FORMAT_DESCRIPTION stands there"),
    "an endless event": (endless_packets, "refused", TWICE + "packet is longer"),
    "the end of the dump": (packet(lambda s: b"\xfe"), "waiting", "ended the dump"),
    "an error": (
        packet(lambda s: b"\xff" + struct.pack("<H", 1236) + b"#HY000\x1b[31mno \xff\n"),
        "refused", r"1236: \?\[31mno \?\?"),
    "an error without a text": (packet(lambda s: b"\xff"), "refused", "ended the dump with 0"),
    "garbage beneath TLS": (garbage_beneath_tls, "waiting", "TLS"),
    "a cut within an event": (cut_within_event, "waiting", "unexpected eof"),
    "another history with the same name": (
        unless_whole(instead(other_history)), "waiting", "its binlog is not the one archived"),
    "another file than was asked for": (
        instead(lambda s, f, p: [fake_rotate(NEXT, p)]), "refused", TWICE + "was asked for"),
    "an event before ROTATE": (
        instead(lambda s, f, p: [new_event(s)]), "refused", TWICE + "where ROTATE is due"),
    "an event before FORMAT_DESCRIPTION": (
        instead(lambda s, f, p: [fake_rotate(f, p), s.history.events[-1]]), "refused",
        TWICE + "where FORMAT_DESCRIPTION is due"),
    "a damaged FORMAT_DESCRIPTION": (
        instead(lambda s, f, p: [fake_rotate(f, p), flipped(s.history.events[0])]), "refused",
        TWICE + "the beginning of"),
    "another file before the last event came": (
        unless_whole(instead(lambda s, f, p: [fake_rotate(f, p), with_end(s.history.events[0], 0),
                                              fake_rotate(NEXT)])),
        "waiting", "where an archived event stands"),
    "nothing but heartbeats": (
        unless_whole(only_heartbeats), "waiting", "where an archived event stands"),
    "nothing but heartbeats before the format": (
        only_heartbeats_before_the_format, "refused", TWICE + "no FORMAT_DESCRIPTION"),
}

# What the list of the second file names, and what is said about it; "": that is how it is.
BACK = "Its GTIDs go back, or it is not what the server wrote"
NEXT_FILE = {
    (3,): "",
    (2,): f"without transactions that {NAME} before it holds: 0-11-3. {BACK}",
    (): f"without transactions that {NAME} before it holds: 0-11-3. {BACK}",
    (4,): "with transactions that no archived file holds: 0-11-4",
    (3, 7): "with transactions that no archived file holds: 0-12-7",
}

AT_THE_BEGINNING = {
    "a file without GTID_LIST": (
        instead(lambda s, f, p: [fake_rotate(f, p), s.history.events[0],
                                 event(IGNORABLE, b"x" * 50, 0)]), "refused",
        "IGNORABLE where GTID_LIST is due"),
    "a file with nothing but its format": (
        instead(lambda s, f, p: [fake_rotate(f, p), s.history.events[0], fake_rotate(NEXT)]),
        "refused", TWICE + "without a ROTATE"),
    "a file without anything": (
        instead(lambda s, f, p: [fake_rotate(f, p), fake_rotate(NEXT)]), "refused",
        TWICE + "sends no event"),
    "a file with a format in use and a CRC that says otherwise": (
        instead(lambda s, f, p: [fake_rotate(f, p), s.history.events[0][:17]
                                 + struct.pack("<H", IN_USE) + s.history.events[0][19:]]),
        "refused", TWICE + "the beginning of"),
    "a file without checksums": (
        instead(lambda s, f, p: [fake_rotate(f, p), without_checksums(s.history.events[0])]),
        "refused", "written with binlog_checksum=NONE"),
    "another version's FORMAT_DESCRIPTION": (
        instead(lambda s, f, p: [fake_rotate(f, p), old_format(s.history.events[0])]), "refused",
        "format version 3: only 4 is known"),
    "an endless GTID_LIST": (
        instead(lambda s, f, p: [fake_rotate(f, p), s.history.events[0],
                                 event(GTID_LIST, bytes(2 * MEBIBYTE), 0)]), "refused",
        "bytes; 1048576 are allowed"),
}


def endless_rows(wire):
    wire.rows_without_end("hostile-bin.000001")


def endless_files(wire):
    wire.rows_without_end("hostile-bin.000001", "4")


def endless_grants(wire):
    wire.rows_without_end("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `binvault`@`%`")


def one_large_row(wire):
    wire.rows(["x" * (40 * MEBIBYTE)])


def no_rows(wire):
    wire.ok()


def sql_error(wire):
    wire.error(1064, b"\x1b[2Jno \xff")


def answering(statement, answer):
    return lambda server: server.answers.update({statement: answer})


def drop_by_drop(send):
    """As slowly as no time-out of a single read minds."""
    send(b"\x40")
    while True:
        time.sleep(0.2)
        send(b"\0")


def slow_tls(wire):
    """A record of a handshake that does not come to its end."""
    wire.packet(GREETING)
    wire.read_packet()
    wire.plain(b"\x16\x03\x03\x30\x00")
    drop_by_drop(wire.plain)


def slow_rows(wire):
    """Whole ones, none of which is late."""
    wire.rows_begin()
    while True:
        wire.row("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `binvault`@`%`")
        time.sleep(0.1)


def fast_greeting(wire):
    """A packet of 0xFFFFFF bytes, and another behind it, and so on."""
    wire.packet(bytes(64 * MEBIBYTE))


def greeting(function):
    def prepare(server):
        server.greeting = function
    return prepare


SERVER_ID, LOGS = "SELECT @@global.server_id", "SHOW BINARY LOGS"

# name: (what is done to the server, state, words)
BEFORE_THE_DUMP = {
    "a file name with a path": (answering(LOGS, [("../../etc/passwd", "4")]), "refused|waiting", "list of"),
    "a file name of 300 characters": (answering(LOGS, [("a" * 300, "4")]), "refused|waiting", "list of"),
    "no file": (answering(LOGS, []), "refused", "no binlog file"),
    "endless files": (answering(LOGS, endless_files), "waiting", "more than"),
    "grants that are none": (
        answering("SHOW GRANTS", endless_rows), "refused", "a line that is not understood"),
    "endless grants": (answering("SHOW GRANTS", endless_grants), "waiting", "more than"),
    "a large row": (answering("SHOW GRANTS", one_large_row), "waiting", "SHOW GRANTS"),
    "endless rows for SET": (
        answering("SET @mariadb_slave_capability=4", endless_rows), "waiting", "more than"),
    "no rows": (answering(SERVER_ID, no_rows), "waiting", "no rows to 'SELECT @@global.server_id"),
    "an error of SQL": (answering(SERVER_ID, sql_error), "refused", r"1064 \?\[2Jno \?"),
    "a server id that is none": (answering(SERVER_ID, "12x"), "waiting", "'12x' is no number"),
    "a server id with control characters": (
        answering(SERVER_ID, "\x1b]0;x\x07"), "waiting", r"'\?\]0;x\?' is no number"),
    "a negative server id": (answering(SERVER_ID, "-1"), "waiting", "'-1' is no number"),
    "a greeting that is none": (greeting(lambda wire: wire.packet(b"\x42" * 60)), "refused|waiting", "."),
    "a greeting that ends": (greeting(lambda wire: wire.bytes(b"\x10")), "waiting", "."),
    "an error for a greeting": (
        greeting(lambda wire: wire.error(1040, b"Too many")), "waiting", "1040"),
    "a greeting of 64 MiB": (greeting(fast_greeting), "waiting", "."),
    "columns without end": (answering(SERVER_ID, lambda wire: wire.columns_without_end()),
                            "waiting", "more than 1048576 bytes for its answer to 'SELECT"),
}


def logging_in(function):
    def prepare(server):
        server.login = function
    return prepare


LATE = r"within 2 s \(connect-timeout\)"

# The same; each sends a byte now and then.
HELD_BACK = {
    "in the greeting": (
        greeting(lambda wire: drop_by_drop(wire.bytes)), "waiting", "finish the login " + LATE),
    "in the handshake of TLS": (greeting(slow_tls), "waiting", "finish the login " + LATE),
    "in the login": (logging_in(lambda wire: drop_by_drop(wire.bytes)), "waiting",
                     "finish the login " + LATE),
    "in an answer": (answering("SHOW GRANTS", lambda wire: drop_by_drop(wire.bytes)), "waiting",
                     "finish its answer to 'SHOW GRANTS' " + LATE),
    "in the answer to SET": (
        answering("SET @mariadb_slave_capability=4", lambda wire: drop_by_drop(wire.bytes)),
        "waiting", "finish its answer to 'SET @mariadb_slave_capability=4' " + LATE),
    "by heaps of rows": (answering("SHOW GRANTS", slow_rows), "waiting",
                         "finish its answer to 'SHOW GRANTS' " + LATE),
}


class Cutter:
    """One scene with files that end in every way, cut, killed and stopped at random places."""

    ENDS = ("rotate", "stop", "crash")

    def __init__(self, scene, seed):
        self._scene, self._random = scene, random.Random(seed)
        server, names = scene.server, [f"hostile-bin.{number:06}" for number in range(1, 7)]
        server.earlier = [self._file(name, bytes([65 + number]))
                          for number, name in enumerate(names[:-1])]
        for history, name in zip(server.earlier, names[1:]):
            history.end(name, self._random.choice(self.ENDS))
        server.history = scene.history = self._file(names[-1], b"z")
        server.answers = server.honest_answers()
        server.lie = self._lie
        self.files = server.earlier + [server.history]

    def _file(self, name, seed):
        history = History(name, seed, 0)
        for _ in range(4):
            history.grow(self._random.choice((10, 300, 5000, 60000)))
        if self._random.random() < 0.4:
            history.grow(5 * MEBIBYTE // 2)
        return history

    def _lie(self, wire, file, position):
        wire.left = self._random.randrange(self._random.choice((500, 2000, 20000, 3 * MEBIBYTE)))
        self._scene.server.honest(wire, file, position)

    def start(self):
        self._scene.start()

    def step(self):
        """Let it come a bit further, and end it in one of three ways."""
        puller = self._scene.puller
        time.sleep(self._random.random() * 0.1)
        how = self._random.choice(("kill", "kill", "stop", "stop", "leave"))
        if how == "kill":
            puller.kill9()
        elif how == "stop" and puller.stop() not in STOPPED:
            raise AssertionError(puller.tail())
        if how != "leave":
            self._scene.start()

    def check(self):
        """Every file is there once and whole, and each says what follows it."""
        keeper, last = self._scene.keeper, self.files[-1]
        self._scene.server.lie = None
        self._scene.puller.kill9()
        self._scene.start()
        self._scene.wait(lambda: keeper.good_end(last.name) == last.size, "all is archived", 40)
        if self._scene.puller.stop() not in STOPPED:
            raise AssertionError(self._scene.puller.tail())
        for history in self.files:
            if keeper.file_bytes(history.name) != history.bytes:
                raise AssertionError(f"{history.name} differs")
        ended = {segment.file: segment.read()["end"]["next_file"] for segment in keeper.segments
                 if (segment.read()["end"] or {}).get("ended") == "rotate"}
        names = [history.name for history in self.files]
        if ended != dict(zip(names, names[1:])):
            raise AssertionError(f"the files follow each other: {ended}")
        nonces = keeper.nonces()
        if len(nonces) != len(set(nonces)):
            raise AssertionError("a nonce was used twice")


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.authority = Authority(cls.scratch.directory("pki"))
        cls.count = itertools.count()

    def scene(self, authority=None, **source):
        scene = Scene(self.scratch, authority or self.authority, f"scene{next(self.count)}",
                      **source)
        self.addCleanup(lambda: scene.puller and scene.puller.kill9())
        return scene

    def tell(self, scenes, cases, archived):
        """Wait for each lie's sentence, then for the truth, all side by side: most of the time goes
        by between two connections."""
        pending = dict(scenes)
        end = time.monotonic() + 45
        while pending and time.monotonic() < end:
            for name, scene in list(pending.items()):
                self.assertTrue(scene.puller.running(), f"{name}: {scene.puller.tail()}")
                if scene.told(*cases[name][1:]):
                    del pending[name]
                    with self.subTest(name):
                        self.assertEqual(scene.archived(), archived(scene))
                        self.assertLess(processes.peak_resident_size(scene.puller.pid),
                                        RESIDENT_MAX)
                    scene.be_honest()
                    scene.restart()  # which does not wait for the next try
            time.sleep(0.05)
        for name, scene in pending.items():
            with self.subTest(name):
                self.fail(f"{cases[name][1:]} was not told: {scene.keeper.states}")
        for name in scenes.keys() - pending.keys():
            with self.subTest(name):
                scenes[name].finish()

    def test_lies_behind_an_archived_event(self):
        scenes = {name: self.scene() for name in BEHIND_AN_ARCHIVED_EVENT}
        for scene in scenes.values():
            scene.start()
        for scene in scenes.values():
            scene.wait_archived()
        for name, scene in scenes.items():
            scene.server.lie = functools.partial(BEHIND_AN_ARCHIVED_EVENT[name][0], scene)
            scene.server.cut()
        self.tell(scenes, BEHIND_AN_ARCHIVED_EVENT, lambda scene: scene.history.bytes)

    def test_lies_at_the_beginning_of_a_file(self):
        scenes = {name: self.scene() for name in AT_THE_BEGINNING}
        for name, scene in scenes.items():
            scene.server.lie = functools.partial(AT_THE_BEGINNING[name][0], scene)
            scene.start()
        self.tell(scenes, AT_THE_BEGINNING, lambda scene: b"\xfebin")

    def test_what_a_file_claims_to_come_behind_is_compared_with_what_came(self):
        """One archived file of 3 transactions, and what the next says about them."""
        scenes = {}
        for gtids, words in NEXT_FILE.items():
            scene = scenes[gtids] = self.scene()
            for number in (1, 2, 3):
                scene.history.transact(number)
            scene.history.end(NEXT, "rotate")
            scene.server.earlier = [scene.history]
            scene.server.history = History(
                NEXT, gtids=[(0, 11 + i, number) for i, number in enumerate(gtids)])  # as 0-11-3
            scene.server.answers = scene.server.honest_answers()
            scene.start()
        for gtids, words in NEXT_FILE.items():
            with self.subTest(gtids):
                scene, history = scenes[gtids], scenes[gtids].server.history
                scene.wait(lambda: scene.keeper.file_bytes(NEXT) == history.bytes, "all is archived")
                first, second = scene.keeper.segments
                self.assertEqual(scene.archived(), scene.history.bytes)
                self.assertEqual((second.reason, second.gap), ("jumped", 1) if words else ("", 0))
                self.assertEqual(second.sentence, f"{NEXT} begins {words}" if words else "")
                self.assertEqual(second.generation != first.generation, bool(words))
                self.assertEqual(scene.puller.stop(), 0)

    def test_lies_before_the_dump(self):
        scenes = {name: self.scene() for name in BEFORE_THE_DUMP}
        for name, scene in scenes.items():
            BEFORE_THE_DUMP[name][0](scene.server)
            scene.start()
        self.tell(scenes, BEFORE_THE_DUMP, lambda scene: b"\xfebin")

    def test_a_server_that_holds_us_back_by_a_byte_now_and_then(self):
        scenes = {name: self.scene(**{"connect-timeout": "2s"}) for name in HELD_BACK}
        for name, scene in scenes.items():
            HELD_BACK[name][0](scene.server)
            scene.start()
        self.tell(scenes, HELD_BACK, lambda scene: b"\xfebin")

    def test_damage_on_the_way_is_brought_right_by_a_fresh_connection(self):
        scene = self.scene()
        scene.start()
        scene.wait_archived()

        def once(wire, file, position):
            scene.server.lie = None
            scene.server.through(wire, file, position)
            wire.event(flipped(new_event(scene)))
            time.sleep(FOREVER)

        scene.server.lie = once
        scene.server.cut()
        scene.wait_told("waiting", "event says CRC")
        scene.history.grow()
        scene.wait_archived()
        self.assertFalse(scene.keeper.told("refused"))
        scene.be_honest()
        scene.finish()

    def test_another_server_at_the_same_address(self):
        scene = self.scene()
        scene.start()
        scene.wait_archived()
        scene.server.answers["SELECT @@global.server_id"] = "12"
        scene.server.cut()
        scene.wait_told("waiting", "is MariaDB server id 12, and what is archived came from "
                                   "MariaDB server id 11, which is waited for")
        scene.be_honest()
        scene.restart()
        scene.finish()

    def test_a_flood_of_what_is_not_of_the_file_can_be_stopped(self):
        scene = self.scene()
        scene.start()
        scene.wait_archived()

        def flood(wire, file, position):
            scene.server.through(wire, file, position)
            wire.packets_without_end(b"\0" + heartbeat(file, scene.history.size))

        scene.server.lie = flood
        scene.server.cut()
        scene.wait(lambda: len(scene.server.dumps) > 1, "it asks again")
        time.sleep(1)
        self.assertEqual(scene.puller.stop(5), 0)
        self.assertEqual(scene.archived(), scene.history.bytes)

    def test_a_large_event_that_never_ends_takes_little_memory(self):
        scene = self.scene()
        scene.start()
        scene.wait_archived()

        def stall(wire, file, position):
            scene.server.through(wire, file, position)
            raw = with_end(with_length(new_event(scene), 1 << 30), 0)
            wire.packet_begin(b"\0" + raw + bytes(48 * MEBIBYTE))
            time.sleep(FOREVER)

        scene.server.lie = stall
        scene.server.cut()
        scene.wait_told("waiting", "no sign of life")
        self.assertLess(processes.peak_resident_size(scene.puller.pid), RESIDENT_MAX)
        self.assertEqual(scene.archived(), scene.history.bytes)
        scene.be_honest()
        scene.finish()

    def test_a_damaged_large_event_is_written_once_however_often_it_is_tried(self):
        """As long as it comes with other bytes each time, nobody knows which are right."""
        scene = self.scene()
        scene.history.grow(6 * MEBIBYTE)
        whole = scene.history.events.pop()

        def damaged(wire, file, position):
            scene.server.through(wire, file, position)
            wire.event(randomly_flipped(whole))
            time.sleep(FOREVER)

        scene.server.lie = damaged
        scene.start()
        scene.wait_told("refused", TWICE + "other bytes than on the connection before")
        ends = [segment.read()["end"] for segment in scene.keeper.segments]
        self.assertEqual([end["ended"] for end in ends if end], ["broken"])
        scene.history.events.append(whole)
        scene.be_honest()
        scene.restart()
        scene.finish()

    def damaged_on_the_server(self, size):
        """An event that the server itself has with a wrong CRC is archived as it is."""
        scene = self.scene()
        scene.history.grow(size)
        scene.history.events[-1] = flipped(scene.history.events[-1])
        position = scene.history.size - len(scene.history.events[-1])
        scene.history.grow()
        scene.start()
        scene.wait_archived(40)
        self.assertTrue(scene.told("waiting", f"hostile-bin.000001:{position}: event says CRC"))
        self.assertFalse(scene.keeper.told("refused"), scene.keeper.states)
        scene.wait(lambda: scene.keeper.damaged, "the keeper is told")
        self.assertEqual({(file, at, length) for _, file, at, length, _ in scene.keeper.damaged},
                         {(NAME, position, len(scene.history.events[-2]))})
        scene.restart()  # the event behind it is the last one now
        scene.history.grow()
        scene.wait_archived()
        scene.finish()
        flags = [segment.strict()[1]["summary"]["flags"] for segment in scene.keeper.segments]
        self.assertEqual(sum(flags), 1)

    def test_an_event_that_is_damaged_on_the_server_is_archived_as_it_is(self):
        self.damaged_on_the_server(300)

    def test_a_large_event_that_is_damaged_on_the_server_is_archived_as_it_is(self):
        self.damaged_on_the_server(6 * MEBIBYTE)

    def test_a_restart_behind_an_event_that_is_damaged_on_the_server(self):
        """It is asked for again, has a wrong CRC again, and is the archived one all the same."""
        scene = self.scene()
        scene.history.grow()
        scene.history.events[-1] = flipped(scene.history.events[-1])
        scene.start()
        scene.wait_archived(40)
        scene.restart()
        scene.history.grow()
        scene.wait_archived(40)
        self.assertFalse(scene.keeper.told("refused"), scene.keeper.states)
        scene.finish()

    def test_a_damaged_beginning_and_end_of_a_file(self):
        """GTID_LIST, which says what precedes the file, and ROTATE, which names the next one."""
        scene = self.scene()
        first, second = scene.history, History(NEXT, b"n")
        first.end(NEXT, "rotate")
        first.events[-1] = flipped(first.events[-1])
        second.events[1] = sign(second.events[1])[:-1] + b"\xa5"
        scene.server.earlier, scene.server.history = [first], second
        scene.server.answers = scene.server.honest_answers()
        scene.start()
        scene.wait(lambda: scene.keeper.file_bytes(NEXT) == second.bytes, "both are archived", 60)
        self.assertEqual(scene.puller.stop(), 0)
        self.assertEqual(scene.archived(), first.bytes)
        self.assertEqual(len({segment.generation for segment in scene.keeper.segments}), 1)
        ends = [segment.strict()[1] for segment in scene.keeper.segments if segment.file == NAME]
        self.assertEqual((ends[-1]["ended"], ends[-1]["next_file"]), ("rotate", NEXT))

    def test_forged_times_are_archived_as_they_are(self):
        """An SQL user may set them: they are no lie of which anything depends."""
        scene = self.scene()
        for moment in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 5):
            scene.history.events.append(new_event(scene, time=moment))
        scene.start()
        scene.wait_archived()
        scene.restart()
        scene.history.grow()
        scene.wait_archived()
        self.assertFalse(scene.keeper.told("waiting"), scene.keeper.states)
        self.assertFalse(scene.keeper.told("refused"), scene.keeper.states)
        scene.finish()

    def test_nothing_is_lost_or_archived_twice_wherever_it_is_cut(self):
        cutters = [Cutter(self.scene(), seed) for seed in range(4)]
        for cutter in cutters:
            cutter.start()
        end = time.monotonic() + 9
        while time.monotonic() < end:
            for cutter in cutters:
                cutter.step()
        for seed, cutter in enumerate(cutters):
            with self.subTest(seed=seed):
                cutter.check()

    def test_a_server_far_away_is_waited_for(self):
        scene = self.scene()
        scene.server.delay_seconds = 0.1
        scene.start()
        scene.wait_archived()
        self.assertFalse(scene.keeper.told("waiting"), scene.keeper.states)

    def test_a_server_that_never_answers_does_not_keep_the_puller_from_its_end(self):
        scene = self.scene()
        reached = threading.Event()

        def silent(wire):
            reached.set()
            time.sleep(FOREVER)

        scene.server.answers["SHOW GRANTS"] = silent
        scene.start()
        scene.wait(reached.is_set, "it asks")
        self.assertEqual(scene.puller.stop(15), 0)

    def test_an_archive_that_was_lied_to_verifies(self):
        authority = Authority(self.scratch.directory("pki2"))  # the vault's key is its user's
        scene = self.scene(authority)
        server, history = scene.server, scene.history
        vault = Vault(self.scratch, Token(self.scratch.directory("token")), authority,
                      self.scratch.directory("volume"), {"orders": server})
        vault.init()
        vault.start()
        self.addCleanup(vault.stop)

        def covered():
            return int(vault.source_status("orders").get("covered", {}).get("position", 0))

        wait_until(lambda: covered() == history.size, 30, vault.tail)
        for name in ("a wrong log_pos", "another history with the same name", "an endless event"):
            server.lie = functools.partial(BEHIND_AN_ARCHIVED_EVENT[name][0], scene)
            server.cut()
            vault.kill("binvault-pull")  # the next one does not wait for a next try
            words = BEHIND_AN_ARCHIVED_EVENT[name][2].removeprefix(TWICE)
            wait_until(lambda w=words: re.search(w, vault.source_status("orders")["sentence"]), 30,
                       vault.tail)
            self.assertEqual(covered(), history.size)
        scene.be_honest()
        vault.kill("binvault-pull")
        wait_until(lambda: covered() == history.size, 30, vault.tail)
        vault.verb("verify", "--decrypt", expect=(0, 6))


if __name__ == "__main__":
    unittest.main()
