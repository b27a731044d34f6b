"""The image boots to a self-test that passes whole; what is not as signed does not boot.

Every refusal is recognised by its own words, and has beside it the boot that differs in that one
thing and is not refused.
"""

import base64
import os
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from image.tests.machine import VARIABLES, Machine, missing, roomy

BUILT = Path(os.environ.get("BINVAULT_IMAGE", Path(__file__).parents[2] / "build" / "image"))
QUICK = os.environ.get("BINVAULT_IMAGE_QUICK") == "1"

SELFTEST = r"SELFTEST (PASSED \d+|FAILED .*)\n"
KERNEL_PANIC = r"Kernel panic - not syncing: dm-verity device corrupted"
BOOTED = r"INITRD-SCANNED \d+ bytes of the root are as signed"
REFUSED_BY_FIRMWARE = r"failed to load Boot\d+ .*: Access Denied"
BLOCK = 4096


@unittest.skipIf(missing(), str(missing()))
@unittest.skipUnless((BUILT / "test" / "enrolled.fd").exists(),
                     "no image; do: image/build --softhsm --test-disks")
class BootTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="binvault-image-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def boot(self, disk, until, seconds=150, variables="enrolled", **options):
        """`until` also stands for every other end, so that a wrong one is seen at once."""
        firmware = VARIABLES if variables is None else BUILT / "test" / f"{variables}.fd"
        ends = f"{until}|{SELFTEST}|INITRD-REFUSED .*\n|Access Denied|Kernel panic"
        machine = Machine(self.folder, disk, firmware, **options)
        console = machine.run(ends, seconds)
        self.assertRegex(console, until)
        return console

    def disk(self, name):
        return BUILT / "test" / f"{name}.img"

    def damaged(self, partition, offset):
        """A copy of the good disk with one bit of a partition (by number, from 1) turned."""
        copy = self.folder / "damaged.img"
        shutil.copyfile(self.disk("good"), copy)
        partitions = (BUILT / "partitions").read_text().splitlines()
        start = [int(line.split("start=")[1].split("MiB")[0])
                 for line in partitions if line.startswith("start=")]
        with open(copy, "r+b") as file:
            file.seek(start[partition - 1] * 1048576 + offset)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        return copy


class Signed(BootTest):
    def test_the_vault_boots_and_its_self_test_passes_whole(self):
        """Through systemd-boot, with TPM: also the control of every refusal below."""
        console = self.boot(roomy(BUILT / "vault.img", self.folder / "disk.img"), SELFTEST, 400,
                            tpm=True, writable=True)
        self.assertNotIn("\nnot ok", console)
        self.assertRegex(console, r"SELFTEST PASSED \d+")
        self.assertRegex(console, BOOTED)
        skipped = re.findall(r"\nok \d+ - (\S+) .*# SKIP", console)
        self.assertEqual(skipped, ["packets", "binvault-keeper.service", "binvault-hsm.service"],
                         "what is not asserted of a vault without a configuration")
        measured = re.search(r"# PCR 11 ([0-9A-F]{64})", console)
        self.assertEqual(measured[1].lower(), (BUILT / "pcr11").read_text().strip())


class Firmware(BootTest):
    def test_an_unsigned_kernel_image_is_refused(self):
        self.boot(self.disk("unsigned"), REFUSED_BY_FIRMWARE)

    @unittest.skipIf(QUICK, "not in the quick part")
    def test_the_same_unsigned_kernel_image_starts_without_secure_boot(self):
        self.boot(self.disk("unsigned"), BOOTED, variables=None)

    def test_a_kernel_image_signed_by_somebody_else_is_refused(self):
        self.boot(self.disk("foreign"), REFUSED_BY_FIRMWARE)

    def test_a_revoked_kernel_image_is_refused(self):
        self.boot(self.disk("good"), REFUSED_BY_FIRMWARE, variables="revoked")


    def test_a_bit_of_the_kernel_image_on_the_esp_is_noticed(self):
        """The control is the same disk as it was: Root.test_a_root_as_signed_is_started."""
        kernel = (BUILT / "vault.efi").read_bytes()
        middle = len(kernel) // 2 // BLOCK * BLOCK
        with open(self.disk("good"), "rb") as disk:
            disk.seek(1 << 20)
            at = disk.read(80 << 20).find(kernel[middle:middle + BLOCK])
        self.assertGreater(at, 0)
        self.boot(self.damaged(1, at + 77), REFUSED_BY_FIRMWARE)


class Modules(BootTest):
    def test_a_module_without_its_signature_is_refused(self):
        """The control is every other boot: the same module, signed, mounts the root."""
        console = self.boot(self.disk("unsigned_module"),
                            r"INITRD-REFUSED mounting the root: No such device")
        self.assertIn("INITRD-MODULE /modules/erofs.ko: Key was rejected by service\n", console)


class Root(BootTest):
    def test_a_root_as_signed_is_started(self):
        """The control of this class."""
        self.boot(self.disk("good"), BOOTED)

    def test_a_bit_of_the_superblock_is_noticed(self):
        self.boot(self.damaged(3, 88 + 5), KERNEL_PANIC)  # in the salt

    def test_a_bit_of_the_hash_tree_is_noticed(self):
        self.boot(self.damaged(3, BLOCK + 17), KERNEL_PANIC)

    def test_a_bit_that_nothing_would_read_is_noticed(self):
        size = (BUILT / "root.img").stat().st_size
        console = self.boot(self.damaged(2, size // BLOCK // 2 * BLOCK + 99), KERNEL_PANIC)
        self.assertIn(f"data block {size // BLOCK // 2} is corrupted", console)

    def test_another_root_hash_is_refused(self):
        self.boot(self.disk("wrong_hash"), KERNEL_PANIC)


class CommandLine(BootTest):
    REFUSED = r"INITRD-REFUSED the kernel command line is not the signed one"

    def test_another_line_in_a_signed_image_is_refused(self):
        self.boot(self.disk("other_line"), self.REFUSED)

    def test_words_that_the_firmware_tables_add_are_refused(self):
        self.boot(self.disk("good"), self.REFUSED, extra=(
            "-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra=init=/bin/sh"))

    @unittest.skipIf(QUICK, "not in the quick part")
    def test_a_unit_that_the_firmware_tables_bring_is_not_started(self):
        """On a machine whose archive lies on a disk of its own; the first one has no room for it."""
        unit = "[Service]\nType=oneshot\nStandardOutput=tty\nTTYPath=/dev/console\n" \
               "ExecStart=/usr/bin/systemctl --version\n"
        wants = "[Unit]\nWants=evil.service\n"
        prefix = "io.systemd.credential.binary:systemd"
        values = (f"{prefix}.extra-unit.evil.service={base64.b64encode(unit.encode()).decode()}",
                  f"{prefix}.unit-dropin.multi-user.target="
                  f"{base64.b64encode(wants.encode()).decode()}")
        data = roomy(self.disk("data"), self.folder / "data.img", 0)
        full = roomy(self.disk("good"), self.folder / "disk.img", 0)
        console = self.boot(full, SELFTEST, 400, tpm=True, writable=True, extra=(
            "-smbios", "type=11," + ",".join(f"value={value}" for value in values),
            "-drive", f"file={data},format=raw,if=virtio"))
        self.assertRegex(console, r"SELFTEST PASSED \d+")
        self.assertNotIn("evil.service", console)
