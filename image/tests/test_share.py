"""The share in the vault: an NFS client of the kernel mounts it, as it may and as it may not.

The image of this test has its client in it (image/tests/share), and the data volume in memory; all
else is what every image has. The client's lines are TAP on the console.
"""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from image.tests.machine import Machine, missing

PROJECT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("BINVAULT_IMAGE_SHARE", PROJECT / "build" / "image-share"))

ASSERTED = (
    "a client with a certificate mounts it",
    "what is read is what was exported, byte for byte",
    "the server refuses to write",
    "nothing of another client is seen",
    "what is withdrawn is gone",
    "and the control is there again",
    "without TLS it is refused",
    "TLS without a certificate of the client is refused",
    "an older NFS is refused",
    "the directory of another client is refused",
    "a certificate of another CA is refused",
    "with the right one again it is mounted",
    "the packet filter lets a client in to the port",
)


@unittest.skipIf(missing(), str(missing()))
@unittest.skipIf(os.environ.get("BINVAULT_IMAGE_QUICK") == "1", "not in the quick part")
class Share(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if "BINVAULT_IMAGE_SHARE" not in os.environ:
            built = subprocess.run([PROJECT / "image" / "build", "--lz4", "--test-disks",
                                    "--share-test", "--output", BUILT],
                                   capture_output=True, text=True, check=False)
            if built.returncode != 0:
                raise RuntimeError(built.stdout + built.stderr)

    def test_a_kernel_client_reads_what_is_its_own_and_nothing_else(self):
        with tempfile.TemporaryDirectory(prefix="binvault-image-") as folder:
            machine = Machine(Path(folder), BUILT / "vault.img", BUILT / "test" / "enrolled.fd",
                              tpm=True)
            console = machine.run(r"SHARE-TEST ENDED|INITRD-REFUSED .*\n|Kernel panic", 400)
        passed = re.findall(r"\nok \d+ - share: (.*)", console)
        self.assertEqual(passed, list(ASSERTED), console[-6000:])
        self.assertRegex(console, r"ok \d+ - nobody listens on TCP but the share\n")
        self.assertRegex(console, r"ok \d+ - nobody listens on UDP\n")
        self.assertRegex(console, r"ok \d+ - no unit has failed\n")


if __name__ == "__main__":
    unittest.main()
