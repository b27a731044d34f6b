"""The kernel refuses every change of an archive to root without CAP_LINUX_IMMUTABLE.

On XFS and ext4 in images, with worm = required; and what is said where that cannot be had.
"""

import fcntl
import hashlib
import json
import os
import struct
import subprocess
import sys
import unittest

from tests.integration.lab import program, skip
from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage

WITHOUT = ["setpriv", "--bounding-set", "-linux_immutable", "--inh-caps", "-linux_immutable", "--"]
GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS
APPEND, IMMUTABLE = 0x20, 0x10

# Runs as root without the capability: tries each change and prints {what: error or "done"}.
ATTACK = r"""
import ctypes, errno, fcntl, json, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
SET_FLAGS, GET_FLAGS = 0x40086602, 0x80086601

def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

def opened(path, flags, action=None):
    descriptor = os.open(path, flags)
    try:
        if action:
            action(descriptor)
    finally:
        os.close(descriptor)

def set_flags(descriptor, clear):
    value = struct.unpack("=l", fcntl.ioctl(descriptor, GET_FLAGS, struct.pack("=l", 0)))[0]
    fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("=l", value & ~clear))

def punch(descriptor):
    call(libc.fallocate, descriptor, 3, ctypes.c_long(0), ctypes.c_long(4096))

def attempts(path, spare, directory):
    yield "rename", lambda: os.rename(path, path + ".away")
    yield "rename away", lambda: os.rename(path, spare + ".away")
    yield "exchange", lambda: call(libc.renameat2, -100, path.encode(), -100, spare.encode(), 2)
    yield "chmod", lambda: os.chmod(path, 0o777)
    yield "chown", lambda: os.chown(path, 12345, 12345)
    yield "clear flags", lambda: opened(path, os.O_RDONLY, lambda fd: set_flags(fd, 0x30))
    yield "attribute", lambda: os.setxattr(path, "user.note", b"x")
    if directory:
        yield "remove", lambda: os.rmdir(path)
        return
    yield "overwrite", lambda: opened(path, os.O_WRONLY)
    yield "read and write", lambda: opened(path, os.O_RDWR)
    yield "direct write", lambda: opened(path, os.O_WRONLY | os.O_DIRECT)
    yield "truncate at open", lambda: opened(path, os.O_WRONLY | os.O_TRUNC)
    yield "truncate while appending", lambda: opened(path, os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
    yield "truncate", lambda: os.truncate(path, 100)
    yield "truncate to nothing", lambda: os.truncate(path, 0)
    yield "unlink", lambda: os.unlink(path)
    yield "hard link", lambda: os.link(path, spare + ".link")
    yield "replace", lambda: os.rename(spare, path)
    yield "set times", lambda: os.utime(path, (1, 1))
    yield "append", lambda: opened(path, os.O_WRONLY | os.O_APPEND)
    yield "stop appending", lambda: opened(path, os.O_WRONLY | os.O_APPEND, lambda fd: (
        fcntl.fcntl(fd, fcntl.F_SETFL, 0)))
    yield "punch a hole", lambda: opened(path, os.O_WRONLY | os.O_APPEND, punch)
    yield "truncate through a descriptor", lambda: opened(
        path, os.O_WRONLY | os.O_APPEND, lambda fd: os.ftruncate(fd, 0))

result = {}
volume = sys.argv[1]
for path in sys.argv[2:]:
    spare = os.path.join(volume, "spare")
    with open(spare, "w") as file:
        file.write("x")
    for name, attempt in attempts(path, spare, os.path.isdir(path)):
        try:
            attempt()
            outcome = "done"
        except OSError as error:
            outcome = errno.errorcode[error.errno]
        result.setdefault(path, {})[name] = outcome
    if os.path.exists(spare):
        os.unlink(spare)
print(json.dumps(result))
"""


