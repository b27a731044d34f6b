"""What somebody with the raw disk changes in an archive, and how `binvault verify` names it.

A small stopped archive is copied to a plain directory; each test damages the copy and puts it back.
"""

import base64
import hashlib
import json
import os
import random
import re
import shutil
import unittest

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage

SEED = 20
SAMPLES = 220  # flipped bytes, over all files
SLOT = 4096


def canonical(leaf):
    """The bytes of a line of the ledger, without its end."""
    return json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()


class TamperTest(unittest.TestCase):
    """One archive with several sealed segments, stopped, and its copy."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        vault, server = cls.stage.vault, cls.stage.server
        vault.start()
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT, b LONGBLOB)")
        for number in range(3):
            server.sql(f"INSERT INTO d.t VALUES ({number}, REPEAT('x', 3000))")
            cls.stage.archive()
        wait_until(lambda: vault.unsigned() == 0, 20, "all leaves are signed")
        vault.stop()
        cls.copy = cls.stage.scratch.path / "copy"
        shutil.copytree(vault.volume, cls.copy)
        cls.segments = sorted(path.relative_to(cls.copy)
                              for path in cls.copy.glob("segments/*/*/*.seg"))

    def setUp(self):
        self.assertGreaterEqual(len(self.segments), 3)
        self.addCleanup(self.put_back)

    def put_back(self):
        shutil.rmtree(self.copy)
        shutil.copytree(self.stage.vault.volume, self.copy)

    def verify(self):
        return self.stage.vault.run_verb("verify", "--archive", self.copy)

    def defects(self, expect=3):
        result = self.verify()
        self.assertEqual(result.returncode, expect, result.stdout + result.stderr)
        return [line for line in result.stdout.splitlines() if line.startswith("DEFECT")]

    def leaves(self):
        """[(offset of the line, line)] of the ledger's one file."""
        data = self.ledger().read_bytes()
        return [(found.start(), found[0]) for found in re.finditer(rb"[^\n]+", data)]

    def ledger(self):
        return self.copy / "ledger" / "00000000000000000000.jsonl"

    def checkpoints(self):
        """[(offset, tree size)]"""
        data = (self.copy / "ledger" / "checkpoints").read_bytes()
        return [(offset, int(data[offset:].split(b"\n")[1]))
                for offset in range(0, len(data), SLOT) if data[offset:offset + 1] == b"b"]

    # -- nothing ---------------------------------------------------------------------------------
    def test_a_copy_is_clean(self):
        result = self.verify()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn("DEFECT", result.stdout)

    # -- one byte --------------------------------------------------------------------------------
    def test_any_flipped_byte_is_named_with_file_and_offset(self):
        pick = random.Random(SEED)
        for path, offset in self.sample(pick):
            file = self.copy / path
            with self.subTest(file=str(path), offset=offset, seed=SEED):
                with open(file, "r+b", buffering=0) as opened:
                    opened.seek(offset)
                    right = opened.read(1)
                    opened.seek(offset)
                    opened.write(bytes([right[0] ^ 1 << pick.randrange(8)]))
                    try:
                        self.check_named(path, offset)
                    finally:
                        opened.seek(offset)
                        opened.write(right)

    def sample(self, pick):
        """Offsets over all files, with the places that are unlike others among them."""
        places = []
        for path in self.segments:
            size = (self.copy / path).stat().st_size
            # Header, its padding, the first frame, the last eight bytes.
            places += [(path, 0), (path, 8), (path, 500), (path, 2000), (path, 4096), (path, 4144),
                       (path, size - 1), (path, size - 8), (path, size - SLOT)]
            places += [(path, pick.randrange(size)) for _ in range(20)]
        places += [("archive.id", pick.randrange((self.copy / "archive.id").stat().st_size))
                   for _ in range(8)]
        end = self.leaves()[-1][0] + len(self.leaves()[-1][1])
        signed = self.checkpoints()[-1][1]
        if signed < len(self.leaves()):
            end = self.leaves()[signed][0]
        ledger = self.ledger().relative_to(self.copy)
        for begin, line in self.leaves()[:signed]:
            places += [(ledger, begin), (ledger, begin + pick.randrange(len(line))),
                       (ledger, begin + len(line) - 1)]
        while len(places) < SAMPLES - 20:
            places.append((ledger, pick.randrange(end)))
        last = self.checkpoints()[-1][0]
        places += [("ledger/checkpoints", pick.randrange(last)) for _ in range(20)]
        self.assertGreaterEqual(len(places), 200)
        return places

    def check_named(self, path, offset):
        defects = self.defects()
        places = [place for line in defects for place in self.places(line)]
        for file, first, last in places:
            if file == str(path) and first <= offset <= last:
                return
        # A digit of a leaf may still be a leaf: then the first checkpoint over it tells.
        if str(path).startswith("ledger/"):
            self.assertTrue([place for place in places if place[0].startswith("ledger/")], defects)
            return
        self.fail(f"none of these names byte {offset} of {path}: {defects}")

    def places(self, line):
        """(file, first byte, last byte) of what a DEFECT line names."""
        found = re.search(r"((?:segments|ledger)/\S+?|archive\.id): +(.*)", line)
        if not found:
            return
        file, words = found.groups()
        span = re.search(r"bytes (\d+)[–-](\d+)", words)
        if span:
            yield file, int(span[1]), int(span[2])
            return
        offset = re.search(r"offset (\d+)", words)
        if offset:
            # What is damaged is a line of a ledger, a checkpoint's slot, or all of a small file.
            yield file, int(offset[1]), int(offset[1]) + (1 << 16)

    # -- files -----------------------------------------------------------------------------------
    def test_a_cut_file_is_named(self):
        for path in (self.segments[0], self.segments[-1]):
            for size in (0, 100, 4096, (self.copy / path).stat().st_size - 1):
                with self.subTest(path=str(path), size=size), open(self.copy / path, "r+b") as file:
                    file.truncate(size)
                    self.assertTrue([line for line in self.defects() if str(path) in line])
            shutil.copy(self.stage.vault.volume / path, self.copy / path)

    def test_a_grown_file_is_named(self):
        path = self.segments[1]
        with open(self.copy / path, "ab") as file:
            file.write(b"\0" * 4096)
        self.assertTrue([line for line in self.defects() if str(path) in line])

    def test_a_removed_and_an_added_file_are_named(self):
        removed, copied = self.segments[0], self.segments[1]
        (self.copy / removed).unlink()
        added = copied.with_name("mariadb-bin.777777." + copied.name.split(".", 2)[2])
        shutil.copy(self.copy / copied, self.copy / added)
        (self.copy / "ledger" / "notes").write_text("x")
        lines = "\n".join(self.defects())
        for name in (removed, added, "ledger/notes"):
            self.assertIn(str(name), lines)

    def test_swapped_segments_are_named_both(self):
        first, second = (self.copy / path for path in self.segments[:2])
        spare = self.copy.parent / "spare"
        first.rename(spare)
        second.rename(first)
        spare.rename(second)
        lines = "\n".join(self.defects())
        for path in self.segments[:2]:
            self.assertIn(str(path), lines)

    def test_all_of_several_defects_are_reported(self):
        for path in self.segments:
            self.flip(path, 5000)
        self.flip(self.ledger().relative_to(self.copy), self.leaves()[2][0] + 10)
        lines = "\n".join(self.defects())
        for name in [*map(str, self.segments), "ledger/0"]:
            self.assertIn(name, lines)

    def flip(self, path, offset):
        with open(self.copy / path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 0x10]))

    # -- the ledger ------------------------------------------------------------------------------
    def test_a_ledger_cut_before_its_last_checkpoint_is_named(self):
        signed = self.checkpoints()[-1][1]
        with open(self.ledger(), "r+b") as file:
            file.truncate(self.leaves()[signed - 1][0])
        lines = "\n".join(self.defects())
        self.assertIn("ledger/", lines)
        self.assertIn("lost", lines)

    def test_the_checkpoints_of_another_history_are_named(self):
        """A rollback that keeps its own order: a smaller checkpoint comes after a larger one."""
        path = self.copy / "ledger" / "checkpoints"
        offsets = [offset for offset, _ in self.checkpoints()]
        self.assertGreaterEqual(len(offsets), 2)
        data = path.read_bytes()
        path.write_bytes(data + data[offsets[0]:offsets[0] + SLOT])
        self.assertIn("ledger/checkpoints", "\n".join(self.defects()))

    def test_removed_checkpoints_leave_leaves_unsigned_and_say_so(self):
        """Nothing in a copy can show it: that is what a checkpoint kept elsewhere is for."""
        path = self.copy / "ledger" / "checkpoints"
        offset, size = self.checkpoints()[-1]
        with open(path, "r+b") as file:
            file.truncate(offset)
        earlier = self.checkpoints()[-1][1]
        result = self.verify()
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertLess(earlier, size)
        self.assertEqual(self.unsigned(), len(self.leaves()) - earlier)
        self.assertIn(f"a change of the last {len(self.leaves()) - earlier} would not be seen",
                      result.stdout)

    def test_a_ledger_without_any_checkpoint_is_a_defect(self):
        (self.copy / "ledger" / "checkpoints").write_bytes(b"")
        self.assertIn("ledger/checkpoints", "\n".join(self.defects()))

    def test_leaves_after_the_last_checkpoint_are_reported_as_unsigned(self):
        before = self.unsigned()
        self.append_leaf({"type": "orphan", "path": "segments/orders/none", "size": "0",
                          "reason": "planted"})
        self.verify()
        self.assertEqual(self.unsigned(), before + 1)

    def unsigned(self):
        result = self.stage.vault.run_verb("verify", "--archive", self.copy, "--output=json")
        return json.loads(result.stdout)["unsigned"]

    def append_leaf(self, fields):
        leaves = self.leaves()
        leaf = {**{key: json.loads(leaves[-1][1])[key] for key in ("boot", "time", "uptime")},
                **fields, "index": str(len(leaves))}
        line = canonical(leaf) + b"\n"
        with open(self.ledger(), "ab") as file:
            file.write(line + b"\n" * (-len(line) % 4096))

    def test_wraps_swapped_between_leaves_are_named(self):
        """A wrap in a signed leaf: any other one gives another root."""
        offset, line = next((offset, line) for offset, line in self.leaves()
                            if b'"type":"period"' in line)
        leaf = json.loads(line)
        wrap = base64.b64decode(leaf["wrap"])
        leaf["wrap"] = base64.b64encode(wrap[::-1]).decode()
        with open(self.ledger(), "r+b") as file:
            file.seek(offset)
            file.write(canonical(leaf))
        self.assertIn("ledger/", "\n".join(self.defects()))


