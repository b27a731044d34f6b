"""Keys in a token: what they sign is what the keys from files sign, and nothing else comes out.

The token is SoftHSM's, its module and the engine those of this machine.
"""

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from image import pcr11
from image.tests import machine
from image.tests.test_artefacts import BUILT, PROJECT, tools
from image.tests.test_boot import BOOTED, QUICK, REFUSED_BY_FIRMWARE, BootTest

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
SPY = Path("/usr/lib/x86_64-linux-gnu/pkcs11-spy.so")
PIN = "271828"
DB, PCR, RELEASE = (f"pkcs11:token=signing;object={name}" for name in ("db", "pcr", "release"))


def lacking():
    """Why nothing can be signed here, or None."""
    for program in ("openssl", "pkcs11-tool", "sbsign", "softhsm2-util"):
        if not shutil.which(program):
            return f"{program} is not installed"
    return None if MODULE.exists() else "the package softhsm2 is not installed"


def without_signature(image):
    """A PE32+ image without what a signature changes: checksum, its directory entry, the table."""
    optional = struct.unpack_from("<I", image, 0x3C)[0] + 24
    entry = optional + 112 + 8 * 4
    at, size = struct.unpack_from("<II", image, entry)
    bare = bytearray(image[:at] if size else image)
    bare[optional + 64:optional + 68] = bytes(4)
    bare[entry:entry + 8] = bytes(8)
    return bytes(bare)


