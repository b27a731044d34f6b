"""A network that is cut without a word, in whatever the puller is doing: it is noticed within 15 s,
with its sentence, and once it is back everything goes on and nothing is lost.

Each line is a real network between two network namespaces, with a server of its own at one end and
a puller at the other; all are cut side by side, because what takes the time is to notice it.
"""

import socket
import time
import unittest
from types import SimpleNamespace

from tests.integration.lab import cable, skip
from tests.integration.lab.cable import Cable
from tests.integration.lab.hostile import HostileServer, History
from tests.integration.lab.mariadb import MariaDB
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.traffic import MEBIBYTE, Traffic
from tests.integration.pulling import Pulling

# With the configuration's defaults.
NOTICED_SECONDS = 15
SCHEMA = "CREATE DATABASE lab; CREATE TABLE lab.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB);"


class Line(Pulling):
    """A server, a cable, a keeper and a puller; `source` is further configuration."""

    def __init__(self, scratch, authority, name, **source):
        self.scratch, self.authority, self.name = scratch, authority, name
        self.cable = Cable(scratch, name)
        self.certificate = authority.issue(f"server-{name}", f"IP:{self.cable.server}")
        self.server = self.make_server()
        super().__init__(scratch, authority, f"line-{name}", self.server, **source)

    def command(self):
        return self.cable.vault_command(super().command())

    # -- what the lines differ in ----------------------------------------------------------------
    # The kernel's probes may come first, or what was sent and has not arrived.
    words = (r"^198\S+ has shown no sign of life for 15000 ms: is the network cut\?|"
             r"^198\S+: the peer's host has answered nothing for too long: is the network cut\?")
    flavour, server_options = MariaDB, {}

    def make_server(self):
        """A real one, at its end of the cable."""
        server = self.flavour(self.scratch, self.authority, name=f"db-{self.name}",
                              certificate=self.certificate, **self.server_options)
        server.host = self.cable.server
        server.start()
        server.create_archive_user("binvault")
        server.sql(SCHEMA)
        return server

    def begin(self):
        """Come to the place where it will be cut."""
        self.start()
        self.wait_caught_up()

    def cut(self):
        self.cable.cut()

    def end(self):
        """The network is back: it comes right, and the server has one dump thread for us."""
        self.insert()
        self.server.rotate()
        self.wait_caught_up()
        wait_until(lambda: len(self.dumps()) == 1, 10, lambda: f"one dump thread: {self.dumps()}")
        self.stop()
        self.check({name: self.server.binlog_path(name).read_bytes()
                    for name in self.server.closed_binlogs()})

    # -- helpers ---------------------------------------------------------------------------------
    def insert(self):
        self.server.sql("INSERT INTO lab.t (b) VALUES (REPEAT('x', 1000))")

    def dumps(self):
        return [row for row in self.server.sql("SHOW PROCESSLIST")
                if row[1] == "binvault" and row[4].startswith("Binlog Dump")]

    def wait_caught_up(self):
        name, size = self.server.binlogs()[-1]
        self.wait(lambda: self.keeper.good_end(name) >= size, f"{name} is durable to {size}", 90)


class IdleMySQL(Line):
    flavour = MySQL


class Unplugged(Line):
    """Idle, and the link itself is away."""

    def cut(self):
        self.cable.unplug()


class Loaded(Line):
    """While the server sends as much as it can."""

    def begin(self):
        super().begin()
        self.traffic = Traffic(self.server, seed=5, clients=2, largest=8 * MEBIBYTE).start()
        position = self.keeper.good_end(self.server.binlogs()[-1][0])
        self.wait(lambda: sum(segment.path.stat().st_size for segment in self.keeper.segments)
                  > 8 * MEBIBYTE or not self.traffic.running(), f"more than {position} comes")

    def end(self):
        self.traffic.stop()
        super().end()


class Acknowledging(Line):
    """Semi-sync: the event comes, and the acknowledgement does not arrive."""

    words = r"^198\S+: the peer's host has answered nothing for too long: is the network cut\?"
    server_options = {"semi_sync": True, "options": ("--rpl-semi-sync-master-timeout=500",)}

    def __init__(self, *arguments):
        super().__init__(*arguments, **{"semi-sync": "yes"})

    def begin(self):
        super().begin()
        self.insert()
        self.wait(self.keeper.is_synchronous, "it is synchronous")

    def cut(self):
        self.cable.cut(answers=False)
        before = self.keeper.good_end(self.server.binlogs()[-1][0])
        self.insert()  # the server waits half a second for our answer
        if self.keeper.good_end(self.server.binlogs()[-1][0]) <= before:
            raise AssertionError("the event has not come")


class Connecting(Line):
    """Cut before the first packet."""

    words = r"connecting to 198.* failed \(20"

    def begin(self):
        self.cable.cut()

    def cut(self):
        self.start()


