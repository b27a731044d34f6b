"""The main job inside the booted appliance: a data volume of its own, a configuration without a
login, a MariaDB server pulled from over TLS, and what must not happen."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

from image.tests.lab import (DATABASE, IMPOSTOR, SIEM_PORT, TAP, VAULT, Collector, Database,
                             Network, TimeServer, bundle_files)
from image.tests.machine import VARIABLES, Machine, missing, roomy
from image.tests.test_artefacts import tools
from tests.integration.lab.pki import Authority, openssl
from tests.integration.lab.processes import wait_until
from tests.integration.lab.scratch import Scratch

PROJECT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("BINVAULT_IMAGE", PROJECT / "build" / "image"))
QUICK = os.environ.get("BINVAULT_IMAGE_QUICK") == "1"
KEYS = BUILT / "keys"
MIB = 1048576
ENDS = r"CONFIGURATION-FAILED .*\n|INITRD-REFUSED .*\n|Access Denied|Kernel panic"
STREAMING = r"orders +\S+ +streaming"
NO_CONFIGURATION = r"CONFIGURATION there is none yet.*\n"
VOLUME_REFUSED = (
    "VOLUME-REFUSED the TPM does not give the key of the data volume: this is another machine or "
    "TPM, or Secure Boot, its keys or the image are not those that it was sealed to. Nothing was "
    "opened. The way back is in image/README.md, 'When the volume does not open': "
    "/usr/bin/systemd-cryptsetup ended with status 1\n")


class Appliance:
    """One server: a disk, firmware variables and a TPM, that outlive each time it is switched on."""

    def __init__(self, folder, network=None, built=BUILT):
        self.folder, self.network, self._built = folder, network, built
        self.disk = roomy(built / "vault.img", folder / "disk.img")
        self.machine = None

    def switch_on(self, tpm="tpm", variables=None, clock=None):
        self.machine = Machine(self.folder, self.disk,
                               variables or BUILT / "test" / "enrolled.fd",
                               tpm=self.folder / tpm, writable=True, clock=clock,
                               network=TAP if self.network else None,
                               inside=self.network.command if self.network else None)
        self.machine.start()

    def wait(self, text, seconds=480):
        """`text` also stands for every other end, so that a wrong one is seen at once."""
        console = self.machine.wait(f"{text}|{ENDS}", seconds)
        if not re.search(text, console):
            raise AssertionError(f"'{text}' did not come:\n{console[-3000:]}")
        return console

    def pull_the_plug(self):
        self.machine.stop()

    def _at(self, name):
        for line in (self._built / "partitions").read_text().splitlines():
            if line.endswith(f"name={name}"):
                return int(re.search(r"start=(\d+)MiB", line)[1]) * MIB
        raise LookupError(name)

    def letter(self):
        """The text that the vault has written to its owner."""
        return self.read("binvault_out", 65536).rstrip(b"\0").decode()

    def read(self, partition, size):
        with open(self.disk, "rb") as disk:
            disk.seek(self._at(partition))
            return disk.read(size)

    def bring(self, bundle):
        with open(self.disk, "r+b") as disk:
            disk.seek(self._at("binvault_in"))
            disk.write(bundle.ljust(2 * MIB, b"\0"))


class Identity:
    """A key and its certificate, of somebody whom no vault knows."""

    def __init__(self, folder):
        self.key, self.certificate = folder / "stranger.key", folder / "stranger.pem"
        openssl("req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-subj", "/CN=stranger", "-keyout", self.key, "-out", self.certificate)


class Owner:
    """Seals bundles with the program of the image's own build, in a folder below the image."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(dir=BUILT, prefix="owner-")
        self.folder = Path(self._folder.name)

    def close(self):
        self._folder.cleanup()

    def seal(self, recipient, version, files, signer=None):
        for name, content in {"recipient.pem": recipient.encode(), **files}.items():
            (self.folder / name).write_bytes(content)
        here = f"/mnt/{self.folder.name}"
        shutil.copy(signer.key if signer else KEYS / "owner.key", self.folder / "owner.key")
        shutil.copy(signer.certificate if signer else KEYS / "owner.pem",
                    self.folder / "owner.pem")
        output = f"{version}.bundle"
        (self.folder / output).unlink(missing_ok=True)
        result = tools("/mnt/compile/bin/binvault", "config", "seal", "--owner-key",
                       f"{here}/owner.key", "--owner-certificate", f"{here}/owner.pem",
                       "--recipient", f"{here}/recipient.pem", "--version", str(version),
                       "--output", f"{here}/{output}", *(f"{here}/{name}" for name in files))
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return (self.folder / output).read_bytes()


