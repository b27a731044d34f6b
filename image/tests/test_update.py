"""From version 1 to version 2 and no way back: installed, refused, cut, and fallen back from.

Every boot here writes to a disk of its own and has a TPM that stays with it.
"""

import os
import random
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from image.tests.machine import Machine, missing
from image.tests.test_boot import QUICK, REFUSED_BY_FIRMWARE
from image.tests.update_lab import (BUILT, KEYS, MIB, NEXT, PROJECT, Box, copy_build,
                                    damaged_build, in_tools, pack, partition_starts,
                                    raise_floor, sign)

GOOD = r"UPDATE no version below \d+ may run from now on\n"
END = r"UPDATE restarting\n|UPDATE-REFUSED .*\n|UPDATE version \d+ of .* runs already"
PANIC = r"Kernel panic - not syncing: dm-verity device corrupted"
VERSION = r"INITRD-VERSION %d; the oldest that may run is %d\n"
CUT_COUNT, CUT_SECONDS = 5, 5


@unittest.skipIf(missing(), str(missing()))
@unittest.skipUnless((NEXT / "SHA256SUMS").exists(), "no image; do: image/build --test-disks")
class UpdateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="binvault-update-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.box = Box(self.folder)


class Update(UpdateTest):
    @unittest.skipIf(QUICK, "not in the quick part")
    def test_version_2_replaces_version_1_and_version_1_does_not_come_back(self):
        update = pack(NEXT, self.folder / "vault-2.update")
        console = self.box.boot(END, update)
        self.assertRegex(console, VERSION % (1, 0))
        self.assertIn("UPDATE version 1 is good\n", console)
        self.assertIn("UPDATE no version below 1 may run from now on\n", console)
        self.assertIn("UPDATE version 2 is installed in slot b\nUPDATE restarting\n", console)
        console = self.box.boot(END, update)
        self.assertRegex(console, VERSION % (2, 1))
        self.assertRegex(console, r"SELFTEST PASSED \d+\n")
        self.assertIn("VOLUME the data volume is open\n", console,
                      "sealed under version 1, opened by version 2")
        self.assertIn("UPDATE version 2 is good\n", console)
        self.assertIn("UPDATE no version below 2 may run from now on\n", console)
        self.assertRegex(console, r"UPDATE version 2 of vd\w runs already; take the disk out")
        # the control is the first boot: the same disk, the same TPM, with its floor lower
        console = self.box.boot(r"INITRD-REFUSED .*\n|INITRD-SCANNED", disk=BUILT / "vault.img")
        self.assertIn("INITRD-REFUSED this is version 1, and the TPM of this vault lets none "
                      "below 2 run; install a newer one\n", console)


class Floor(UpdateTest):
    def test_a_version_below_the_floor_does_not_start(self):
        """The first boot is the control: the same disk, the same TPM, before its counter rose."""
        end = r"INITRD-REFUSED .*\n|INITRD-SCANNED"
        console = self.box.boot(end)
        self.assertRegex(console, VERSION % (1, 0))
        self.assertIn("INITRD-SCANNED", console)
        raise_floor(self.box.tpm, 1)
        self.assertRegex(self.box.boot(end), VERSION % (1, 1))
        raise_floor(self.box.tpm, 1)
        self.assertIn("INITRD-REFUSED this is version 1, and the TPM of this vault lets none below "
                      "2 run; install a newer one\n", self.box.boot(end))


class FallBack(UpdateTest):
    def install_by_hand(self, build):
        """As binvault-update does it, but for what it would refuse."""
        starts = partition_starts()
        for name, partition in (("root.hash", "verity_b"), ("root.img", "root_b")):
            with open(self.box.disk, "r+b") as disk:
                disk.seek(starts[partition])
                disk.write((build / name).read_bytes())
        esp = f"/mnt/{self.box.disk.name}@@{starts['esp']}"
        shutil.copyfile(NEXT / "vault.efi", self.folder / "vault.efi")
        in_tools(self.folder, "mren", "-i", esp, "::EFI/Linux/vault_1+3.efi", "vault_1.efi")
        in_tools(self.folder, "mcopy", "-i", esp, "/mnt/vault.efi", "::EFI/Linux/vault_2+3.efi")

    @unittest.skipIf(QUICK, "not in the quick part")
    def test_a_version_that_does_not_come_up_is_tried_three_times_and_left(self):
        bad = damaged_build(NEXT, self.folder / "bad")
        self.install_by_hand(bad)
        for _ in range(3):
            console = self.box.boot(PANIC)
            self.assertRegex(console, VERSION % (2, 0))
        update = pack(bad, self.folder / "bad.update")
        console = self.box.boot(END, update)
        self.assertRegex(console, VERSION % (1, 0))
        self.assertRegex(console, r"SELFTEST PASSED \d+\n")
        self.assertIn("UPDATE version 1 is good\n", console)
        self.assertIn("UPDATE version 2 was tried 3 times and did not come up\n", console)
        self.assertRegex(console, r"UPDATE-REFUSED the update on vd\w: version 2 was tried 3 times "
                                  r"and did not come up; bring a newer one")


