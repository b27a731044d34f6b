"""A vault that is configured by signed and encrypted bundles: sealed by its owner, applied without a
login, never by an older one, and what is refused stands in the ledger."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from tests.integration.lab import loopfs, program, skip
from tests.integration.lab.pki import openssl
from tests.integration.lab.processes import wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.stage import SOURCE, Stage

PROJECT = Path(__file__).resolve().parents[2]
REFUSED = 4
EC = ("-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("-pkeyopt", "rsa_keygen_bits:3072")


class Identity:
    """A key and its self-signed certificate."""

    def __init__(self, directory, name, algorithm="EC", options=EC, days=365):
        self.key, self.certificate = directory / f"{name}.key", directory / f"{name}.pem"
        openssl("genpkey", "-algorithm", algorithm, *options, "-out", self.key)
        self.key.chmod(0o600)
        openssl("req", "-x509", "-new", "-key", self.key, "-sha256", "-days", days, "-subj",
                f"/O=Lab/CN={name}", "-out", self.certificate)


class Owner:
    """Whoever configures vaults: keys, and a workshop that no vault sees."""

    def __init__(self, directory):
        self.directory = directory
        self.owner, self.other = Identity(directory, "owner"), Identity(directory, "other")
        self.vault = Identity(directory, "vault", "RSA", RSA)
        self.elsewhere = Identity(directory, "elsewhere")

    def path(self, name):
        return self.directory / name

    def binvault(self, *arguments, **environment):
        return subprocess.run([str(program("binvault")), *map(str, arguments)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              env={**os.environ, **environment})

    def seal(self, version, files, signer=None, recipient=None):
        """`config seal` of {name: content}, the first of which is the configuration."""
        workshop, bundle = self.path(f"files-{version}"), self.path(f"{time.monotonic_ns()}.bundle")
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir()
        for name, content in files.items():
            (workshop / name).write_bytes(content)
        signer = signer or self.owner
        result = self.binvault("config", "seal", "--owner-key", signer.key, "--owner-certificate",
                               signer.certificate, "--recipient",
                               (recipient or self.vault).certificate, "--version", version,
                               "--output", bundle, *(workshop / name for name in files))
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return bundle

    def seal_by_hand(self, content):
        """The same with public tools, as src/config/BUNDLE.md says, and with no check at all."""
        text, envelope = self.path("content"), self.path("envelope")
        bundle = self.path(f"{time.monotonic_ns()}.bundle")
        text.write_bytes(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
        openssl("cms", "-encrypt", "-binary", "-aes-256-gcm", "-in", text, "-outform", "DER",
                "-out", envelope, "-recip", self.vault.certificate, "-keyopt",
                "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyopt",
                "rsa_mgf1_md:sha256")
        openssl("cms", "-sign", "-binary", "-nodetach", "-nocerts", "-nosmimecap", "-md", "sha256",
                "-econtent_type", "id-smime-ct-authEnvelopedData", "-signer",
                self.owner.certificate, "-inkey", self.owner.key, "-in", envelope, "-outform",
                "DER", "-out", bundle)
        return bundle


def content_of(version, files, vault="vault01"):
    """The content of a bundle, as src/config/BUNDLE.md says."""
    return {"schema": 1, "vault": vault, "version": str(version), "created_usec": "0",
            "files": {name: base64.b64encode(content).decode() for name, content in files.items()}}


def picture(directory):
    """All of a directory: names, modes, owners and contents."""
    return {str(path.relative_to(directory)):
            (path.lstat().st_mode, path.lstat().st_uid,
             os.readlink(path) if path.is_symlink() else
             path.read_bytes() if path.is_file() else None)
            for path in sorted(directory.rglob("*"))}


class BundledVaultTest(unittest.TestCase):
    """One vault that runs from its second bundle on; each test leaves it running."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.vault, cls.server = cls.stage.vault, cls.stage.server
        cls.directory = cls.stage.scratch.directory("config")
        cls.owner = Owner(cls.stage.scratch.directory("office"))
        cls.plain = cls.vault.configuration
        cls.version = 0
        cls.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY)")
        # Begun with a configuration that somebody laid there, as every vault was before.
        cls.vault.start()
        cls.vault.wait_covered(SOURCE, cls.server)
        cls.vault.stop()
        result = cls.apply(cls.seal_next())
        assert result.returncode == 0, result.stderr
        cls.vault.configuration = cls.directory / "current" / "binvault.conf"
        cls.start()

    # -- what the tests do -------------------------------------------------------------------------
    @classmethod
    def files(cls):
        """What a bundle of this vault holds; the configuration names all but itself in `current`."""
        client, current = cls.stage.authority.client, cls.directory / "current"
        paths = {"password": cls.vault.credential, "pin": cls.vault.token.pin_file,
                 "client.key": client.key, "client.pem": client.certificate,
                 "ca.pem": cls.stage.authority.certificate}
        text = cls.plain.read_text()
        for name, path in paths.items():
            text = text.replace(str(path), str(current / name))
        return {"binvault.conf": text.encode(),
                **{name: path.read_bytes() for name, path in paths.items()}}

    @classmethod
    def seal_next(cls, **changes):
        cls.version += 1
        return cls.owner.seal(cls.version, {**cls.files(), **changes})

    @classmethod
    def apply(cls, *bundle, owner=None):
        return cls.vault.run_verb("config", "apply", *bundle, "--key", cls.owner.vault.key,
                                  "--owner", (owner or cls.owner.owner).certificate,
                                  "--directory", cls.directory)

    @classmethod
    def start(cls):
        cls.vault.start()
        cls.server.sql("INSERT INTO d.t SELECT COUNT(*) FROM d.t")
        cls.vault.wait_covered(SOURCE, cls.server)

    def leaves(self, kind):
        result = subprocess.run([PROJECT / "tools/read_ledger.py", "--leaves",
                                 self.vault.volume / "ledger"], check=True, text=True,
                                capture_output=True)
        return [leaf for leaf in map(json.loads, result.stdout.splitlines())
                if leaf["type"] == kind]

    def in_force(self):
        return int(os.readlink(self.directory / "current"))

    def assert_refused(self, bundle, sentence, version=None, waits=False):
        """With this sentence on the console and in the ledger, and nothing changed."""
        before, leaves = picture(self.directory), len(self.leaves("config-refused"))
        result = self.apply(bundle)
        self.assertEqual(result.returncode, REFUSED, result.stdout + result.stderr)
        self.assertIn(f"bundle '{bundle}' is refused, and version {self.in_force()} stays in "
                      f"force: {sentence}", result.stderr)
        after = picture(self.directory)
        if waits:
            self.assertIn("1 refusal waits in", result.stderr)
            after.pop("refused.json")
        self.assertEqual(after, before)
        refused = self.leaves("config-refused")[leaves:]
        if waits:
            self.assertEqual(refused, [])
            return
        self.assert_leaf(refused, bundle, sentence, version)

    def assert_leaf(self, refused, bundle, sentence, version=None):
        self.assertEqual(len(refused), 1, refused)
        self.assertIn(sentence, refused[0]["sentence"])
        self.assertEqual(refused[0].get("version"), str(version) if version else None)
        self.assertEqual(refused[0]["hash"], hashlib.sha256(bundle.read_bytes()).hexdigest())
        self.assertEqual(refused[0]["uid"], str(os.geteuid()))
        self.assertLess(abs(int(refused[0]["refused_usec"]) / 1e6 - time.time()), 60)

    def assert_verified(self):
        wait_until(lambda: self.vault.unsigned() == 0, 30, "all leaves are signed", interval=0.2)
        self.vault.verb("verify")

    # -- what is applied ---------------------------------------------------------------------------
    def test_a_newer_bundle_is_what_the_vault_runs_with_after_its_next_start(self):
        self.server.sql("ALTER USER binvault@'%' IDENTIFIED BY 'another'")
        self.vault.credential.write_text("another\n")
        bundle = self.seal_next()
        result = self.apply(bundle)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"version {self.version} of vault 'vault01' is in force", result.stdout)
        self.assertEqual(self.vault.stop(), 0)
        self.start()
        leaf = self.leaves("config")[-1]
        self.assertEqual(leaf["bundle"], str(self.version))
        self.assertEqual(leaf["bundle_hash"], hashlib.sha256(bundle.read_bytes()).hexdigest())
        self.assertEqual(leaf["hash"],
                         hashlib.sha256(self.vault.configuration.read_bytes()).hexdigest())
        self.assert_verified()

    def test_each_daemon_can_read_its_own_secrets_and_no_other(self):
        modes = {path.name: (path.stat().st_mode & 0o7777, path.owner())
                 for path in (self.directory / "current").iterdir()}
        me = Path(self.directory).owner()
        hsm, pull = ("binvault-hsm", "binvault-pull") if self.vault.privileged else (me, me)
        self.assertEqual(modes, {"binvault.conf": (0o444, me), "bundle.json": (0o444, me),
                                 "ca.pem": (0o444, me), "client.pem": (0o444, me),
                                 "password": (0o400, pull), "client.key": (0o400, pull),
                                 "pin": (0o400, hsm)})
        self.assertEqual([path.name for path in self.directory.iterdir() if path.is_dir()
                          and not path.is_symlink()], [str(self.in_force())])

    def test_the_bundle_in_force_may_come_again_and_changes_nothing(self):
        bundle = self.seal_next()
        self.assertEqual(self.apply(bundle).returncode, 0)
        before = picture(self.directory)
        result = self.apply(bundle)
        self.assertEqual((result.returncode, result.stdout),
                         (0, f"version {self.version} is in force already\n"))
        self.assertEqual(picture(self.directory), before)

    def test_show_says_what_is_in_a_bundle_and_no_secret_unless_asked(self):
        bundle = self.seal_next()
        owner, key = self.owner.owner.certificate, self.owner.vault.key
        result = self.owner.binvault("config", "show", bundle, "--owner", owner, "--key", key)
        self.assertEqual(result.returncode, 0, result.stderr)
        digest = hashlib.sha256(self.files()["pin"]).hexdigest()
        self.assertRegex(result.stdout, rf"vault     vault01\nversion   {self.version}\n")
        self.assertIn(f"file      pin  8 bytes  {digest}\n", result.stdout)
        self.assertNotIn(self.vault.token.pin, result.stdout)
        shown = json.loads(self.owner.binvault("config", "show", bundle, "--owner", owner, "--key",
                                               key, "--output=json").stdout)
        self.assertEqual((shown["schema"], shown["version"]), (1, str(self.version)))
        self.assertEqual(shown["hash"], hashlib.sha256(bundle.read_bytes()).hexdigest())
        self.assertIn({"name": "pin", "size": "8", "hash": digest}, shown["files"])
        one = self.owner.binvault("config", "show", bundle, "--owner", owner, "--key", key,
                                  "--file", "pin")
        self.assertEqual(one.stdout, self.vault.token.pin)
        # The owner himself has no key of the vault, and can still see that it is his.
        signed = self.owner.binvault("config", "show", bundle, "--owner", owner)
        self.assertEqual(signed.returncode, 0)
        self.assertNotIn("vault01", signed.stdout)
        result = self.owner.binvault("config", "show", bundle, "--owner",
                                     self.owner.other.certificate)
        self.assertEqual(result.returncode, REFUSED)
        self.assertIn("is not signed by", result.stderr)

    def test_public_tools_can_open_and_make_a_bundle(self):
        bundle, envelope = self.seal_next(), self.owner.path("envelope")
        openssl("cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", bundle,
                "-nointern", "-certfile", self.owner.owner.certificate, "-out", envelope)
        text = openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", envelope, "-inkey",
                       self.owner.vault.key)
        content = json.loads(text)
        self.assertEqual(text, json.dumps(content, sort_keys=True, separators=(",", ":")))
        self.assertEqual(content, {**content_of(self.version, self.files()),
                                   "created_usec": content["created_usec"]})
        result = self.apply(self.owner.seal_by_hand(content))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.in_force(), self.version)

    # -- what is refused ---------------------------------------------------------------------------
    def test_what_another_has_signed_is_refused(self):
        type(self).version += 1
        self.assert_refused(self.owner.seal(self.version, self.files(), signer=self.owner.other),
                            f"it is not signed by '{self.owner.owner.certificate}', but by a "
                            "certificate with serial ")
        self.assert_verified()

    def test_a_flipped_byte_is_refused_wherever_it_is(self):
        whole = self.seal_next().read_bytes()
        bundle = self.owner.path("flipped.bundle")
        for offset, sentence in ((0, "it is not CMS, or not whole"),
                                 (len(whole) // 2, "does not match: it was changed after it was"),
                                 (len(whole) - 3, "does not match: it was changed after it was")):
            changed = bytearray(whole)
            changed[offset] ^= 0x10
            bundle.write_bytes(changed)
            result = self.apply(bundle)
            self.assertEqual(result.returncode, REFUSED)
            self.assertIn(sentence, result.stderr)
            self.assert_leaf(self.leaves("config-refused")[-1:], bundle, sentence)
        bundle.write_bytes(whole)
        self.assertEqual(self.apply(bundle).returncode, 0)  # the control

    def test_a_truncated_bundle_is_refused(self):
        bundle = self.seal_next()
        bundle.write_bytes(bundle.read_bytes()[:-1])
        self.assert_refused(bundle, "it is not CMS, or not whole")
        bundle.write_bytes(b"")
        self.assert_refused(bundle, "0 bytes: 1 to 1048576 are possible")

    def test_what_is_too_large_is_refused_without_a_hash(self):
        bundle = self.owner.path("large.bundle")
        bundle.write_bytes(bytes(1048577))
        result = self.apply(bundle)
        self.assertEqual(result.returncode, REFUSED)
        leaf = self.leaves("config-refused")[-1]
        self.assertEqual(leaf["sentence"], "it has more than 1048576 bytes")
        self.assertNotIn("hash", leaf)

    def test_what_is_encrypted_for_another_vault_is_refused(self):
        type(self).version += 1
        self.assert_refused(
            self.owner.seal(self.version, self.files(), recipient=self.owner.elsewhere),
            "it is encrypted for another key than ours")

    def test_a_bundle_of_another_vault_is_refused(self):
        text = self.files()["binvault.conf"].replace(b"name = vault01", b"name = vault02")
        self.assert_refused(self.seal_next(**{"binvault.conf": text}),
                            "it is for vault 'vault02', and this is 'vault01'", self.version)
        type(self).version += 1
        content = content_of(self.version, self.files(), vault="vault02")
        self.assert_refused(self.owner.seal_by_hand(content), "it is for vault 'vault02', and "
                            "binvault.conf in it for 'vault01'", self.version)

    def test_unknown_keys_and_fields_are_refused_by_who_seals_and_by_who_applies(self):
        text = self.files()["binvault.conf"].replace(b"[hsm]\n", b"[hsm]\ncolour = red\n")
        line = text.split(b"colour")[0].count(b"\n") + 1
        sentence = f"binvault.conf:{line}: unknown key 'colour' in section [hsm]; known are: "
        files = {**self.files(), "binvault.conf": text}
        type(self).version += 1
        with self.assertRaisesRegex(RuntimeError, rf"{sentence[:40]}".replace("[", r"\[")):
            self.owner.seal(self.version, files)
        self.assert_refused(self.owner.seal_by_hand(content_of(self.version, files)), sentence,
                            self.version)
        content = {**content_of(self.version, self.files()), "owner": "me"}
        self.assert_refused(self.owner.seal_by_hand(content),
                            "what is in the bundle: unknown field 'owner'")

    def test_a_file_that_is_named_and_missing_is_refused(self):
        type(self).version += 1
        files = self.files()
        del files["password"]
        self.assert_refused(self.owner.seal(self.version, files),
                            "binvault.conf names 'current/password', and there is no file "
                            "'password' in it", self.version)

    def test_an_older_version_and_the_same_again_are_refused(self):
        older = self.seal_next()
        self.assertEqual(self.apply(self.seal_next()).returncode, 0)
        version = self.version
        self.assert_refused(older, f"its version {version - 1} is not greater than {version}, "
                            f"which is in force: seal it as version {version + 1} or later",
                            version - 1)
        self.assert_refused(self.owner.seal(version, self.files()),
                            f"its version {version} is not greater than {version}", version)
        self.assert_verified()

    def test_a_refusal_waits_for_the_keeper(self):
        bundle = self.seal_next()
        bundle.write_bytes(bundle.read_bytes()[:-1])
        self.vault.stop()
        before = len(self.leaves("config-refused"))
        self.assert_refused(bundle, "it is not CMS, or not whole", waits=True)
        alone = self.vault.run_verb("config", "apply", "--directory", self.directory)
        self.assertEqual(alone.returncode, 5, alone.stderr)
        self.start()
        alone = self.vault.run_verb("config", "apply", "--directory", self.directory)
        self.assertEqual((alone.returncode, alone.stdout),
                         (0, "1 refusal told to the keeper, 0 wait\n"))
        self.assertFalse((self.directory / "refused.json").exists())
        self.assert_leaf(self.leaves("config-refused")[before:], bundle,
                         "it is not CMS, or not whole")
        self.assert_verified()

    # -- what only the ledger can know -------------------------------------------------------------
    def assert_keeper_refuses(self, sentence):
        """`binvault run` ends with a sentence, which is one leaf."""
        self.vault.start()
        wait_until(lambda: not self.vault.running(), 30, "the vault has ended", interval=0.1)
        self.assertEqual(self.vault.stop(), REFUSED)
        self.assertIn(sentence, self.vault.tail())
        self.assertIn(sentence, self.leaves("config-refused")[-1]["sentence"])

    def test_a_directory_that_was_replaced_is_found_out_by_the_ledger(self):
        older = self.seal_next()
        self.assertEqual(self.apply(self.seal_next()).returncode, 0)
        self.vault.stop()
        self.start()
        self.vault.stop()
        shutil.rmtree(self.directory)
        self.assertEqual(self.apply(older).returncode, 0)  # nothing here knows better
        before = len(self.leaves("config-refused"))
        for _ in range(2):
            self.assert_keeper_refuses(
                f"is version {self.version - 1} of its bundle, and this archive has run with "
                f"version {self.version}: there is no way back to an older one. Do: seal what is "
                f"wanted as version {self.version + 1} or later")
        self.assertEqual(len(self.leaves("config-refused")), before + 1)
        self.vault.configuration = self.plain
        self.assert_keeper_refuses(f"comes from no bundle, and this archive has run with version "
                                   f"{self.version} of one")
        self.vault.configuration = self.directory / "current" / "binvault.conf"
        self.assertEqual(self.apply(self.seal_next()).returncode, 0)
        self.start()
        self.assertRegex(self.vault.verb("status", expect=(0, 6)),
                         rf"(?m)^config   version {self.version} of its bundle\n"
                         r"config   last refused .*: '.*' comes from no bundle, and")
        self.assert_verified()

    def test_a_configuration_edited_in_its_place_is_refused(self):
        self.vault.stop()
        text = self.vault.configuration.read_text()
        self.vault.configuration.chmod(0o644)
        self.vault.configuration.write_text(text + "; nothing\n")
        result = self.vault.run_verb("run")
        self.assertEqual(result.returncode, 2)
        self.assertIn("was changed since it was applied as version", result.stderr)
        self.assertEqual(self.apply(self.seal_next()).returncode, 0)
        self.start()


class PowerCutTest(unittest.TestCase):
    """A configuration that was said to be in force is so after a loss of power."""

    def test_after_a_power_cut_what_was_applied_last_is_in_force_whole(self):
        skip.require_loop()
        with Scratch() as scratch:
            owner = Owner(scratch.directory("office"))
            file_system = loopfs.LoopFileSystem(scratch, "etc", "xfs")
            directory = Path(file_system.path) / "config"
            config = (f"[archive]\nname = vault01\nvolume = /vol/a\n[hsm]\nmodule = /m.so\n"
                      f"token-label = t\nstate = /s\npin-source = file:{directory}/current/pin\n")
            for version in range(1, 6):
                files = {"binvault.conf": config.encode(), "pin": str(version).encode() * 5000}
                result = owner.binvault("config", "apply", owner.seal(version, files), "--key",
                                        owner.vault.key, "--owner", owner.owner.certificate,
                                        "--directory", directory)
                self.assertEqual(result.returncode, 0, result.stderr)
                file_system.power_cut()
                self.assertEqual(os.readlink(directory / "current"), str(version))
                for name, content in files.items():
                    self.assertEqual((directory / "current" / name).read_bytes(), content)
                result = owner.binvault("config", "check", directory / "current/binvault.conf")
                self.assertEqual(result.returncode, 0, result.stderr)


@unittest.skipUnless(shutil.which("systemd-creds"), "systemd is not installed")
class CredentialsTest(unittest.TestCase):
    """Secrets that lie encrypted where a version lies, as LoadCredentialEncrypted= takes them. By
    the key of a host; by a TPM they are in image/tests/test_vault.py."""

    SECRETS = {"pin": b"pin-0123456789", "password": b"password-0123456789\n",
               "client.key": b"key-0123456789\n" * 1000, "share.key": b"share-0123456789"}

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.owner = Owner(self.scratch.directory("office"))
        self.directory = self.scratch.path / "config"
        self.key = self.scratch.path / "credential.secret"
        self.text = ("[archive]\nname = vault01\nvolume = /vol/a\n[hsm]\nmodule = /m.so\n"
                     "token-label = t\nstate = /s\npin-source = credential:pin\n[source orders]\n"
                     "servers = db1\nserver-id = 7\nuser = u\ncredential = systemd:password\n"
                     f"tls-ca = {self.directory}/current/ca.pem\ntls-key = systemd:client.key\n"
                     f"tls-certificate = {self.directory}/current/client.pem\n")

    def apply(self, version, credential_key="host", text=None, **changes):
        files = {"binvault.conf": (text or self.text).encode(), "ca.pem": b"ca", "client.pem": b"c",
                 "hosts": b"10.0.0.1 db1", **self.SECRETS, **changes}
        bundle = self.owner.seal(version, {n: c for n, c in files.items() if c is not None})
        return self.owner.binvault("config", "apply", bundle, "--key", self.owner.vault.key,
                                   "--owner", self.owner.owner.certificate, "--directory",
                                   self.directory, *self.encryption(credential_key),
                                   SYSTEMD_CREDENTIAL_SECRET=str(self.key))

    @staticmethod
    def encryption(key):
        return ["--credential-key", key, "--credentials", "share.smbpasswd,share.key"] if key else []

    def decrypt(self, name, path):
        return subprocess.run(["systemd-creds", "decrypt", f"--name={name}", path, "-"],
                              capture_output=True, check=False,
                              env={**os.environ, "SYSTEMD_CREDENTIAL_SECRET": str(self.key)})

    def assert_refused(self, sentence, version, **changes):
        before = picture(self.directory / "1")
        result = self.apply(version, **changes)
        self.assertEqual(result.returncode, REFUSED, result.stderr)
        self.assertIn(sentence, result.stderr)
        self.assertEqual(os.readlink(self.directory / "current"), "1")
        self.assertEqual(picture(self.directory / "1"), before)

    def test_no_secret_lies_there_as_it_is_and_each_opens_by_its_name(self):
        result = self.apply(1)
        self.assertEqual(result.returncode, 0, result.stderr)
        current = self.directory / "current"
        for name, content in self.SECRETS.items():
            self.assertEqual((current / name).stat().st_mode & 0o7777, 0o400)
            self.assertEqual(self.decrypt(name, current / name).stdout, content)
            self.assertNotEqual(self.decrypt("another", current / name).returncode, 0)
        for path in current.iterdir():
            self.assertFalse(any(secret[:10] in path.read_bytes()
                                 for secret in self.SECRETS.values()), path)
        self.assertEqual((current / "hosts").read_bytes(), b"10.0.0.1 db1")

    def test_without_the_key_a_credential_stays_as_it_is_for_whoever_loads_it(self):
        self.assertEqual(self.apply(1, credential_key=None).returncode, 0)
        self.assertEqual((self.directory / "current/pin").read_bytes(), self.SECRETS["pin"])

    def test_what_is_missing_or_named_by_a_path_is_refused(self):
        self.assertEqual(self.apply(1).returncode, 0)
        self.assert_refused("binvault.conf names the credential 'password', and there is no file "
                            "'password' in it", 2, password=None)
        text = self.text.replace("credential:pin", f"file:{self.directory}/current/password")
        self.assert_refused("'password' is named by a path, and secrets are to lie encrypted here", 2,
                            text=text)
        text = self.text.replace("systemd:client.key", f"{self.directory}/current/plain.key")
        self.assert_refused("'plain.key' is named by a path, and secrets are to lie encrypted here",
                            2, text=text, **{"plain.key": b"key"})

    def test_a_file_that_two_daemons_would_own_is_refused(self):
        key = f"{self.directory}/current/shared.key"
        text = self.text.replace("systemd:client.key", key) + (
            f"[siem]\nserver = siem1\ntls-ca = {self.directory}/current/ca.pem\ntls-certificate = "
            f"{self.directory}/current/client.pem\ntls-key = {key}\nstate = /f\n")
        self.assertEqual(self.apply(1).returncode, 0)
        self.assert_refused("'shared.key' is named for two daemons, and a file has one owner", 2,
                            text=text, credential_key=None, **{"shared.key": b"key"})
        both = text.replace(key, "systemd:client.key")
        self.assertEqual(self.apply(2, text=both).returncode, 0, "a credential is for each unit")

    def test_when_it_cannot_be_encrypted_the_version_before_stays(self):
        self.assertEqual(self.apply(1).returncode, 0)
        before = picture(self.directory / "1")
        result = self.apply(2, credential_key="no-such-key")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"the credential '\S+' could not be encrypted: "
                                        r"/usr/bin/systemd-creds ended with status 1")
        self.assertEqual(os.readlink(self.directory / "current"), "1")
        self.assertEqual(picture(self.directory / "1"), before)
        self.assertEqual(self.apply(3).returncode, 0)
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), ["3", "current"])


class CheckTest(unittest.TestCase):
    """`config check` needs no vault."""

    def test_it_says_what_is_wrong_and_where(self):
        with Scratch() as scratch:
            owner, path = Owner(scratch.directory("office")), scratch.path / "b.conf"
            path.write_text("[archive]\nname = vault01\nvolume = /vol/a\n[hsm]\nmodule = /m.so\n"
                            "token-label = t\nstate = /s\npin-source = file:/pin\n")
            result = owner.binvault("config", "check", path)
            self.assertEqual((result.returncode, result.stdout),
                             (0, f"{path}: in order: vault 'vault01', 0 sources\n"))
            path.write_text(path.read_text() + "colour = red\n")
            result = owner.binvault("config", "check", path)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{path}:9: unknown key 'colour' in section [hsm]", result.stderr)


if __name__ == "__main__":
    unittest.main()
