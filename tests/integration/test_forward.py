"""The audit trail in a SIEM: a real rsyslogd that demands a client's certificate.

The ledger is written here (lab/ledger.py), since only then a quick one has tens of thousands of
leaves; test_forward_vault.py has a whole vault.
"""

import json
import shutil
import socket
import time
import unittest

from tests.integration.forwarding import Lone
from tests.integration.lab import ledger
from tests.integration.lab.ledger import Ledger
from tests.integration.lab.siem import Siem

SECONDS = 80
ALERT, WARNING = 1, 4


class TrailTest(Lone):
    def test_all_leaves_arrive_byte_for_byte_in_order_and_the_checkpoints_prove_them(self):
        for _ in range(3):
            self.ledger.append(300)
            self.ledger.checkpoint()
        self.ledger.append(66000)
        self.ledger.append(1, "segment-sealed", hashes="a" * 65000)
        self.ledger.append(1, "damaged")
        self.ledger.checkpoint()
        self.ledger.append(5)
        siem = self.siem()
        forwarder = self.forwarder(siem.server)
        signed = len(self.ledger.lines) - 5
        forwarder.wait(lambda: siem.highest() == signed - 1, "all that is signed came")
        forwarder.wait_confirmed(signed)
        self.assertEqual(siem.leaves(), list(enumerate(self.ledger.lines[:signed])))
        self.ledger.checkpoint()
        forwarder.wait(lambda: len(siem.checkpoints()) == 5, "the next checkpoint")
        self.assert_whole(siem)
        self.assertEqual(len(siem.leaves()), signed + 5, "nothing came twice")
        self.check_messages(siem)
        forwarder.wait_confirmed(len(self.ledger.lines))
        self.assertEqual(forwarder.stop(), 0)
        self.go_on(siem, forwarder)

    def go_on(self, siem, forwarder):
        """Where it was: nothing comes twice after an orderly end."""
        before = len(siem.leaves())
        self.ledger.append(10)
        self.ledger.checkpoint()
        forwarder.start()
        forwarder.wait(lambda: siem.highest() == len(self.ledger.lines) - 1, "the ten")
        forwarder.wait(lambda: len(siem.checkpoints()) == 6, "the checkpoint behind them")
        self.assertEqual(len(siem.leaves()), before + 10)
        self.assert_whole(siem)

    def check_messages(self, siem):
        messages = siem.messages()
        self.assertEqual({(message.facility, message.host, message.structured)
                          for message in messages}, {(13, "vault01", "-")})
        for message in messages:
            fields = json.loads(message.text)
            self.assertEqual(message.type, fields["type"])
            if message.process != "-":
                self.assertEqual(message.time, fields["time"])
        self.assertEqual({message.severity for message in messages if message.type == "damaged"},
                         {WARNING})
        (heartbeat,) = siem.reports("heartbeat")
        self.assertEqual(heartbeat["leaves"], str(len(self.ledger.lines) - 5))

    def test_nothing_is_missing_whoever_is_killed(self):
        siem = self.siem()
        forwarder = self.forwarder(siem.server)
        for number in range(12):
            for _ in range(10):
                self.ledger.append(150)
                self.ledger.checkpoint()
                time.sleep(0.05)
            if number % 3 == 1:
                siem.kill9()
                time.sleep(0.2)
                siem.start()
            elif number % 3 == 2:
                forwarder.kill9()
                forwarder.start()
        forwarder.wait_confirmed(len(self.ledger.lines), 40)
        self.assert_whole(siem)


class PeerTest(Lone):
    """Who is not whom they must be gets nothing, and a sentence says why."""

    def setUp(self):
        super().setUp()
        self.ledger.append(10)
        self.ledger.checkpoint()

    def refused(self, words, siem, **options):
        forwarder = self.forwarder(siem.server, **options)
        forwarder.wait_sentence(words)
        time.sleep(1)
        self.assertEqual(siem.messages(), [])
        self.assertEqual(forwarder.progress()["next"], "0")
        self.assertFalse(forwarder.progress()["connected"])
        return forwarder

    def test_a_receiver_of_another_authority(self):
        self.refused("its certificate is not one that", self.siem(), ca=self.other.certificate)

    def test_a_receiver_of_another_name(self):
        self.refused("its certificate is not for 'localhost'",
                     self.siem(certificate=self.authority.wrong_host_server()))

    def test_a_receiver_whose_certificate_has_ended(self):
        self.refused("certificate has expired",
                     self.siem(certificate=self.authority.expired_server()))

    def test_a_receiver_that_does_not_know_our_authority(self):
        self.refused("it ended the connection as soon as it had seen our certificate", self.siem(),
                     client=self.other.client)

    def test_a_receiver_that_does_not_permit_our_name(self):
        self.refused("it ended the connection as soon as it had seen our certificate",
                     self.siem(client="vault02"))

    def test_a_receiver_without_tls(self):
        with socket.create_server(("127.0.0.1", 0)) as plain:
            forwarder = self.forwarder(f"localhost:{plain.getsockname()[1]}")
            peer, _ = plain.accept()
            with peer:
                peer.recv(1)
                peer.sendall(b"220 hello\r\n")
                forwarder.wait_sentence("TLS failed")

    def test_no_receiver_and_a_key_that_is_everybodys(self):
        siem = Siem(self.scratch, self.authority)
        forwarder = self.forwarder(siem.server)
        forwarder.wait_sentence("connecting: Connection refused")
        client = self.authority.issue("loose", purpose="clientAuth")
        client.key.chmod(0o644)
        siem.start()
        self.refused("can be read by everybody; do: chmod 0640", siem, name="loose", client=client)
        forwarder.wait_confirmed(len(self.ledger.lines))  # it came back by itself
        unknown = self.forwarder("siem.invalid", name="unknown")
        unknown.wait_sentence("'siem.invalid' has no address")


