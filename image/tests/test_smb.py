"""The share over Samba, from outside: a vault whose image has it pulls, restores for its clients,
and real restore hosts behind its card read what is theirs, and nothing else."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from image.tests.lab import DATABASE, RESTORE_HOSTS, STRANGER, VAULT, bundle_files
from image.tests.test_artefacts import (lines_of, programs, services_of_the_root,
                                        services_of_the_table, too_exposed)
from image.tests.test_vault import KEYS, NO_CONFIGURATION, STREAMING, VaultTest, covered
from tests.integration.lab import evidence

PROJECT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("BINVAULT_IMAGE_SAMBA", PROJECT / "build" / "image-samba"))
PASSWORDS = {"restore1": "lab-only", "restore2": "lab-only-2"}
NO_LAN_MANAGER = "X" * 32


def smbpasswd():
    """The file of the bundle, made as the README says."""
    lines = []
    for name, password in PASSWORDS.items():
        digest = subprocess.run(["openssl", "dgst", "-provider", "legacy", "-provider", "default",
                                 "-md4", "-r"], input=password.encode("utf-16-le"), check=True,
                                capture_output=True).stdout.decode().split()[0]
        lines.append(f"{name}:0:{NO_LAN_MANAGER}:{digest.upper()}:[U          ]:LCT-00000001:\n")
    return "".join(lines).encode()


def as_sent(path):
    """A file that is still open says so in its first event, but not to who reads it."""
    content = bytearray(path.read_bytes())
    content[evidence.IN_USE_OFFSET] &= 0xFE
    return bytes(content)


@unittest.skipUnless(shutil.which("smbclient"), "smbclient is not installed")
class SambaShare(VaultTest):
    """Its third start, at which restores were made for two clients; what is seen meanwhile."""

    built = BUILT

    @classmethod
    def setUpClass(cls):
        if "BINVAULT_IMAGE_SAMBA" not in os.environ:
            cls.build()
        super().setUpClass()
        cls.live_up_to_the_restore()

    @staticmethod
    def build():
        """With the other image's keys, so that its firmware and its owner are this one's too."""
        built = subprocess.run([PROJECT / "image" / "build", "--lz4", "--softhsm", "--samba",
                                "--output", BUILT], capture_output=True, text=True, check=False,
                               env={**os.environ, "BINVAULT_IMAGE_KEYS": str(KEYS)})
        if built.returncode != 0:
            raise RuntimeError(built.stdout + built.stderr)

    @classmethod
    def live_up_to_the_restore(cls):
        cls.appliance.switch_on()
        cls.appliance.wait(NO_CONFIGURATION)
        cls.appliance.pull_the_plug()
        cls.server.sql("CREATE DATABASE d; CREATE TABLE d.t (b LONGBLOB);"
                       "INSERT INTO d.t VALUES (REPEAT(MD5(RAND()), 100000))")
        cls.server.rotate()
        cls.configure(1)
        cls.appliance.switch_on()
        cls.appliance.wait(STREAMING)
        cls.server.sql("INSERT INTO d.t VALUES ('the file before it is archived')")
        cls.appliance.wait(covered(cls.server))
        cls.appliance.pull_the_plug()
        cls.first = cls.server.closed_binlogs()[0]
        cls.configure(2, restores="".join(
            f"orders --to INC-{name} --client {name} --from-file {cls.first} --reason a drill\n"
            for name in RESTORE_HOSTS))
        cls.appliance.switch_on()
        cls.appliance.wait(r"INITRD-SCANNED")  # the firmware has a network of its own until then
        cls.watch = cls.network.watch(cls.scratch)
        cls.appliance.wait(rf"RESTORED INC-{list(RESTORE_HOSTS)[-1]} |RESTORE-FAILED ")
        cls.console = cls.appliance.wait(r"SELFTEST (PASSED \d+|FAILED .*)\n")

    @classmethod
    def configure(cls, version, restores=""):
        files = bundle_files(cls.authority)
        files["binvault.conf"] += "".join(f"[client {name}]\naddress = {address}\n" for
                                          name, address in RESTORE_HOSTS.items()).encode()
        files["share.smbpasswd"] = smbpasswd()
        if restores:
            files["restores"] = restores.encode()
        cls.appliance.bring(cls.owner.seal(cls.appliance.letter(), version, files))

    def setUp(self):
        self.network.speak_as(RESTORE_HOSTS["restore1"])

    def smbclient(self, commands, *more, share="restore1", user="restore1", password=None,
                  directory="/"):
        """Whatever came of it; it waits 20 s for an answer, and an emulated vault can need more."""
        for _ in range(5):
            result = subprocess.run(
                self.network.command(["smbclient", "--configfile=/dev/null", "--timeout=120",
                                      f"--user={user}%{password or PASSWORDS[user]}",
                                      f"//{VAULT}/{share}", *more, "-c", commands]),
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
                cwd=directory, env={**os.environ, "HOME": "/nonexistent"})
            if "NT_STATUS_IO_TIMEOUT" not in result.stdout + result.stderr:
                break
        return result

    def assert_sees(self, name):
        """The control of each refusal."""
        result = self.smbclient("ls", share=name, user=name)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        seen = {line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ")}
        self.assertEqual(seen - {".", ".."}, {f"INC-{name}"})

    def assert_refused(self, result, words):
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertIn(words, result.stdout + result.stderr)

    def test_a_restore_host_reads_what_the_server_wrote_byte_for_byte(self):
        with tempfile.TemporaryDirectory(prefix="binvault-image-") as folder:
            result = self.smbclient("prompt; recurse; mget INC-restore1", directory=folder)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            read = {path.name: path.read_bytes()
                    for path in Path(folder, "INC-restore1").glob("mariadb-bin.*")}
        self.assertEqual(read[self.first], self.server.binlog_path(self.first).read_bytes())
        for name, content in read.items():  # also of the one that was not closed then
            self.assertTrue(as_sent(self.server.binlog_path(name)).startswith(content), name)
        printed = {name: digest for digest, name in re.findall(
            r"RESTORED INC-restore1 ([0-9a-f]{64}) [ *](mariadb-bin\.\d+)\n", self.console)}
        self.assertEqual(printed, {name: hashlib.sha256(content).hexdigest()
                                   for name, content in read.items()})

    def test_the_self_test_passes_with_the_one_port(self):
        self.assertRegex(self.console, r"SELFTEST PASSED \d+\n")
        self.assertRegex(self.console, r"ok \d+ - nobody listens on TCP but the share\n")
        self.assertRegex(self.console, r"ok \d+ - nobody listens on UDP\n")

    def test_a_restore_host_finds_one_port_and_a_stranger_none(self):
        self.assert_sees("restore1")
        self.assertEqual(self.network.scan(VAULT), "445")
        self.network.speak_as(STRANGER)
        self.assertEqual(self.network.scan(VAULT), "")
        self.assertEqual(self.network.scan(DATABASE), "3306", "the control of the scan")

    def test_each_client_reads_its_own_from_its_own_address_alone(self):
        self.assert_sees("restore1")
        self.assert_refused(self.smbclient("ls", user="restore2"), "NT_STATUS_ACCESS_DENIED")
        self.assert_refused(self.smbclient("ls", user="restore2", share="restore2"),
                            "NT_STATUS_ACCESS_DENIED")
        self.network.speak_as(RESTORE_HOSTS["restore2"])
        self.assert_sees("restore2")
        self.assert_refused(self.smbclient("ls"), "NT_STATUS_ACCESS_DENIED")

    def test_with_a_wrong_password_or_an_older_protocol_nobody_reads(self):
        self.assert_refused(self.smbclient("ls", password="wrong"), "NT_STATUS_LOGON_FAILURE")
        self.assert_refused(self.smbclient("ls", "--user=%"), "NT_STATUS_ACCESS_DENIED")
        for protocol in ("SMB2_10", "SMB3_02"):  # without encryption; negotiated unprotected
            self.assert_refused(self.smbclient("ls", f"--max-protocol={protocol}"),
                                "NT_STATUS_NOT_SUPPORTED")
        self.assert_sees("restore1")

    def test_nobody_writes(self):
        inside = f"INC-restore1/{self.first}"
        for command in ("mkdir new", f"del {inside}", "rename INC-restore1 other",
                        "put /etc/hostname new", f"put /etc/hostname {inside}"):
            result = self.smbclient(command)
            self.assertIn("NT_STATUS_", result.stdout + result.stderr, command)
        self.assert_sees("restore1")

    def test_nothing_else_leaves_the_card(self):
        """Of its start, and of what the tests before this one by the alphabet have made it do."""
        self.assert_sees("restore1")
        hosts = "|".join(map(re.escape, RESTORE_HOSTS.values()))
        known = rf"arp ({VAULT}|{DATABASE}|{hosts})|tcp {DATABASE} 3306|tcp ({hosts}) \d+"
        seen = set(self.watch.log_text().splitlines())
        self.assertEqual({line for line in seen if not re.fullmatch(known, line)}, set())
        self.assertIn(f"tcp {DATABASE} 3306", seen, "the control of the watch")

    def test_of_samba_the_image_has_only_what_serves(self):
        self.assertEqual(programs(BUILT), set(lines_of("keep.list", "samba")))
        services = services_of_the_table("samba")
        self.assertEqual(sorted(services_of_the_root(BUILT)), sorted(services))
        self.assertEqual(too_exposed(services, BUILT), {})
        self.assertFalse((BUILT / "root/usr/libexec/samba").exists())


if __name__ == "__main__":
    unittest.main()
