"""What can be said of the image without starting it."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from image import pcr11

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
BUILT = Path(os.environ.get("BINVAULT_IMAGE", PROJECT / "build" / "image"))
CACHE = Path(os.environ.get("BINVAULT_IMAGE_CACHE", Path.home() / ".cache/binvault/image"))


def lines_of(name, share):
    """Of a list of the image, and of the list of that name that the share has."""
    paths = (PROJECT / "image" / name, PROJECT / "image/share" / share / name)
    return [line for path in paths if path.exists() for line in path.read_text().splitlines()
            if line and not line.startswith("#")]


def services_of_the_table(share="nfs"):
    """{service: the highest exposure that it may have, in tenths} of services.tsv"""
    rows = [line.split("\t") for line in lines_of("services.tsv", share)]
    assert all(len(row) == 3 and row[2] for row in rows), "each has its reason"
    return {service: int(maximum) for service, maximum, _ in rows}


def services_of_the_root(built=BUILT):
    """The names of those that systemd can start, whoever they come from."""
    folders = [built / "root" / place / "systemd/system" for place in ("etc", "usr/lib")]
    masked = {path.name for path in folders[0].iterdir() if path.is_symlink()
              and str(path.readlink()) == "/dev/null"}
    return {path.name for folder in folders for path in folder.glob("*.service")} - masked


def tools(*command, etc=None, built=BUILT):
    """A command of the tools tree; the image is below /mnt, its root with another /etc if asked."""
    tree = max(CACHE.glob("tools-*/tree"), key=lambda path: path.stat().st_mtime)
    mounts = f'mount --bind "{built}" "{tree}/mnt"'
    if etc:
        mounts += f' && mount --bind "{etc}" "{tree}/mnt/root/etc"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mounts} && exec chroot "{tree}" "$@"', "sh",
         *command], capture_output=True, text=True, check=False)


def exposure(service, limit, etc=None, built=BUILT):
    """What systemd says of a service of the image, line by line; its status is 0 up to `limit`."""
    return tools("systemd-analyze", "security", "--offline=true", "--root=/mnt/root", "--no-pager",
                 f"--threshold={limit}", service, etc=etc, built=built)


def programs(built):
    return {path.name for folder in ("bin", "sbin")
            for path in (built / "root" / "usr" / folder).iterdir()}


def too_exposed(services, built=BUILT):
    """{service: what systemd says} of those that are above their limit."""
    said = {service: exposure(service, limit, built=built) for service, limit in services.items()}
    return {service: words.stdout[-200:] + words.stderr for service, words in said.items()
            if words.returncode != 0}


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
        self.assertEqual(programs(BUILT), set(lines_of("keep.list", "nfs")))
        for line in (BUILT / "root/etc/shadow").read_text().splitlines():
            self.assertEqual(line.split(":")[1], "!*", line)

    def test_each_service_is_in_the_table_and_each_row_is_a_service(self):
        """Also of a package that somebody adds: who has looked at it writes its row."""
        self.assertEqual(sorted(services_of_the_root()), sorted(services_of_the_table()))

    def test_no_service_is_more_exposed_than_it_may_be(self):
        self.assertEqual(too_exposed(services_of_the_table()), {})

    def test_the_packet_filter_is_in_the_language_of_nft(self):
        self.packet_filter(BUILT / "root/etc")

    def packet_filter(self, etc):
        """What the kernel would hold if the image's /etc were this folder, as nft lists it."""
        nft = f'chroot "{BUILT}/root" /usr/sbin/nft'
        result = subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-c",
             f'mount --bind "{etc}" "{BUILT}/root/etc" && {nft} --check --file /etc/nftables.conf'
             f' && {nft} --file /etc/nftables.conf && {nft} list ruleset'],
            capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


    def etc_with_hsm(self, device="", address=""):
        """The image's /etc as `image/build --hsm-device DEVICE --hsm-address ADDRESS` makes it."""
        folder = tempfile.TemporaryDirectory(dir=BUILT, prefix="hsm-")
        self.addCleanup(folder.cleanup)
        shutil.copytree(BUILT / "root/etc", Path(folder.name, "etc"), symlinks=True)
        subprocess.run(["bash", "-euc", f'. "{PROJECT}/image/lib/root.sh"; install_hsm'],
                       env={**os.environ, "root": folder.name, "hsm_device": device,
                            "hsm_address": address}, check=True)
        return Path(folder.name, "etc")

    def left(self, etc, *connections):
        """Those of USER:ADDRESS:PORT whose packets the filter in this /etc lets out."""
        result = subprocess.run(
            ["unshare", "--mount", "--net", sys.executable, HERE / "leaves.py", BUILT / "root", etc,
             *connections], capture_output=True, text=True, check=True)
        return result.stdout.split()

    def test_the_way_to_an_hsm_in_the_network_is_one_port_for_one_user(self):
        etc = self.etc_with_hsm(address="192.0.2.7:1792")
        users = (BUILT / "root/etc/passwd").read_text()
        number = {name: re.search(rf"^{name}:[^:]*:(\d+):", users, re.MULTILINE)[1]
                  for name in ("binvault-hsm", "binvault-pull", "root")}
        its = f"{number['binvault-hsm']}:192.0.2.7:1792"
        others = [f"{number['binvault-pull']}:192.0.2.7:1792", f"{number['root']}:192.0.2.7:1792",
                  f"{number['binvault-hsm']}:192.0.2.7:1793",
                  f"{number['binvault-hsm']}:192.0.2.8:1792"]
        self.assertEqual(self.left(etc, its, *others), [its])
        self.assertEqual(self.left(BUILT / "root/etc", its, *others), [], "the control")
        self.assertIn("ip saddr 192.0.2.7 tcp sport 1792 ct state established accept",
                      self.packet_filter(etc))
        said = exposure("binvault-hsm.service", 20, etc)
        self.assertEqual(said.returncode, 0, said.stdout)
        self.assertRegex(said.stdout, r"\n✗ PrivateNetwork= +Service has access to the host")
        self.assertRegex(said.stdout, r"\n. IPAddressDeny= +Service defines IP address allow list")
        self.assertRegex(said.stdout, r"\n✓ RestrictAddressFamilies=~AF_PACKET ")

    def test_the_way_to_an_hsm_in_the_machine_is_one_device_of_one_user(self):
        etc = self.etc_with_hsm(device="/dev/nfp0")
        for service in ("binvault-hsm.service", "binvault-configure.service"):
            said = exposure(service, 30, etc)
            self.assertEqual(said.returncode, 0, said.stdout)
            self.assertRegex(said.stdout, r"DeviceAllow= +Service has a device ACL .*/dev/nfp0")
        self.assertNotIn("nfp0", exposure("binvault-hsm.service", 15).stdout, "the control")
        rule = (etc / "udev/rules.d/90-binvault-hsm.rules").read_text()
        self.assertEqual(rule, 'KERNEL=="nfp0", OWNER="binvault-hsm", GROUP="root", MODE="0600"\n')
        checked = tools("udevadm", "verify", "--resolve-names=never", "--root=/mnt/root", etc=etc)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


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