class Token:
    """A token with three keys, whose public halves are files: db.crt, pcr.pub, release.pub."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        (folder / "pin").write_text(PIN + "\n")
        self.environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf"),
                            "PKCS11_MODULE_PATH": str(MODULE)}
        self.run("softhsm2-util", "--init-token", "--free", "--label", "signing", "--pin", PIN,
                 "--so-pin", PIN)
        for number, (name, kind) in enumerate((("db", "rsa:2048"), ("pcr", "rsa:2048"),
                                               ("release", "EC:prime256v1")), 1):
            self.run("pkcs11-tool", "--module", MODULE, "--token-label", "signing", "--login",
                     "--pin", PIN, "--keypairgen", "--key-type", kind, "--id", f"0{number}",
                     "--label", name, "--usage-sign")
        (folder / "bare-pin").write_text(PIN)
        source = f"?pin-source=file:{folder}/bare-pin"
        engine = ("-engine", "pkcs11")
        self.run("openssl", "req", "-new", "-x509", "-sha256", "-days", "30", *engine, "-keyform",
                 "engine", "-key", DB + source, "-subj", "/CN=db in a token", "-out",
                 folder / "db.crt")
        for uri, name in ((PCR, "pcr.pub"), (RELEASE, "release.pub")):
            self.run("openssl", "pkey", *engine, "-inform", "engine", "-in", uri + source,
                     "-pubout", "-out", folder / name)

    def run(self, *command):
        subprocess.run(command, check=True, env=self.environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def sign(self, *words, **environment):
        return subprocess.run([PROJECT / "image/sign", *words], capture_output=True, text=True,
                              check=False, env={**self.environment, **environment})


@unittest.skipIf(lacking(), str(lacking()))
@unittest.skipUnless((BUILT / "SHA256SUMS").exists(), "no image; do: image/build")
class SigningTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="signing-", dir=BUILT)
        cls.addClassCleanup(folder.cleanup)
        cls.place = Path(folder.name)
        cls.seen = Path("/mnt", cls.place.name)  # from the tools tree
        cls.token = Token(cls.place)

    def sign(self, uri, option, proof, file, signature, **environment):
        result = self.token.sign("--key", uri, "--pin", self.place / "pin", option,
                                 self.place / proof, file, self.place / signature, **environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.place / signature

    def in_tools(self, *command):
        result = tools(*command)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def sign_for_firmware(self, name):
        """NAME.efi of the build, signed in the token."""
        self.sign(DB, "--certificate", "db.crt", BUILT / f"{name}.unsigned.efi",
                  f"{name}.efi.signature")
        shutil.copyfile(BUILT / f"{name}.unsigned.efi", self.place / f"{name}.efi")
        self.in_tools("sbattach", "--attach", self.seen / f"{name}.efi.signature",
                      self.seen / f"{name}.efi")
        return self.place / f"{name}.efi"


class Signed(SigningTest):
    def test_an_image_signed_in_the_token_differs_in_nothing_but_the_signature(self):
        for name in ("vault", "boot"):
            with self.subTest(name):
                signed = self.sign_for_firmware(name)
                self.in_tools("sbverify", "--cert", self.seen / "db.crt",
                              self.seen / f"{name}.efi")
                other = tools("sbverify", "--cert", "/mnt/keys/db.crt", self.seen / f"{name}.efi")
                self.assertNotEqual(other.returncode, 0, "verified under a key that did not sign")
                self.assertNotEqual(signed.read_bytes(), (BUILT / f"{name}.efi").read_bytes())
                bare = without_signature(signed.read_bytes())
                self.assertTrue(bare == without_signature((BUILT / f"{name}.efi").read_bytes()))
                unsigned = without_signature((BUILT / f"{name}.unsigned.efi").read_bytes())
                self.assertTrue(bare[:len(unsigned)] == unsigned)
                self.assertFalse(bare[len(unsigned):].strip(b"\0"), "more than padding behind it")

    def test_a_manifest_signed_in_the_token_becomes_an_update(self):
        manifest = self.place / "manifest.json"
        manifest.write_bytes(subprocess.run([PROJECT / "image/update", "manifest", BUILT],
                                            check=True, stdout=subprocess.PIPE).stdout)
        signature = self.sign(RELEASE, "--public", "release.pub", manifest, "1.signature")
        # ECDSA in DER (two INTEGERs), not the 64 bytes that a token gives
        der = subprocess.run(["openssl", "asn1parse", "-inform", "DER", "-in", signature],
                             check=True, capture_output=True, text=True).stdout
        self.assertEqual(re.findall(r"(?:cons|prim): (\w+)", der),
                         ["SEQUENCE", "INTEGER", "INTEGER"])
        update = self.place / "vault.update"
        packed = subprocess.run([PROJECT / "image/update", "pack", BUILT, manifest, update,
                                 signature], capture_output=True, text=True, check=False)
        self.assertEqual(packed.returncode, 0, packed.stderr)
        self.assertIn(signature.read_bytes(), update.read_bytes()[:4096])

    def test_the_value_of_pcr_11_is_signed_as_systemd_would_sign_it(self):
        """With the key from a file, which both have; then the token's, by what RSA makes of it."""
        image = (BUILT / "vault.unsigned.efi").read_bytes()
        sections = dict(pcr11.sections(image))
        measured = []
        for name in sections.keys() & set(pcr11.SECTIONS):
            (self.place / name[1:]).write_bytes(sections[name])
            measured.append(f"--{name[1:]}={self.seen / name[1:]}")
        expected = json.loads(self.in_tools(
            "/usr/lib/systemd/systemd-measure", "sign", "--bank=sha256", "--phase=sysinit",
            "--private-key=/mnt/keys/pcr.key", "--public-key=/mnt/keys/pcr.pub", *measured))
        self.assertEqual(json.loads(sections[".pcrsig"].rstrip(b"\0")), expected)
        signature = self.sign(PCR, "--public", "pcr.pub", BUILT / "pcr11.policy", "pcr11.signature")
        self.in_tools("openssl", "dgst", "-sha256", "-verify", self.seen / "pcr.pub", "-signature",
                      self.seen / signature.name, "/mnt/pcr11.policy")

    def test_the_pin_is_in_no_argument_and_no_variable(self):
        wrappers, log = self.place / "bin", self.place / "seen.log"
        wrappers.mkdir()
        for program in ("openssl", "sbsign"):
            (wrappers / program).write_text(
                f'#!/bin/sh\n{{ echo "ran {program} $*"; env; }} >>"{log}"\n'
                f'exec {shutil.which(program)} "$@"\n')
            (wrappers / program).chmod(0o755)
        self.sign(DB, "--certificate", "db.crt", BUILT / "boot.unsigned.efi", "boot.efi.signature",
                  PATH=f"{wrappers}:{os.environ['PATH']}")
        text = log.read_text()
        self.assertIn("ran openssl", text)
        self.assertIn("ran sbsign", text)
        self.assertNotIn(PIN, text)


