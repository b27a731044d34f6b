"""What can be said of the image without starting it."""

import os
import re
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from image import pcr11

PROJECT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("BINVAULT_IMAGE", PROJECT / "build" / "image"))
CACHE = Path(os.environ.get("BINVAULT_IMAGE_CACHE", Path.home() / ".cache/binvault/image"))

EXPOSURE_MAX = {"binvault-keeper.service": 15, "binvault-hsm.service": 15,
                "binvault-pull@.service": 15, "binvault-export@.service": 15,
                "binvault-status.service": 15, "binvault-restores.service": 15,
                # CAP_SYS_ADMIN, for a moment: see image/updater/main.c
                "binvault-update.service": 20, "binvault-verdict@.service": 20,
                "binvault-share-config@.service": 5, "binvault-share-filter.service": 15,
                "binvault-share-tls.service": 15, "binvault-share-mountd.service": 20,
                "binvault-share.service": 25, "nftables.service": 20}


def tools(*command):
    """A command of the tools tree; the image is below /mnt."""
    tree = max(CACHE.glob("tools-*/tree"), key=lambda path: path.stat().st_mtime)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f'mount --bind "{BUILT}" "{tree}/mnt" && exec chroot "{tree}" "$@"', "sh", *command],
        capture_output=True, text=True, check=False)


@unittest.skipUnless((BUILT / "SHA256SUMS").exists(), "no image; do: image/build")
class Artefacts(unittest.TestCase):
    def test_the_root_hash_is_the_same_in_kernel_image_and_tree(self):
        root_hash = (BUILT / "root.roothash").read_text().strip()
        sections = dict(pcr11.sections((BUILT / "vault.efi").read_bytes()))
        line = sections[".cmdline"].rstrip(b"\0\n").decode()
        self.assertTrue(line.endswith(f" roothash={root_hash}"))
        self.assertEqual(line, (BUILT / "initrd" / "cmdline").read_text().strip())
        superblock = (BUILT / "root.hash").read_bytes()[:512]
        self.assertEqual(superblock[16:32].hex(), root_hash[:32], "by it the initrd finds the slot")
        verified = tools("veritysetup", "verify", "/mnt/root.img", "/mnt/root.hash", root_hash)
        self.assertEqual(verified.returncode, 0, verified.stderr)

    def test_initrd_and_root_name_the_same_version_and_floor(self):
        release = (BUILT / "release").read_text()
        self.assertEqual(release, (BUILT / "initrd" / "release").read_text())
        self.assertEqual(release, (BUILT / "root/usr/lib/binvault/release").read_text())
        self.assertRegex(release, r"^version [0-9]+\nfloor [0-9]+\n$")

    def test_each_word_of_the_command_line_has_a_reason_and_each_reason_its_word(self):
        table = (PROJECT / "firmware-config/platform/kernel-cmdline.tsv").read_text()
        reasons = {line.split("\t")[0] for line in table.splitlines() if not line.startswith("#")}
        words = [re.sub(r"^roothash=.*", "roothash=…", word)
                 for word in (BUILT / "cmdline").read_text().split()]
        self.assertEqual(sorted(words), sorted(reasons))

    def test_nothing_in_the_root_gives_a_person_a_way_in(self):
        for path in (BUILT / "root").rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                self.assertFalse(mode & (stat.S_ISUID | stat.S_ISGID), path)
        programs = {path.name for folder in ("bin", "sbin")
                    for path in (BUILT / "root" / "usr" / folder).iterdir()}
        keep = {line for line in (PROJECT / "image" / "keep.list").read_text().split("\n")
                if line and not line.startswith("#")}
        self.assertEqual(programs, keep)
        for line in (BUILT / "root/etc/shadow").read_text().splitlines():
            self.assertEqual(line.split(":")[1], "!*", line)

    def test_no_unit_of_ours_is_more_exposed_than_it_may_be(self):
        for unit, limit in EXPOSURE_MAX.items():
            with self.subTest(unit):
                result = tools("systemd-analyze", "security", "--offline=true", "--root=/mnt/root",
                               "--no-pager", f"--threshold={limit}", unit)
                self.assertEqual(result.returncode, 0, result.stdout[-200:] + result.stderr)

    def test_the_packet_filter_is_in_the_language_of_nft(self):
        result = subprocess.run(
            ["unshare", "--mount", "--net", "chroot", BUILT / "root", "/usr/sbin/nft", "--check",
             "--file", "/etc/nftables.conf"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)


@unittest.skipUnless((BUILT / "SHA256SUMS").exists(), "no image; do: image/build")
class Reproducible(unittest.TestCase):
    def test_two_builds_differ_in_nothing_but_the_signature(self):
        lz4 = ["--lz4"] if os.environ.get("BINVAULT_IMAGE_QUICK") == "1" else []
        with tempfile.TemporaryDirectory(prefix="binvault-image-") as folder:
            built = subprocess.run([PROJECT / "image" / "build", *lz4, "--softhsm", "--output",
                                    folder], capture_output=True, text=True, check=False,
                                   env={**os.environ, "BINVAULT_IMAGE_KEYS": str(BUILT / "keys")})
            self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
            for name in ("root.img", "root.hash", "initrd.zst", "cmdline", "vault.unsigned.efi",
                         "sbom.tsv", "pcr11"):
                with self.subTest(name):
                    self.assertTrue(Path(folder, name).read_bytes() == (BUILT / name).read_bytes(),
                                    f"{name} differs")
