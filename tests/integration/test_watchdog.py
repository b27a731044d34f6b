"""What systemd hears of the daemons: that each is ready, and then in time that it goes on.

As systemd does it, by a socket in the environment; what is never said while a process stands still is
for systemd the reason to start it anew.
"""

import os
import signal
import socket
import struct
import threading
import time
import unittest
from collections import defaultdict

from tests.integration.lab.forwarder import forward_to
from tests.integration.lab.siem import Siem
from tests.integration.lab.stage import SOURCE, Stage

USEC = 2_000_000  # the time that each has between two words
DAEMONS = ("binvault-keeper", "binvault-hsm", "binvault-pull", "binvault-forward")


class Listener:
    """Takes what processes say; by whom is the kernel's word."""

    def __init__(self, scratch):
        self.path = scratch.path / "notify"
        self.heard = defaultdict(list)  # process: [(when, word)]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(self.path))
        os.chmod(self.path, 0o777)
        threading.Thread(target=self._listen, daemon=True).start()

    def environment(self):
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(USEC)}

    def _listen(self):
        while True:
            word, control, _, _ = self._socket.recvmsg(256, 256)
            pid = struct.unpack_from("=i", control[0][2])[0]
            self.heard[pid].append((time.monotonic(), word.decode()))

    def words(self, pid):
        return [word for _, word in self.heard[pid]]

    def longest_silence(self, pid, since):
        """Seconds, up to now."""
        times = [since, *(when for when, _ in self.heard[pid] if when > since), time.monotonic()]
        return max(later - earlier for earlier, later in zip(times, times[1:]))


class Watchdog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        vault = cls.stage.vault
        cls.listener = Listener(cls.stage.scratch)
        vault.environment = cls.listener.environment()
        cls.start_siem()
        vault.start()
        vault.wait_covered(SOURCE, cls.stage.server)
        cls.pids = {name: vault.pids(name)[0] for name in DAEMONS}

    @classmethod
    def start_siem(cls):
        stage = cls.stage
        cls.siem = Siem(stage.scratch, stage.authority, client="forwarder")
        cls.siem.start()
        forward_to(cls.siem, stage.vault, stage.authority)

    def assert_all_speak(self, seconds):
        since = time.monotonic()
        time.sleep(seconds)
        for name, pid in self.pids.items():
            self.assertLess(self.listener.longest_silence(pid, since), USEC / 1e6, name)

    def test_each_is_ready_once_and_speaks_while_nothing_happens(self):
        self.assert_all_speak(6)
        for name, pid in self.pids.items():
            words = self.listener.words(pid)
            self.assertEqual(words.count("READY=1"), 1, name)
            self.assertEqual(set(words), {"READY=1", "WATCHDOG=1"}, name)

    def test_they_speak_while_the_servers_stand_still(self):
        """The puller notices a dead server within 15 s, and then tries to log in."""
        os.kill(self.stage.server.pid, signal.SIGSTOP)
        self.siem.signal(signal.SIGSTOP)
        try:
            self.assert_all_speak(25)
        finally:
            self.siem.signal(signal.SIGCONT)
            os.kill(self.stage.server.pid, signal.SIGCONT)
        self.stage.archive()

    def test_who_stands_still_is_silent(self):
        for name, pid in self.pids.items():
            with self.subTest(name):
                os.kill(pid, signal.SIGSTOP)
                try:
                    time.sleep(0.2)
                    since = time.monotonic()
                    time.sleep(2)
                    self.assertGreater(self.listener.longest_silence(pid, since), 1.9)
                finally:
                    os.kill(pid, signal.SIGCONT)
        self.assert_all_speak(3)


if __name__ == "__main__":
    unittest.main()