class Refused(SigningTest):
    """The control of all: what is signed above, by the same token."""

    def files(self):
        return {path.name for path in self.place.iterdir()} - {"spy.log"}

    def refused(self, words, uri=DB, pin="pin", proof=None, file=BUILT / "boot.unsigned.efi",
                **environment):
        signature = self.place / "refused.signature"
        signature.write_text("of an earlier signing")
        before = self.files()
        result = self.token.sign("--key", uri, "--pin", self.place / pin,
                                 *(proof or ("--certificate", self.place / "db.crt")), file,
                                 signature, **environment)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.splitlines()[-1], "image/sign: " + words)
        self.assertEqual(self.files(), before - {signature.name}, "a signature, or half of one")

    def test_a_wrong_pin_is_given_to_the_token_once(self):
        (self.place / "wrong").write_text("314159\n")
        log = self.place / "spy.log"
        self.refused("the token does not take the PIN; it counts wrong ones, so look before the "
                     "next try", pin="wrong", PKCS11_MODULE_PATH=str(SPY), PKCS11SPY=str(MODULE),
                     PKCS11SPY_OUTPUT=str(log))
        self.assertEqual(log.read_text().count("C_Login\n"), 1)

    def test_a_key_that_is_not_there(self):
        for uri in (DB.replace("object=db", "object=dc"), DB.replace("signing", "other")):
            self.refused(f"no token that is here has the key '{uri}'; compare it with: pkcs11-tool "
                         "--list-objects", uri=uri)

    def test_a_certificate_that_does_not_belong_to_the_key(self):
        other = BUILT / "keys" / "db.crt"
        self.refused(f"'{other}' does not belong to the key '{DB}'; give the one that does",
                     proof=("--certificate", other))

    def test_a_public_key_that_does_not_belong_to_the_key(self):
        other = self.place / "release.pub"
        self.refused(f"'{other}' does not belong to the key '{DB}'; give the one that does",
                     proof=("--public", other))

    def test_a_pin_that_others_could_read(self):
        self.refused("a PIN in the URI is seen by everybody who lists processes; put it into a "
                     "file and say --pin FILE", uri=f"{DB}?pin-value={PIN}")

    def test_a_module_that_is_not_there(self):
        self.refused("the token's module cannot be loaded; set PKCS11_MODULE_PATH to its file",
                     PKCS11_MODULE_PATH="/nonexistent.so")

    def test_what_is_no_kernel_image(self):
        file = self.place / "pin"
        self.refused(f"'{file}' is not signed; what the tools say is above", file=file)