class Played(Line):
    """A played server, which knows when it is asked what."""

    words = "has sent nothing for 10 s, and owes us the login: is the network cut"

    def make_server(self):
        return HostileServer(self.scratch, self.authority, History(), host=self.cable.server,
                             certificate=self.certificate)

    def begin(self):
        pass

    def cut(self):
        self.cut_when(self.pull_the_plug)
        self.start()

    def pull_the_plug(self, wire):
        self.cable.cut()
        self.server.login = self.server.greeting = None
        self.server.answers = self.server.honest_answers()
        time.sleep(3600)

    def end(self):
        history = self.server.history
        self.wait(lambda: self.keeper.file_bytes(history.name) == history.bytes, "all is archived",
                  90)


class Greeted(Played):
    """Cut when the server is to greet."""

    def cut_when(self, cut):
        self.server.greeting = cut


class LoggingIn(Played):
    def cut_when(self, cut):
        self.server.login = cut


class Asking(Played):
    """Cut in the pre-flight."""

    words = "has sent nothing for 10 s, and owes us its answer to 'SHOW GRANTS': is the network cut"

    def cut_when(self, cut):
        self.server.answers["SHOW GRANTS"] = cut


class DeadPeersTest(unittest.TestCase):
    def test_a_silent_cut_is_noticed_within_15_s_whatever_goes_on(self):
        cable.require()
        scratch = Scratch()
        self.addCleanup(scratch.close)
        authority = Authority(scratch.directory("pki"))
        kinds = [Line, Unplugged, Loaded, Acknowledging, Connecting, Greeted, LoggingIn, Asking]
        if not MySQL.missing():
            kinds.append(IdleMySQL)
        lines = [kind(scratch, authority, kind.__name__.lower()) for kind in kinds]
        for line in lines:
            line.begin()
        noticed, cut = {}, {}
        for line in lines:
            cut[line] = time.monotonic()
            line.cut()
        while len(noticed) < len(lines) and time.monotonic() < max(cut.values()) + 40:
            for line in lines:
                if line not in noticed and line.puller.running() and any(
                        state == "waiting" for state, *_ in line.keeper.states):
                    noticed[line] = time.monotonic() - cut[line]
            time.sleep(0.02)
        for line in lines:
            with self.subTest(line.name):
                self.assertIn(line, noticed, line.puller.tail())
                told = [sentence for state, sentence, _ in line.keeper.states
                        if state == "waiting"]
                self.assertRegex(told[0], line.words)
                print(f"{line.name}: {noticed[line]:.1f} s: {told[0]}", flush=True)
                self.assertLess(noticed[line], NOTICED_SECONDS)
        for line in lines:
            line.cable.mend()
        for line in lines:
            with self.subTest(line.name):
                line.end()


class SilentNameServer(Pulling):
    """A server by its name, which three name servers are asked for that never answer."""

    addresses = ("127.53.0.1", "127.53.0.2", "127.53.0.3")

    def __init__(self, scratch, authority):
        super().__init__(scratch, authority, "name", SimpleNamespace(host="db.example", port=3306))
        self.resolv = scratch.directory("etc") / "resolv.conf"
        self.resolv.write_text("".join(f"nameserver {address}\n" for address in self.addresses))
        self.sockets = []
        for address in self.addresses:
            self.sockets.append(socket.socket(type=socket.SOCK_DGRAM))
            self.sockets[-1].bind((address, 53))

    def command(self):
        return ["unshare", "--mount", "sh", "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.resolv, *super().command()]

    def close(self):
        for asked in self.sockets:
            asked.close()


class SilentNameServerTest(unittest.TestCase):
    def test_it_is_noticed_within_15_s_and_the_puller_can_be_stopped(self):
        skip.require_root()
        skip.require_capability("CAP_SYS_ADMIN")
        scratch = Scratch()
        self.addCleanup(scratch.close)
        pulling = SilentNameServer(scratch, Authority(scratch.directory("pki")))
        self.addCleanup(pulling.close)
        begin = time.monotonic()
        pulling.start()
        pulling.wait(lambda: any(state == "waiting" for state, *_ in pulling.keeper.states),
                     "it is noticed", NOTICED_SECONDS)
        noticed = time.monotonic() - begin
        self.assertTrue(all(asked.recv(512) for asked in pulling.sockets))
        self.assertGreater(noticed, 2)
        sentence = [sentence for state, sentence, _ in pulling.keeper.states
                    if state == "waiting"][0]
        print(f"name: {noticed:.1f} s: {sentence}", flush=True)
        self.assertRegex(sentence, "^the name of db.example:3306 cannot be resolved: Temporary "
                                   "failure in name resolution. It is tried again; ")
        asked = len(pulling.keeper.states)
        pulling.wait(lambda: len(pulling.keeper.states) > asked, "it is asked for again", 30)
        begin = time.monotonic()
        pulling.stop()
        self.assertLess(time.monotonic() - begin, NOTICED_SECONDS)


if __name__ == "__main__":
    unittest.main()