def covered(server):
    """What the status page says when all that the server has written is durable in the vault."""
    name, size = server.binlogs()[-1]
    return rf"{STREAMING} +[^\n]*{re.escape(name)}:{size}\b"


@unittest.skipIf(missing(), str(missing()))
@unittest.skipIf(QUICK, "not in the quick part")
@unittest.skipUnless((BUILT / "test" / "enrolled.fd").exists(),
                     "no image; do: image/build --softhsm --test-disks")
@unittest.skipUnless(shutil.which("mariadbd"), "mariadb-server-core is not installed")
class VaultTest(unittest.TestCase):
    """A vault from the image `built`, its owner, and a MariaDB server behind its card."""

    built = BUILT

    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.owner = Owner()
        cls.addClassCleanup(cls.owner.close)
        cls.network = Network(cls.scratch)
        cls.authority = Authority(cls.scratch.directory("pki"))
        cls.server = Database(cls.network, cls.scratch, cls.authority)
        cls.server.start()
        cls.server.create_archive_user()
        cls.appliance = Appliance(cls.scratch.directory("appliance"), cls.network, cls.built)
        cls.scratch.defer(lambda: cls.appliance.machine and cls.appliance.pull_the_plug())


class MainJob(VaultTest):
    """In the order of a vault's life; each test is one time that it is switched on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT AUTO_INCREMENT PRIMARY KEY, "
                       "b VARCHAR(200))")

    def tearDown(self):
        self.appliance.pull_the_plug()

    def write(self, rows=200):
        self.server.sql("".join(f"INSERT INTO d.t (b) VALUES (REPEAT('{i % 10}', 100));"
                                for i in range(rows)))

    def test_1_the_first_start_makes_a_volume_and_asks_for_a_configuration(self):
        """What somebody else than the owner has laid there is not even opened."""
        stranger = Identity(self.scratch.directory("stranger"))
        self.appliance.bring(self.owner.seal(stranger.certificate.read_text(), 1,
                                             bundle_files(self.authority), signer=stranger))
        self.appliance.switch_on()
        console = self.appliance.wait(NO_CONFIGURATION)
        self.assertIn("VOLUME making the data volume, sealed to this machine's TPM\n", console)
        self.assertRegex(console, r"bundle '/run/binvault-configure/bundle' is refused, and nothing "
                                  r"is in force: .* is not signed by")
        self.assertRegex(self.appliance.letter(), r"^-----BEGIN CERTIFICATE-----\n")
        self.appliance.pull_the_plug()
        self.assert_sealed(json.loads(self.luks_metadata()))

    def luks_metadata(self):
        """Of the data volume, which begins where the last letter box ends."""
        header = self.owner.folder / "header"
        header.write_bytes(self.appliance.read("binvault_out", 34 * MIB)[2 * MIB:])
        return tools("cryptsetup", "luksDump", "--dump-json-metadata",
                     f"/mnt/{self.owner.folder.name}/header").stdout

    def assert_sealed(self, metadata):
        """As firmware-config/tpm/pcr-policy.json says, and by nothing else."""
        policy = json.loads((PROJECT / "firmware-config/tpm/pcr-policy.json").read_text())
        tokens = {token["type"]: token for token in metadata["tokens"].values()}
        self.assertEqual(sorted(tokens), sorted(policy["shared-with-image"]["tokens"]))
        self.assertEqual(tokens["systemd-tpm2"]["tpm2-pcrs"],
                         [literal["pcr"] for literal in policy["literal"]])
        self.assertEqual(tokens["systemd-tpm2"]["tpm2_pubkey_pcrs"], [policy["signed"]["pcr"]])
        self.assertEqual(base64.b64decode(tokens["systemd-tpm2"]["tpm2_pubkey"]),
                         (KEYS / "pcr.pub").read_bytes())
        self.assertEqual(len(metadata["keyslots"]), len(tokens), "a slot without a token")

    def test_2_with_a_bundle_it_pulls_all_that_is_written_meanwhile(self):
        self.appliance.bring(self.owner.seal(self.appliance.letter(), 1,
                                             bundle_files(self.authority)))
        self.write()
        self.appliance.switch_on()
        self.appliance.wait(r"CONFIGURATION vault 'vault01' has 1 source\n")
        self.write()
        self.appliance.wait(STREAMING)
        self.write()
        self.server.rotate()
        self.write()
        console = self.appliance.wait(covered(self.server))
        self.assertNotIn("VOLUME making", console)
        self.assertIn("\nSELFTEST PASSED", self.appliance.wait(r"SELFTEST (PASSED \d+|FAILED .*)\n"))
        self.assertRegex(self.appliance.letter(), r"\narchive +[0-9a-f-]{36}  'vault01'\n")

    def restored(self, console):
        """{file: SHA-256} of what the console says was restored as INC-1."""
        return {name: digest for digest, name in
                re.findall(r"RESTORED INC-1 ([0-9a-f]{64}) [ *](mariadb-bin\.\d+)\n", console)}

    def start_time_servers(self):
        """Files of a bundle that names one whom its CA knows, and one whom it does not."""
        for address, authority, name in ((DATABASE, self.authority, "time1.bank.example"),
                                         (IMPOSTOR, self.authority.other(), "time2.bank.example")):
            TimeServer(self.network, self.scratch, address, authority.issue(name, f"DNS:{name}"))
        hosts = (f"{DATABASE} db1.bank.example time1.bank.example siem1.bank.example\n"
                 f"{IMPOSTOR} time2.bank.example\n")
        return {"time": b"time1.bank.example\ntime2.bank.example\n", "hosts": hosts.encode(),
                "time-ca.pem": self.authority.certificate.read_bytes()}

    def assert_clock_set(self, console, seconds):
        """By the server that the bundle's CA knows, and by no other."""
        stepped = re.search(r"System clock was stepped by (-?\d+)\.", console)
        self.assertTrue(stepped, console[-3000:])
        self.assertAlmostEqual(int(stepped[1]), seconds, delta=60)
        self.assertIn(f"Selected source {DATABASE} (time1.bank.example)", console)
        self.assertNotIn(f"Selected source {IMPOSTOR}", console)
        self.assertRegex(console, rf"TLS handshake with {IMPOSTOR}:4460 .* failed")

    def start_siem(self):
        """What binvault.conf says of it; it has the puller's key and certificate."""
        self.siem = Collector(self.network, self.scratch, self.authority)
        self.siem.start()
        current = "/var/lib/binvault/config/current"
        return (f"[siem]\nserver = siem1.bank.example:{SIEM_PORT}\ntls-ca = {current}/db-ca.pem\n"
                f"tls-certificate = {current}/vault.pem\ntls-key = systemd:vault.key\n"
                "state = /var/lib/binvault/forward\n").encode()

    def assert_forwarded(self):
        """Every leaf from the first on, under a checkpoint that the SIEM has as well."""
        def checkpoints():
            return [json.loads(message.text) for message in self.siem.messages()
                    if message.type == "checkpoint"]
        wait_until(lambda: checkpoints() and int(checkpoints()[-1]["size"]) > 10, 120,
                   "the SIEM has a checkpoint")
        size = int(checkpoints()[-1]["size"])
        leaves = dict(self.siem.leaves())
        self.assertLessEqual(set(range(size)), set(leaves))
        self.assertEqual(json.loads(leaves[0])["type"], "archive")
        self.assertIn("segment-sealed", {json.loads(leaf)["type"] for leaf in leaves.values()})

    def test_3_after_a_power_cut_it_goes_on_and_gives_back_what_the_server_wrote(self):
        """Its clock is an hour behind. Nothing but what the bundle names is ever talked to, and
        nobody outside finds a port."""
        first = self.server.closed_binlogs()[0]
        files = {**bundle_files(self.authority), "restores": (
            "# what the owner asks for\n"
            f"orders --to INC-1 --from-file {first} --reason to see that it works\n").encode(),
            **self.start_time_servers()}
        files["binvault.conf"] += self.start_siem()
        self.appliance.bring(self.owner.seal(self.appliance.letter(), 2, files))
        self.write()
        self.appliance.switch_on(clock=datetime.now(timezone.utc) - timedelta(hours=1))
        self.appliance.wait(r"INITRD-SCANNED")  # the firmware has a network of its own until then
        watch = self.network.watch(self.scratch)
        self.appliance.wait(STREAMING)
        self.write()
        console = self.appliance.wait(covered(self.server))
        self.assertNotIn("VOLUME making", console)
        self.assertIn("version 2 of vault 'vault01' is in force", console)
        console = self.appliance.wait(r"RESTORED INC-1 .*\n|RESTORE-FAILED .*\n")
        expected = hashlib.sha256(self.server.binlog_path(first).read_bytes()).hexdigest()
        self.assertEqual(self.restored(console).get(first), expected, console[-2000:])
        console = self.appliance.wait(r"SELFTEST (PASSED \d+|FAILED .*)\n")
        self.assertRegex(console, r"SELFTEST PASSED \d+\n")
        self.assertRegex(console, r"ok \d+ - packets that nobody configured do not leave\n")
        self.assert_clock_set(console, seconds=3600)

        self.assertEqual(self.network.scan(VAULT), "")
        self.assertEqual(self.network.scan(DATABASE), f"3306 4460 {SIEM_PORT}",
                         "the control of the scan")
        self.write()
        self.appliance.wait(covered(self.server))
        self.assert_forwarded()
        seen = set(watch.log_text().splitlines())
        database, time = f"tcp {DATABASE} 3306", f"udp {DATABASE} 123"
        siem = f"tcp {DATABASE} {SIEM_PORT}"
        self.assertLessEqual(seen, {f"arp {VAULT}", f"arp {DATABASE}", f"arp {IMPOSTOR}", database,
                                    time, siem, f"tcp {DATABASE} 4460", f"tcp {IMPOSTOR} 4460"})
        self.assertLessEqual({database, time, siem}, seen, "the control of the watch")

    def test_4_a_stolen_disk_does_not_open_in_another_machine(self):
        self.appliance.switch_on(tpm="another-tpm")
        self.assert_volume_refused()

    def test_5_without_secure_boot_it_does_not_open(self):
        self.appliance.switch_on(variables=VARIABLES)
        self.assert_volume_refused()

    def test_6_two_custodians_of_three_open_it_in_another_machine(self):
        shares = [self.open_share(number) for number in (1, 3)]
        combined = subprocess.run([PROJECT / "tools" / "combine_shares.py", *shares],
                                  capture_output=True, check=True)
        self.appliance.bring(combined.stdout)
        self.write()
        before = self.appliance.letter()
        self.appliance.switch_on(tpm="another-tpm")
        console = self.appliance.wait(r"CONFIGURATION-FAILED .*\n")
        self.assertIn("VOLUME opening the data volume by its recovery key, and sealing it to this "
                      "TPM\n", console)
        self.assertEqual(self.appliance.read("binvault_in", 4096), bytes(4096), "the letter stays")
        self.assertIn("CONFIGURATION this machine's TPM does not open the vault's key for bundles",
                      console)
        self.assertIn("CONFIGURATION-FAILED this machine's TPM does not open the secrets of the "
                      "configuration: seal the bundle once more", console)
        self.appliance.pull_the_plug()
        self.bring_the_secrets_once_more(before)

    def bring_the_secrets_once_more(self, before):
        """What the custodians open is the archive; its owner's secrets come from their owner."""
        letter = self.appliance.letter()
        self.assertNotEqual(letter.split("\n-----END")[0], before.split("\n-----END")[0])
        self.appliance.bring(self.owner.seal(letter, 3, bundle_files(self.authority)))
        self.appliance.switch_on(tpm="another-tpm")
        console = self.appliance.wait(covered(self.server))
        self.assertIn("version 3 of vault 'vault01' is in force", console)

    def open_share(self, number):
        """The file of what custodian `number` finds for himself in the vault's letter."""
        folder = self.scratch.directory("custodians")
        message, share = folder / f"message-{number}", folder / f"share-{number}"
        messages = re.findall(r"-----BEGIN CMS-----.*?-----END CMS-----\n",
                              self.appliance.letter(), re.DOTALL)
        self.assertEqual(len(messages), 3)
        message.write_text(messages[number - 1])
        openssl("cms", "-decrypt", "-inform", "PEM", "-in", message, "-inkey",
                KEYS / f"custodian-{number}.key", "-out", share)
        return share

    def assert_volume_refused(self):
        """And the vault stays shut: its units wait for the volume, which is not there."""
        console = self.appliance.wait(r"Dependency failed for var-lib-binvault.mount.*\n")
        self.assertIn(VOLUME_REFUSED, console)
        console = self.appliance.wait(r"SELFTEST FAILED .*\n")
        self.assertRegex(console, r"not ok \d+ - the data volume is open and encrypted")
        self.assertNotIn("CONFIGURATION", console)