@unittest.skipIf(QUICK, "not in the quick part")
class Ceremony(SigningTest):
    """A whole release without a private key on the builder, as README.md has it."""

    def setUp(self):
        self.output, self.signatures = self.place / "output", self.place / "signatures"
        self.keys = self.place / "keys"
        for folder in (self.output, self.signatures, self.keys):
            folder.mkdir()
        for public in ("db.crt", "pcr.pub", "release.pub"):
            shutil.copyfile(self.place / public, self.keys / public)
        shutil.copytree(BUILT / "compile", self.output / "compile", symlinks=True)

    def build(self, status, words, *options):
        """All that such a build says last, and that it leaves no disk unless it succeeds."""
        built = subprocess.run(
            [PROJECT / "image/build", "--lz4", "--release-threshold", "1", "--output", self.output,
             *options], capture_output=True, text=True, check=False,
            env={**os.environ, "BINVAULT_IMAGE_KEYS": str(self.keys)})
        self.assertEqual(built.returncode, status, built.stdout + built.stderr)
        said = [line for line in (built.stdout + built.stderr).splitlines()
                if line.startswith("image/build: ") and words in line]
        self.assertTrue(said, built.stdout + built.stderr)
        for name in ("vault.img", "vault.efi", "vault.efi.signature"):
            self.assertEqual((self.output / name).exists(), status == 0, name)
        self.assertFalse([path.name for path in self.keys.iterdir() if path.suffix == ".key"])

    def give(self, *names):
        """Signatures of another build, by other keys."""
        for name in names:
            shutil.copyfile(BUILT / name, self.signatures / name)

    def test_a_release_waits_for_each_signature_and_takes_only_the_right_one(self):
        from_token = ("--signatures", self.signatures)
        both = ("vault.efi.signature", "boot.efi.signature")
        self.build(4, f"{self.signatures} has no pcr11.signature;", *from_token)
        self.assertFalse((self.output / "vault.unsigned.efi").exists(), "it would lack the first")
        self.give("pcr11.signature")
        self.build(1, "pcr11.signature is not that of", *from_token)
        self.sign(PCR, "--public", "pcr.pub", self.output / "pcr11.policy",
                  "signatures/pcr11.signature")
        self.build(4, f"{self.signatures} has no {' '.join(both)};", *from_token)
        self.give(*both)
        self.build(1, "vault.efi.signature is not that of", *from_token)
        for name in ("vault", "boot"):
            self.sign(DB, "--certificate", "db.crt", self.output / f"{name}.unsigned.efi",
                      f"signatures/{name}.efi.signature")
        self.build(0, "done: ", *from_token)
        for name in ("vault", "boot"):
            self.in_tools("sbverify", "--cert", self.seen / "db.crt",
                          self.seen / f"output/{name}.efi")
        self.in_tools("mcopy", "-i", f"{self.seen}/output/vault.img@@1M",
                      "::EFI/Linux/vault_1+3.efi", self.seen / "on_disk.efi")
        self.assertTrue((self.place / "on_disk.efi").read_bytes() ==
                        (self.output / "vault.efi").read_bytes())
        section = dict(pcr11.sections((self.output / "vault.efi").read_bytes()))[".pcrsig"]
        signed = json.loads(section.rstrip(b"\0"))["sha256"][0]["sig"]
        self.assertEqual(base64.b64decode(signed),
                         (self.signatures / "pcr11.signature").read_bytes())


@unittest.skipIf(machine.missing(), str(machine.missing()))
@unittest.skipUnless((BUILT / "test" / "good.img").exists(),
                     "no image; do: image/build --softhsm --test-disks")
class Firmware(SigningTest, BootTest):
    """A machine whose db holds the certificate of the token's key and no other."""

    def setUp(self):
        super().setUp()
        shutil.copyfile(machine.VARIABLES, self.place / "ovmf.fd")
        self.in_tools("virt-fw-vars", "--input", self.seen / "ovmf.fd", "--output",
                      self.seen / "token.fd", "--set-pk", machine.OWNER, "/mnt/keys/PK.crt",
                      "--add-kek", machine.OWNER, "/mnt/keys/KEK.crt", "--add-db", machine.OWNER,
                      self.seen / "db.crt", "--secure-boot")
        self.variables = f"../{self.place.name}/token"

    def test_what_the_token_has_signed_starts(self):
        disk = self.place / "disk.img"
        shutil.copyfile(self.disk("good"), disk)
        self.sign_for_firmware("vault")
        self.in_tools("mcopy", "-o", "-i", f"{self.seen / 'disk.img'}@@1M", self.seen / "vault.efi",
                      "::EFI/BOOT/BOOTX64.EFI")
        self.boot(disk, BOOTED, variables=self.variables)

    def test_what_another_key_has_signed_does_not(self):
        self.boot(self.disk("good"), REFUSED_BY_FIRMWARE, variables=self.variables)