class RefusedAndCut(UpdateTest):
    """Four disks with updates that are wrong, each in its own way, and a fifth with the right one."""

    def corrupted(self, name):
        """An update whose bytes are not those that were signed."""
        update = pack(NEXT, self.folder / name)
        with open(update, "r+b") as file:
            file.seek(-MIB, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        return update

    def foreign(self, name):
        """Signed by one who counts, and twice by a key that nobody knows."""
        key = self.folder / "foreign.key"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-out", key], check=True,
                       stderr=subprocess.DEVNULL)
        update = pack(NEXT, self.folder / name, ("release2",))
        signatures = [self.folder / "foreign.1", self.folder / "foreign.2"]
        for signature in signatures:
            sign(update.with_suffix(".json"), key, signature)
        subprocess.run([PROJECT / "image/update", "pack", NEXT, update.with_suffix(".json"), update,
                        *signatures, update.with_suffix(".release2")], check=True)
        return update

    def foreign_kernel(self, name):
        """Signed by two release keys, its kernel image by a key that is not in db."""
        build = copy_build(NEXT, self.folder / "foreign_kernel")
        for file in ("foreign.key", "foreign.crt"):
            shutil.copyfile(KEYS / file, build / file)
        in_tools(build, "sbsign", "--detached", "--key", "/mnt/foreign.key", "--cert",
                 "/mnt/foreign.crt", "--output", "/mnt/vault.efi.signature",
                 "/mnt/vault.unsigned.efi")
        return pack(build, self.folder / name)

    @unittest.skipIf(QUICK, "not in the quick part")
    def test_wrong_updates_are_refused_and_the_right_one_may_be_cut_anywhere(self):
        few = "the manifest is signed by 1 of the 3 release keys that this vault knows, and 2 have to"
        wrong = ((pack(NEXT, self.folder / "few.update", ("release1",)), few),
                 (pack(NEXT, self.folder / "twice.update", ("release1", "release1")), few),
                 (self.foreign("foreign.update"), few),
                 (self.foreign_kernel("kernel.update"), "the kernel image is not signed for Secure "
                                                        "Boot by a key that this vault knows"),
                 (self.corrupted("corrupted.update"),
                  "root.img is not the one that the manifest names"))
        right = pack(NEXT, self.folder / "right.update")
        console, cuts, seed = self.install_and_cut(*(update for update, _ in wrong), right)
        for disk, (_, words) in zip("bcdef", wrong):
            self.assertIn(f"UPDATE-REFUSED the update on vd{disk}: {words}\n", console)
        self.assertIn("UPDATE installing version 2 from vdg in slot b\n", console)
        versions = [self.version_after(cut, seed) for cut in cuts]
        print(f"seed {seed}: after the cuts came versions {versions}")

    def install_and_cut(self, *updates):
        """The console, and the disk as it was at some points from the last installation on."""
        seed = int(os.environ.get("BINVAULT_SEED", time.time()))
        chance = random.Random(seed)
        machine = self.box.machine(*updates)
        machine.start()
        try:
            machine.wait("UPDATE installing version 2 from vdg", 900)
            cuts = []
            for number in range(CUT_COUNT):
                time.sleep(chance.uniform(0, CUT_SECONDS))
                cuts.append(machine.copy_disk(self.box.disk, self.folder / f"cut{number}.img"))
            return machine.console(), cuts, seed
        finally:
            machine.stop()

    def version_after(self, disk, seed):
        """Which version starts from this disk; its root is whole."""
        machine = Machine(self.folder, disk, BUILT / "test" / "enrolled.fd", tpm=True,
                          writable=True)
        console = machine.run(rf"INITRD-SCANNED|INITRD-REFUSED .*\n|{PANIC}|{REFUSED_BY_FIRMWARE}",
                              600)
        self.assertIn("INITRD-SCANNED", console, f"seed {seed}")
        return int(re.search(r"INITRD-VERSION (\d+)", console)[1])
