"""What the tests of the forwarder have in common: a ledger, receivers and forwarders for it."""

import unittest

from tests.integration.lab import ledger
from tests.integration.lab.forwarder import Forwarder
from tests.integration.lab.ledger import Ledger
from tests.integration.lab.pki import Authority
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.siem import Siem


class Lone(unittest.TestCase):
    """Each test has a ledger, a receiver and a forwarder, which it starts itself."""

    @classmethod
    def setUpClass(cls):
        cls.base = Scratch()
        cls.addClassCleanup(cls.base.close)
        cls.authority = Authority(cls.base.directory("pki"))
        cls.other = cls.authority.other()

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.volume = self.scratch.directory("volume")
        self.ledger = Ledger(self.volume)

    def siem(self, **options):
        siem = Siem(self.scratch, self.authority, **options)
        siem.start()
        return siem

    def forwarder(self, server, name="forward", **options):
        forwarder = Forwarder(self.scratch, name, self.volume, server, self.authority, **options)
        forwarder.start()
        return forwarder

    def assert_whole(self, siem):
        """Every leaf of the ledger is there, what came twice is the same, and the notes prove it."""
        found = {}
        for index, line in siem.leaves():
            self.assertEqual(found.setdefault(index, line), self.ledger.lines[index])
        self.assertEqual(sorted(set(range(len(self.ledger.lines))) - set(found)), [], "missing")
        notes = list(dict.fromkeys(siem.checkpoints()))
        self.assertEqual(notes, self.ledger.notes)
        self.assertEqual(ledger.proof([found[i] for i in sorted(found)], notes), len(found))