class PlantedWrapTest(unittest.TestCase):
    """While the HSM is away leaves are unsigned: the binding of each wrap has to tell."""

    def test_a_wrap_that_was_swapped_is_found_as_soon_as_it_is_unwrapped(self):
        with Stage() as stage:
            stage.vault.start()
            stage.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT)")
            stage.archive()
            stage.vault.stop()
            stage.token.hide()
            stage.vault.start()
            stage.server.sql("INSERT INTO d.t VALUES (1)")
            stage.vault.wait_covered(SOURCE, stage.server)
            stage.vault.kill9()
            self.swap(stage.vault.volume)
            stage.token.restore()
            stage.vault.start()
            sentence = wait_until(lambda: self.alarm(stage.vault), 30,
                                  lambda: f"an alarm names it: {stage.vault.status()}")
            self.assertIn("period", sentence)
            self.assertIn("binvault verify", sentence)
            # Ingest goes on under a new key, from the end of what is sealed.
            stage.server.sql("INSERT INTO d.t VALUES (2)")
            names = stage.archive(settled=False)
            self.assertEqual([segment["state"] for segment in stage.vault.pending(SOURCE)],
                             ["stopped"])
            stage.vault.verb("restore", SOURCE, "--to", "r1")
            self.assertEqual((stage.vault.export / "r1" / names[-1]).read_bytes(),
                             stage.server.binlog_path(names[-1]).read_bytes())

    def test_a_period_that_was_planted_with_a_key_of_somebody_else_is_never_used(self):
        """Its wrap fits, since the master's public half is in the ledger; but nobody signed it."""
        with Stage() as stage:
            stage.vault.start()
            stage.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT)")
            stage.archive()
            stage.vault.kill9()
            planted = self.plant(stage.vault.volume)
            stage.vault.start()
            stage.server.sql("INSERT INTO d.t VALUES (1)")
            stage.archive()
            leaves = self.leaves(stage.vault.volume)
            self.assertIn(planted, [leaf["period"] for leaf in leaves if leaf["type"] == "period"])
            headers = [base64.b64decode(leaf["header"]) for leaf in leaves
                       if leaf["type"] == "segment-opened"]
            self.assertGreaterEqual(len(headers), 3)
            self.assertNotIn(planted, [header[72:88].hex() for header in headers])

    @staticmethod
    def leaves(volume):
        return [json.loads(line) for path in sorted(volume.glob("ledger/*.jsonl"))
                for line in path.read_bytes().split(b"\n") if line]

    def plant(self, volume):
        """Append a period leaf of our own, as the keeper would; returns the period's id."""
        leaves = self.leaves(volume)
        master = next(leaf for leaf in leaves if leaf["type"] == "master")
        model = next(leaf for leaf in leaves if leaf["type"] == "period")
        key, identity = os.urandom(32), os.urandom(16)
        label = b"binvault period commitment v1"
        record = {field: value for field, value in model.items()
                  if field not in ("index", "time", "boot", "uptime", "wrap")}
        record |= {"period": identity.hex(), "commitment": HKDF(
            hashes.SHA256(), 32, None, label + identity).derive(key).hex()}
        public = serialization.load_der_public_key(base64.b64decode(master["key"]))
        wrap = public.encrypt(key + hashlib.sha256(canonical(record)).digest(), padding.OAEP(
            padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        last = leaves[-1]
        leaf = {**record, "wrap": base64.b64encode(wrap).decode(), "index": str(len(leaves)),
                **{field: last[field] for field in ("time", "boot", "uptime")}}
        line = canonical(leaf) + b"\n"
        with open(sorted(volume.glob("ledger/*.jsonl"))[-1], "ab") as file:
            file.write(line + b"\n" * (-len(line) % 4096))
        return identity.hex()

    def swap(self, volume):
        """Give the newest period the wrap of the first; both have the same size."""
        path = volume / "ledger" / "00000000000000000000.jsonl"
        data = path.read_bytes()
        wraps = [json.loads(line)["wrap"].encode() for line in data.split(b"\n")
                 if b'"type":"period"' in line]
        self.assertGreaterEqual(len(wraps), 2)
        self.assertEqual(len(wraps[0]), len(wraps[-1]))
        with open(path, "r+b") as file:
            file.seek(data.rindex(wraps[-1]))
            file.write(wraps[0])

    @staticmethod
    def alarm(vault):
        return next((sentence for name, sentence in vault.alarms().items() if "wrap" in name),
                    None)


if __name__ == "__main__":
    unittest.main()
