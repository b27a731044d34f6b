"""`binvault init` and binvault-hsm: keys, first checkpoint, what is refused, what a crash leaves.

No database server: an archive without sources has leaves of its own (each start of the keeper is
one), which is enough to be signed.
"""

import json
import os
import random
import re
import subprocess
import time
import unittest

from tests.integration.lab import loopfs, program, skip
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.token import Token
from tests.integration.lab.vault import Vault

QUICK = True
OK, FAILED, USAGE, DEFECT, REFUSED, UNAVAILABLE, ATTENTION = range(7)


class HsmTest(unittest.TestCase):
    """A token and a vault without sources for each test."""

    @classmethod
    def setUpClass(cls):
        cls.pki = Scratch()
        cls.addClassCleanup(cls.pki.close)
        cls.authority = Authority(cls.pki.directory("pki"))

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.token = Token(self.scratch.directory("token"))
        self.vault = self.new_vault(self.scratch.directory("volume"))

    def new_vault(self, volume, **options):
        """A vault on `volume`, whose daemons can use the token."""
        vault = Vault(self.scratch, self.token, self.authority, volume, {}, **options)
        self.give(vault.token)
        return vault

    @staticmethod
    def give(token):
        if os.geteuid() == 0:
            token.give_to("binvault-hsm")

    def assert_verb(self, code, *arguments, words=(), vault=None):
        """The verb ends with this code, and each of `words` is in what it said."""
        result = (vault or self.vault).run_verb(*arguments)
        said = result.stdout + result.stderr
        self.assertEqual(result.returncode, code, said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn(self.token.pin, said)
        return result.stdout

    def labels(self):
        """{label: ("Private", "Public")}, as far as they are in the token."""
        found = {}
        kind = None
        for line in self.token.objects().splitlines():
            if match := re.match(r"(Private|Public) Key Object", line):
                kind = match.group(1)
            if (match := re.match(r"\s+label:\s+(\S+)", line)) and kind:
                found.setdefault(match.group(1), []).append(kind)
        return {label: tuple(sorted(kinds)) for label, kinds in found.items()}

    def archive_id(self):
        """The archive's UUID as the volume has it, or None."""
        try:
            return json.loads((self.vault.volume / "archive.id").read_text())["archive"]
        except FileNotFoundError:
            return None

    def expected_labels(self):
        pair = ("Private", "Public")
        return {f"BinvaultMasterKey_{self.archive_id()}_1": pair,
                f"BinvaultCheckpointKey_{self.archive_id()}": pair,
                f"BinvaultManifestKey_{self.archive_id()}": pair}


class InitTest(HsmTest):
    def test_init_makes_keys_and_a_verified_archive_and_does_it_once(self):
        self.vault.hsm_state.rmdir()
        self.vault.export.rmdir()
        output = self.assert_verb(OK, "init", words=["worm       advisory", "binvault run",
                                                     "keep the checkpoint above off this host"])
        self.assertEqual(self.labels(), self.expected_labels())
        for label in self.expected_labels():
            self.assertIn(label, output)
        self.assertRegex(output,
                         rf"\nbinvault/{self.archive_id()}\n5\n[A-Za-z0-9+/]{{43}}=\n\n— ")
        self.assertEqual(self.vault.hsm_state.stat().st_mode & 0o777, 0o700)
        self.assert_verb(OK, "verify")
        before = self.token.objects()
        self.assert_verb(FAILED, "init", words=[self.archive_id(), "already", "binvault run"])
        self.assertEqual(self.token.objects(), before)

    def test_an_init_that_is_killed_anywhere_is_followed_by_another(self):
        started = time.monotonic()
        other = self.new_vault(self.scratch.directory("volume-timing"), name="timing")
        other.init()
        duration = time.monotonic() - started
        seed = random.randrange(1 << 32)
        moments = random.Random(seed)
        for attempt in range(4):
            name = f"attempt{attempt}"
            self.token = Token(self.scratch.directory(f"token{attempt}"))
            enforced = attempt >= 2 and loopfs.available("xfs")[0]
            volume = (loopfs.LoopFileSystem(self.scratch, f"volume-{name}", "xfs").path if enforced
                      else self.scratch.directory(f"volume-{name}"))
            self.vault = self.new_vault(volume, name=name,
                                        worm="required" if enforced else "advisory")
            kept = None
            with self.subTest(seed=seed, attempt=attempt):
                for _ in range(5):
                    self.kill_init_after(moments.uniform(0, duration))
                    if kept:
                        self.assertEqual(self.archive_id(), kept)
                    kept = self.archive_id()
                self.finish_init()
                if kept:
                    self.assertEqual(self.archive_id(), kept)
                self.assertEqual(self.labels(), self.expected_labels())
                self.assert_verb(OK, "verify")

    def kill_init_after(self, seconds):
        """SIGKILL; then wait for its binvault-hsm, which ends by itself."""
        with subprocess.Popen(
                [program("binvault"), "init", "--config", self.vault.configuration],
                env={**os.environ, **self.token.environment}, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            process.kill()
        wait_until(lambda: not self.hsm_of_init(), 20, "the binvault-hsm of init ends")

    def hsm_of_init(self):
        """Whether a binvault-hsm with our configuration is running."""
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"binvault-hsm") and os.fsencode(
                    self.vault.configuration) in words:
                return True
        return False

    def finish_init(self):
        """What a person does: the same command again. It may have come to its end before."""
        result = self.vault.run_verb("init")
        if result.returncode != OK:
            self.assertEqual(result.returncode, FAILED, result.stderr)
            self.assertIn("already", result.stderr)


class SentenceTest(HsmTest):
    """Each mistake has a sentence of its own, and leaves nothing behind that is in the way."""

    def assert_mends(self):
        self.give(self.token)
        self.assert_verb(OK, "init")

    def test_a_pin_file_with_a_newline(self):
        self.token.pin_file.write_text(self.token.pin + "\n")
        self.assert_verb(USAGE, "init", words=["contains a newline", "printf"])
        self.token.pin_file.unlink()
        self.assert_verb(USAGE, "init", words=[str(self.token.pin_file), "No such file"])
        self.token.pin_file.write_text(self.token.pin)
        self.token.pin_file.chmod(0o600)
        self.assert_mends()

    def test_a_wrong_pin_is_tried_once(self):
        self.token.pin_file.write_text("00000000")
        self.assert_verb(REFUSED, "init", words=["PIN"])
        for _ in range(3):
            self.assert_verb(REFUSED, "init", words=["it is not tried again"])
        self.assertIsNone(self.archive_id())
        self.token.pin_file.write_text(self.token.pin)
        self.assert_mends()

    def test_a_token_with_an_edwards_key(self):
        self.token.tool("--keypairgen", "--key-type", "EC:edwards25519", "--label", "alien",
                        "--id", "77")
        self.give(self.token)
        self.assert_verb(USAGE, "init", words=["'alien'"])
        self.assertIsNone(self.archive_id())
        for kind in ("privkey", "pubkey"):
            self.token.tool("--delete-object", "--type", kind, "--label", "alien")
        self.assert_mends()

    def test_a_module_that_is_missing(self):
        self.token.module, module = "/nonexistent/module.so", self.token.module
        self.vault.write_configuration()
        self.assert_verb(USAGE, "init", words=["/nonexistent/module.so"])
        self.token.module = module
        self.vault.write_configuration()
        self.assert_mends()

    def test_an_unknown_token(self):
        self.token.label = "nowhere"
        self.vault.write_configuration()
        self.assert_verb(UNAVAILABLE, "init", words=["'nowhere'", "vault01"])
        self.token.label = "vault01"
        self.vault.write_configuration()
        self.assert_mends()

    def test_a_volume_that_is_missing_or_not_empty(self):
        self.vault.volume.rmdir()
        result = self.vault.run_verb("init")
        self.assertNotEqual(result.returncode, OK)
        self.assertIn(str(self.vault.volume), result.stderr)
        self.vault.volume.mkdir()
        (self.vault.volume / "holiday.jpg").touch()
        self.assert_verb(USAGE, "init", words=["is not empty", "'holiday.jpg'"])
        self.assertEqual(self.labels(), {})
        (self.vault.volume / "holiday.jpg").unlink()
        self.assert_mends()

    def test_a_volume_that_cannot_enforce_worm(self):
        skip.require_root()
        self.vault.worm = "required"
        self.vault.write_configuration()
        result = subprocess.run(
            ["setpriv", "--bounding-set", "-linux_immutable", program("binvault"), "init",
             "--config", self.vault.configuration], stdin=subprocess.DEVNULL, text=True,
            env={**os.environ, **self.token.environment}, capture_output=True, check=False)
        self.assertEqual(result.returncode, USAGE, result.stderr)
        self.assertIn("CAP_LINUX_IMMUTABLE", result.stderr)
        self.assertIsNone(self.archive_id())

    def test_worm_is_enforced_where_it_is_required(self):
        skip.require_capability("CAP_LINUX_IMMUTABLE")
        skip.require_loop("xfs")
        volume = loopfs.LoopFileSystem(self.scratch, "worm", "xfs").path
        vault = self.new_vault(volume, name="enforced", worm="required")
        self.assert_verb(OK, "init", vault=vault, words=["worm       required"])
        with self.assertRaises(PermissionError):
            (volume / "archive.id").unlink()

    def test_a_state_that_belongs_to_another_archive(self):
        self.vault.init()
        second = self.new_vault(self.scratch.directory("volume-second"), name="second")
        second.hsm_state = self.vault.hsm_state
        second.write_configuration()
        self.assert_verb(REFUSED, "init", vault=second,
                         words=[f"belongs to archive {self.archive_id()}"])


class ServiceTest(HsmTest):
    def setUp(self):
        super().setUp()
        self.vault.init()

    def start(self):
        """The keeper begins with a leaf of its own, which is to be signed."""
        self.signed_before = self.signed_size()
        self.vault.start()
        self.addCleanup(self.vault.stop)

    def signed_size(self):
        """How many leaves the last checkpoint covers."""
        text = (self.vault.volume / "ledger" / "checkpoints").read_text(encoding="utf-8")
        return int(re.findall(r"^binvault/\S+\n(\d+)\n", text, re.MULTILINE)[-1])

    def token_bytes(self):
        """{file of the token: its bytes}."""
        return {path: path.read_bytes() for path in self.token.tokens.rglob("*.object")}

    def wait_signed(self):
        """Every leaf has its checkpoint, that of the start too."""
        wait_until(lambda: self.signed_size() > self.signed_before and self.vault.unsigned() == 0,
                   30, lambda: f"all leaves are signed:\n{self.vault.tail()}")

    def wait_event(self, event, name):
        """The log of the vault tells of this alarm."""
        wait_until(lambda: f'"event":"{event}","name":"{name}"' in self.vault.log, 30,
                   lambda: f"{event} {name}:\n{self.vault.tail()}")

    def test_hsm_killed_at_any_moment_signs_one_history(self):
        """The archive's side of it; that the token stands is the HSM's promise (Token.protect)."""
        seed = random.randrange(1 << 32)
        moments = random.Random(seed)
        token = self.token_bytes()
        for _ in range(6):
            self.vault.start()
            time.sleep(moments.uniform(0, 0.4))
            self.vault.kill9()
            self.assertEqual(self.token_bytes(), token, f"the token was written, seed {seed}")
        self.start()
        self.wait_signed()
        self.vault.stop()
        self.assert_verb(OK, "verify")

    def test_a_lost_state_is_replaced_by_a_checkpoint_from_outside(self):
        checkpoints = self.vault.volume / "ledger" / "checkpoints"
        _, size, root, *_ = checkpoints.read_text(encoding="utf-8").split("\n")
        accepted = f"--accept-state={size}:{root}"
        self.assert_verb(FAILED, "init", accepted, words=["is not lost"])
        for path in self.vault.hsm_state.iterdir():
            path.unlink()
        self.start()
        self.wait_event("alarm.raised", "hsm state lost")
        self.assertGreater(self.vault.unsigned(), 0)
        self.assert_verb(UNAVAILABLE, "init", accepted, words=["in use by another binvault-hsm"])
        self.vault.stop()
        self.assert_verb(DEFECT, "init", f"--accept-state=4711:{root}", words=["rolled back"])
        self.assert_verb(DEFECT, "init", f"--accept-state=4:{root}", words=["fork"])
        self.assert_verb(USAGE, "init", f"--accept-state={size}", words=["SIZE:ROOT"])
        self.assert_verb(OK, "init", accepted, words=[f"accepted at size {size}"])
        self.start()
        self.wait_signed()
        self.vault.stop()
        self.assert_verb(OK, "verify")

    def test_an_archive_that_was_rolled_back_is_not_signed(self):
        copy = self.scratch.path / "copy"
        subprocess.run(["cp", "-a", self.vault.volume, copy], check=True)
        self.start()
        self.wait_signed()
        self.vault.stop()
        subprocess.run(["rm", "-r", self.vault.volume], check=True)
        copy.rename(self.vault.volume)
        self.vault.start()
        self.addCleanup(self.vault.stop)
        wait_until(lambda: "rolled back" in self.vault.log or "fork" in self.vault.log, 30,
                   lambda: f"the rollback is named:\n{self.vault.tail()}")

    def test_a_token_that_vanishes_comes_back_with_a_new_process(self):
        self.start()
        self.wait_signed()
        self.token.hide()
        self.vault.kill("binvault-hsm")
        self.wait_event("alarm.raised", "hsm away")
        self.token.restore()
        self.wait_event("alarm.cleared", "hsm away")


if __name__ == "__main__":
    unittest.main()
