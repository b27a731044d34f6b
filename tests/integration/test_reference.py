"""A second implementation reads the archive: tools/read_ledger.py and tools/read_segment.py.

The period keys are unwrapped here by the openssl command and the token, so that nothing of Binvault
takes part but what it has written.
"""

import hashlib
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

from tests.integration.lab import PROJECT
from tests.integration.lab.archive import unwrap
from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import Stage
from tests.integration.lab.traffic import MEBIBYTE, Traffic

ENGINES = sorted(Path("/usr/lib").glob("*/engines-3/pkcs11.so"))
STAMPS = {"index", "time", "boot", "uptime", "wrap"}  # what the bound hash leaves out


class ReferenceTest(unittest.TestCase):
    """One archive with sealed segments of every way to end, stopped."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(**{"segment-size": "1M", "segment-age": "2s"})
        cls.addClassCleanup(cls.stage.close)
        cls.vault, cls.server = cls.stage.vault, cls.stage.server
        cls.vault.start()
        Traffic(cls.server, seed=11, seconds=4, clients=2, largest=6 * MEBIBYTE).run()
        wait_until(lambda: cls.vault.kill("binvault-pull"), 10, "the puller is killed")
        cls.server.sql("CREATE DATABASE last")
        cls.names = cls.stage.archive()
        wait_until(lambda: cls.vault.unsigned() == 0, 20, "all leaves are signed")
        cls.vault.stop()
        cls.leaves = [json.loads(line) for line in cls.read_ledger("--leaves").splitlines()]

    @classmethod
    def read_ledger(cls, *arguments):
        done = subprocess.run(
            [sys.executable, PROJECT / "tools" / "read_ledger.py", *arguments,
             cls.vault.volume / "ledger"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"read_ledger.py: {done.stderr}")
        return done.stdout

    def of_type(self, kind):
        return [leaf for leaf in self.leaves if leaf["type"] == kind]

    def test_the_ledger_and_its_checkpoints_are_accepted(self):
        summary = json.loads(self.read_ledger())
        self.assertEqual(summary["leaves"], len(self.leaves))
        self.assertGreater(summary["signed"], 10)

    def test_another_key_than_the_pinned_one_is_refused(self):
        key = next(leaf for leaf in self.of_type("signing-key") if leaf["role"] == "checkpoint")
        self.read_ledger("--key", key["fingerprint"])
        with self.assertRaisesRegex(AssertionError, "not pinned"):
            self.read_ledger("--key", "00" * 32)

    def test_all_sealed_segments_together_are_the_servers_binlogs(self):
        keys = {leaf["period"]: self.unwrap(leaf) for leaf in self.of_type("period")}
        sealed = self.of_type("segment-sealed")
        self.assertGreaterEqual({leaf["ended"] for leaf in sealed}, {"rotate", "size"})
        files = {}
        for leaf in sealed:
            start, content = int(leaf["start"]), self.decrypt(leaf, keys[leaf["period"]])
            self.assertEqual(len(content), int(leaf["good_end"]) - start, leaf["path"])
            files.setdefault(leaf["binlog_file"], []).append((start, content))
        for name in self.names:
            with self.subTest(file=name):
                expected = self.server.binlog_path(name).read_bytes()
                at = 4
                for start, content in sorted(files[name]):
                    self.assertEqual(start, at, "neither a gap nor an overlap")
                    self.assertEqual(content, expected[start:start + len(content)])
                    at += len(content)
                self.assertEqual(at, len(expected))

    def decrypt(self, leaf, key):
        path = self.vault.volume / leaf["path"]
        data = path.read_bytes()
        self.assertEqual(hashlib.sha256(data).hexdigest(), leaf["hash"])
        done = subprocess.run(
            [sys.executable, PROJECT / "tools" / "read_segment.py", "--period", key.hex(), path],
            capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def unwrap(self, leaf):
        """The period key, by the token; the record that it is bound to must be this leaf's."""
        master = next(one for one in self.of_type("master")
                      if one["sequence"] == leaf["master"])
        self.assertTrue(ENGINES, "OpenSSL's engine pkcs11 is installed")
        plain = unwrap(self.stage.token, master, leaf)
        record = {key: value for key, value in leaf.items() if key not in STAMPS}
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        self.assertEqual(plain[32:], hashlib.sha256(text.encode()).digest())
        return plain[:32]

    def test_a_segments_path_is_what_the_format_says(self):
        """The path of a segment: source, month, binlog file, position, id."""
        for leaf in self.of_type("segment-sealed"):
            self.assertRegex(leaf["path"], r"^segments/orders/\d{4}-\d{2}/" + re.escape(
                f"{leaf['binlog_file']}.{leaf['start']}.") + r"[0-9a-f-]{32,36}(\.r\d+)?\.seg$")


if __name__ == "__main__":
    unittest.main()