class RewoundTest(Lone):
    """Another ledger in the place of the one that was forwarded."""

    def setUp(self):
        super().setUp()
        self.ledger.append(100)
        self.ledger.checkpoint()
        self.receiver = self.siem()
        self.sender = self.forwarder(self.receiver.server)
        self.sender.wait_confirmed(len(self.ledger.lines))

    def replace(self, archive=ledger.ARCHIVE, count=100):
        """By another one, made beside it: at no moment is there none."""
        other = Ledger(self.scratch.directory(f"other-{count}-{archive[-2:]}"), archive)
        other.append(count)
        other.checkpoint()
        old = self.ledger.directory
        old.rename(old.with_name("old"))
        other.directory.rename(old)
        shutil.rmtree(old.with_name("old"))
        other.directory, self.ledger = old, other

    def assert_alarm(self, words):
        """It tells the SIEM, the log and the file, and does not go on."""
        before, place = len(self.receiver.leaves()), self.sender.progress()["next"]
        known = len(self.receiver.reports("ledger-rewound"))
        self.sender.start()
        self.sender.wait(lambda: len(self.receiver.reports("ledger-rewound")) > known, "an alert")
        report = self.receiver.reports("ledger-rewound")[-1]
        self.assertIn("somebody has replaced it or put back an older state", report["problem"])
        self.assertIn(words, report["problem"])
        self.sender.wait_sentence(words)
        self.assertEqual(self.sender.events("ledger.rewound")[0]["level"], "error")
        time.sleep(1)
        self.assertEqual(len(self.receiver.leaves()), before, "it went on")
        self.assertEqual(self.sender.progress()["next"], place)
        self.assertTrue(self.sender.progress()["rewound"])
        self.sender.stop()

    def test_it_is_refused_loudly(self):
        self.sender.stop()
        self.replace(count=50)
        self.assert_alarm("102 leaves are forwarded, and its last checkpoint covers only 52")
        self.replace(count=200)
        self.assert_alarm("leaf 101 is another one")
        self.replace("8d0c1fd2-6f5e-4b0e-9f8e-0000000000bb")
        self.assert_alarm("its archive is binvault/8d0c1fd2-6f5e-4b0e-9f8e-0000000000bb")
        self.assertEqual({message.severity for message in self.receiver.messages()
                          if message.type == "ledger-rewound"}, {ALERT})

    def test_it_is_seen_while_it_runs_too(self):
        self.replace(count=50)
        self.sender.wait(lambda: self.receiver.reports("ledger-rewound"), "an alert")
        self.assertEqual(len(self.receiver.leaves()), 102)

    def test_a_longer_one_is_seen_while_it_runs_too(self):
        self.replace(count=200)
        self.sender.wait(lambda: self.receiver.reports("ledger-rewound"), "an alert")
        self.assertEqual(len(self.receiver.leaves()), 102)

    def test_a_stray_name_is_no_other_ledger(self):
        (self.ledger.directory / "notes").write_text("nothing")
        self.sender.kill9()
        self.sender.start()
        self.sender.wait_sentence("notes")
        self.assertEqual(self.receiver.reports("ledger-rewound"), [])

    def test_a_state_that_cannot_be_written_holds_nothing_up(self):
        self.sender.state.chmod(0o555)
        self.addCleanup(self.sender.state.chmod, 0o755)
        self.ledger.append(10)
        self.ledger.checkpoint()
        self.sender.wait(lambda: self.receiver.highest() == len(self.ledger.lines) - 1, "the ten")
        self.sender.wait(lambda: self.sender.events("state.unwritten"), "it is in the log")


if __name__ == "__main__":
    unittest.main()
