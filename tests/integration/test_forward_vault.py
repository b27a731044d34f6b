"""The audit trail of a whole vault in a SIEM, and a receiver that does not read."""

import json
import signal
import time
import unittest

from tests.integration.forwarding import Lone
from tests.integration.lab import ledger
from tests.integration.lab.forwarder import forward_to
from tests.integration.lab.processes import wait_until
from tests.integration.lab.siem import Siem
from tests.integration.lab.stage import Stage

SECONDS = 80
UNREAD = 30  # seconds, in forwarder.c
MEMORY = 24 << 20  # resident; the buffers are about 2 MiB of it


class UnreadTest(Lone):
    def test_a_receiver_that_does_not_read_costs_no_memory_and_is_given_up(self):
        siem = self.siem()
        self.ledger.append(10)
        self.ledger.checkpoint()
        forwarder = self.forwarder(siem.server)
        forwarder.wait_confirmed(12)
        siem.signal(signal.SIGSTOP)
        self.addCleanup(siem.signal, signal.SIGCONT)
        for _ in range(300):
            self.ledger.append(1, "segment-sealed", hashes="a" * 60000)
        self.ledger.append(60000)
        self.ledger.checkpoint()
        begin = time.monotonic()
        forwarder.wait_sentence("has taken nothing of what is sent to it for 30 seconds", 60)
        self.assertGreater(time.monotonic() - begin, UNREAD - 5)
        self.assertLess(forwarder.memory(), MEMORY)
        siem.signal(signal.SIGCONT)
        forwarder.wait_confirmed(len(self.ledger.lines), 60)
        self.assertLess(forwarder.memory(), MEMORY)
        self.assert_whole(siem)


class VaultTest(unittest.TestCase):
    """A whole vault; `binvault run` starts the forwarder."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(**{"segment-age": "2s"})
        cls.addClassCleanup(cls.stage.close)
        cls.vault, cls.server = cls.stage.vault, cls.stage.server
        cls.siem = Siem(cls.stage.scratch, cls.stage.authority, client="forwarder")
        forward_to(cls.siem, cls.vault, cls.stage.authority)
        cls.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY AUTO_INCREMENT,"
                       " b LONGBLOB)")
        cls.vault.start()

    def wait(self, predicate, what, timeout=30):
        return wait_until(predicate, timeout,
                          lambda: f"{what}: {self.vault.status()}\n{self.vault.tail()}", 0.2)

    def test_a_dead_siem_holds_nothing_up_and_the_trail_comes_when_it_is_there(self):
        for _ in range(2):
            self.server.sql("INSERT INTO d.t (b) VALUES (REPEAT('x', 100000))")
            self.stage.archive()
        self.assertFalse(self.siem.received.exists())
        result = self.vault.run_verb("status")
        self.assertEqual(result.returncode, 6)
        self.assertRegex(result.stdout, r"(?m)ATTENTION: the audit trail is not forwarded [^$]*"
                                        r"^siem     localhost:\d+ NOT CONNECTED · 0 of \d+ leaves "
                                        r"forwarded: the SIEM .*connecting: Connection refused$")
        check = self.vault.run_verb("check")
        self.assertEqual(check.returncode, 1)
        self.assertRegex(check.stdout, r"^BINVAULT WARNING - the audit trail is not forwarded to "
                                       r"localhost:\d+: the SIEM ")
        self.siem.start()

        def ledger_lines():
            return [line for path in sorted((self.vault.volume / "ledger").glob("*.jsonl"))
                    for line in path.read_bytes().splitlines() if line]

        wanted = len(ledger_lines())
        self.wait(lambda: self.siem.highest() >= wanted - 1, "the trail came", 90)
        found = [line for _, line in self.siem.leaves()]
        self.assertEqual(found, ledger_lines()[:len(found)])
        self.assertGreaterEqual(ledger.proof(found, self.siem.checkpoints()), wanted)
        self.wait(lambda: self.vault.status().get("siem", {}).get("normal"), "status says so")
        self.assertTrue(self.vault.status()["normal"])
        self.assertRegex(self.vault.verb("status"), r"(?m)^siem     localhost:\d+ connected · \d+ of "
                                                    r"\d+ leaves forwarded · all until 20[-0-9: ]+Z$")
        kinds = {json.loads(line)["type"] for line in found}
        self.assertLessEqual({"archive", "config", "segment-opened", "segment-sealed", "preflight"},
                             kinds)


if __name__ == "__main__":
    unittest.main()