@unittest.skipUnless((BUILT / "SHA256SUMS").exists(), "no image; do: image/build")
@unittest.skipIf(os.environ.get("BINVAULT_IMAGE_QUICK") == "1", "not in the quick part")
class NotBuilt(unittest.TestCase):
    def build_of_a_copy(self, file, text):
        """What the build of a project says that has this text behind one of its files."""
        with tempfile.TemporaryDirectory(prefix="binvault-image-") as folder:
            copy = Path(folder, "project")
            shutil.copytree(PROJECT, copy, symlinks=True, ignore=lambda place, _: (
                (".git", "build") if Path(place) == PROJECT else ()))
            with open(copy / file, "a", encoding="ascii") as end:
                end.write(text)
            built = subprocess.run([copy / "image/build", "--lz4", "--softhsm"], check=False,
                                   capture_output=True, text=True,
                                   env={**os.environ, "BINVAULT_IMAGE_KEYS": str(BUILT / "keys")})
        self.assertEqual(built.returncode, 1, built.stdout + built.stderr)
        self.assertRegex(built.stderr, "image/build: the project does not compile against Debian 13")
        return built.stderr

    def test_the_compilers_words_are_shown(self):
        words = self.build_of_a_copy("src/base/error.c", "int broken( {\n")
        self.assertRegex(words, r"error\.c:\d+:\d+: error: ")

    def test_more_words_than_are_shown_hide_nothing(self):
        words = self.build_of_a_copy("src/base/error.c", "#error no\n" * 5000)
        self.assertLess(words.count("error: #error no"), 100)

    def test_words_of_cmake_are_shown(self):
        words = self.build_of_a_copy("CMakeLists.txt", "unfinished(\n")
        self.assertIn("CMake Error at CMakeLists.txt", words)