def flags(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return struct.unpack("=l", fcntl.ioctl(descriptor, GET_FLAGS, struct.pack("=l", 0)))[0]
    finally:
        os.close(descriptor)


def protection(path):
    found = flags(path)
    return "immutable" if found & IMMUTABLE else "append-only" if found & APPEND else "none"


class Archive(unittest.TestCase):
    """Where the parts of an archive lie."""

    def parts(self, volume):
        """Paths of one archive by what they are: sealed, open, ledger, identity, directories."""
        segments = sorted(volume.glob("segments/*/*/*.seg"))
        sealed = [path for path in segments if protection(path) == "immutable"]
        return {
            "sealed": sealed, "open": [path for path in segments if path not in sealed],
            "ledger": sorted(volume.glob("ledger/*")), "identity": [volume / "archive.id"],
            "directories": [volume / "ledger", volume / "segments",
                            *sorted(volume.glob("segments/*")),
                            *sorted(volume.glob("segments/*/*"))],
        }


class RequiredTest(Archive):
    def test_nothing_on_xfs_can_be_changed(self):
        self.attack("xfs")

    def test_nothing_on_ext4_can_be_changed(self):
        self.attack("ext4")

    def attack(self, kind):
        skip.require_loop(kind)
        skip.require_capability("CAP_LINUX_IMMUTABLE")
        with Stage(worm="required", kind=kind, size=300 << 20) as stage:
            stage.vault.start()
            stage.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT); "
                             "INSERT INTO d.t VALUES (1), (2)")
            stage.archive()
            stage.server.sql("INSERT INTO d.t VALUES (3)")
            stage.vault.wait_covered(SOURCE, stage.server)
            parts = self.parts(stage.vault.volume)
            self.assertTrue(parts["sealed"] and parts["open"] and parts["ledger"])
            self.check_flags(parts)
            before = self.hashes(parts["sealed"] + parts["identity"])
            tried = self.try_all(stage.vault.volume, sum(parts.values(), []))
            self.check_refused(parts, tried)
            self.assertEqual(self.hashes(parts["sealed"] + parts["identity"]), before)
            stage.server.sql("INSERT INTO d.t VALUES (4)")
            stage.archive()
            stage.vault.verb("verify")
            self.assertIn("WORM required", stage.vault.verb("status", expect=(0, 6)))

    def check_flags(self, parts):
        for name, expected in (("sealed", "immutable"), ("open", "append-only"),
                               ("ledger", "append-only"), ("identity", "immutable"),
                               ("directories", "append-only")):
            for path in parts[name]:
                self.assertEqual(protection(path), expected, path)

    def try_all(self, volume, paths):
        done = subprocess.run([*WITHOUT, sys.executable, "-c", ATTACK, str(volume),
                               *map(str, paths)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check_refused(self, parts, tried):
        for name, paths in parts.items():
            # Who may append may also open for it; everything else is refused.
            allowed = {"append"} if name in ("open", "ledger") else set()
            for path in paths:
                outcome = tried[str(path)]
                self.assertGreater(len(outcome), 7)
                refused = {what for what, how in outcome.items() if how == "EPERM"}
                self.assertEqual(set(outcome) - refused, allowed, (path, outcome))

    @staticmethod
    def hashes(paths):
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


class RefusalTest(Archive):
    def init(self, stage, *prefix):
        return subprocess.run([*prefix, program("binvault"), "init", "--config",
                               stage.vault.configuration], capture_output=True, text=True,
                              env={**os.environ, **stage.token.environment}, check=False)

    def test_init_refuses_without_the_capability(self):
        skip.require_loop("xfs")
        skip.require_capability("CAP_LINUX_IMMUTABLE")
        with Stage(worm="required", kind="xfs", init=False, start=False) as stage:
            refused = self.init(stage, *WITHOUT)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("CAP_LINUX_IMMUTABLE", refused.stderr)
            self.assertIn("worm = advisory", refused.stderr)
            self.assertEqual(self.init(stage).returncode, 0)

    def test_init_refuses_a_file_system_that_forgets(self):
        skip.require_root()
        skip.require_capability("CAP_SYS_ADMIN")
        with Stage(worm="required", init=False, start=False) as stage:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", stage.vault.volume],
                           check=True)
            stage.scratch.defer(subprocess.run, ["umount", stage.vault.volume])
            refused = self.init(stage)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("worm = advisory", refused.stderr)
            self.assertEqual(list(stage.vault.volume.iterdir()), [])

    def test_the_keeper_refuses_without_the_capability(self):
        skip.require_loop("xfs")
        skip.require_capability("CAP_LINUX_IMMUTABLE")
        with Stage(worm="required", kind="xfs") as stage:
            refused = subprocess.run(
                [*WITHOUT, program("binvault"), "run", "--config", stage.vault.configuration],
                capture_output=True, text=True, check=False, timeout=60,
                env={**os.environ, **stage.token.environment})
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("CAP_LINUX_IMMUTABLE", refused.stderr)
            self.assertIn("worm = advisory", refused.stderr)

    def test_a_required_archive_does_not_become_an_advisory_one(self):
        skip.require_loop("xfs")
        skip.require_capability("CAP_LINUX_IMMUTABLE")
        with Stage(worm="required", kind="xfs") as stage:
            stage.vault.worm = "advisory"
            stage.vault.write_configuration()
            refused = stage.vault.run_verb("run", timeout=60)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("worm = required", refused.stderr)


class AdvisoryTest(Archive):
    def test_no_flag_is_set_and_everything_says_so(self):
        with Stage(worm="advisory") as stage:
            stage.vault.start()
            stage.server.sql("CREATE DATABASE d")
            stage.archive()
            self.assertIn("WORM advisory", stage.vault.verb("status", expect=(0, 6)))
            self.assertEqual(stage.vault.status()["worm"], "advisory")
            stage.vault.verb("restore", SOURCE, "--to", "r1")
            manifest = json.loads((stage.vault.export / "r1" / "MANIFEST.json").read_text())
            self.assertEqual(manifest["worm"], "advisory")
            wait_until(lambda: self.says_advisory(stage.vault.volume), 5, "leaves say advisory")
            for paths in self.parts(stage.vault.volume).values():
                for path in paths:
                    self.assertEqual(protection(path), "none", path)

    @staticmethod
    def says_advisory(volume):
        lines = [line for path in volume.glob("ledger/*.jsonl")
                 for line in path.read_text().splitlines() if line]
        leaves = [json.loads(line) for line in lines]
        return {leaf["worm"] for leaf in leaves
                if leaf["type"] in ("policy", "config")} == {"advisory"}


if __name__ == "__main__":
    unittest.main()
