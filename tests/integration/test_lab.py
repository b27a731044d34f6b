"""The lab itself works: what the other integration tests stand on."""

import filecmp
import os
import subprocess
import sys
import unittest

from tests.integration.lab import evidence, loopfs, processes, skip
from tests.integration.lab.loopfs import LoopFileSystem
from tests.integration.lab.mariadb import MariaDB, replay
from tests.integration.lab.pki import Authority
from tests.integration.lab.processes import Process, wait_until
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.token import Token
from tests.integration.lab.traffic import MEBIBYTE, Traffic, bulk

QUICK = True


class LabTest(unittest.TestCase):
    """One scratch directory, authority and server for all tests of the class."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.authority = Authority(cls.scratch.directory("pki"))
        cls.server = MariaDB(cls.scratch, cls.authority)
        cls.server.start()


class ServerTest(LabTest):
    def test_traffic_is_pulled_over_tls_byte_for_byte_and_replays(self):
        traffic = Traffic(self.server, seed=7, seconds=5, largest=8 * MEBIBYTE)
        done = traffic.run()
        self.assertEqual(done["largest"], 1)
        self.assertGreater(sum(done.values()), 100)
        self.server.rotate()
        files = self.server.closed_binlogs()
        self.assertGreater(len(files), 1)
        pulled = self.pull(files[-1], self.authority.client)
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        copy = self.scratch.path / "pulled" / files[-1]
        self.assertTrue(filecmp.cmp(copy, self.server.binlog_path(files[-1]), shallow=False))

        target = MariaDB(self.scratch, self.authority, name="db2", server_id=12, strict=False)
        target.start()
        self.addCleanup(target.stop)
        replay(target, [self.server.binlog_path(name) for name, _ in self.server.binlogs()])
        sums = self.server.checksum_all_tables()
        self.assertIn("traffic.noise", sums)
        self.assertEqual(sums, target.checksum_all_tables())

    def test_the_archive_account_needs_the_client_certificate(self):
        name = self.server.binlogs()[0][0]
        pulled = self.pull(name, None)
        self.assertNotEqual(pulled.returncode, 0)
        self.assertIn("Access denied", pulled.stderr)

    def test_bulk_grows_the_binlogs_by_at_least_what_was_asked(self):
        begin = self.server.binlog_size()
        grown = bulk(self.server, 24 * MEBIBYTE)
        self.assertGreaterEqual(grown, 24 * MEBIBYTE)
        self.assertLess(grown, 48 * MEBIBYTE)
        self.assertGreater(self.server.binlog_size() - begin, grown)

    def test_a_wrong_statement_is_a_failure_of_the_traffic(self):
        traffic = Traffic(self.server, clients=1, largest=MEBIBYTE, database="bad")
        traffic.start()
        wait_until(lambda: traffic.done.get("create"), 20, "the first table exists")
        self.server.sql("DROP DATABASE bad")
        with self.assertRaisesRegex(RuntimeError, "traffic .seed 1. failed"):
            traffic.wait(timeout=60)
        # What has failed half-way stands in the binlog, and could not be replayed.
        self.server.sql("RESET MASTER")

    def test_values_come_back_as_they_are(self):
        rows = self.server.sql(r"SELECT 'a\\b', 'c\td', 'e\nf', '', '\\\\n', NULL")
        self.assertEqual(rows, [["a\\b", "c\td", "e\nf", "", "\\\\n", "NULL"]])

    def pull(self, name, client):
        password = self.server.create_archive_user("binvault")
        directory = self.scratch.directory("pulled")
        tls = [f"--ssl-ca={self.authority.certificate}", "--ssl-verify-server-cert"]
        if client:
            tls += [f"--ssl-cert={client.certificate}", f"--ssl-key={client.key}"]
        return subprocess.run(
            ["mariadb-binlog", "--no-defaults", "--read-from-remote-server", "--raw",
             f"--host={self.server.host}", f"--port={self.server.port}", "--user=binvault",
             f"--password={password}", f"--result-file={directory}/", *tls, name],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


class CrashTest(LabTest):
    def test_traffic_survives_the_death_of_the_server(self):
        traffic = Traffic(self.server, seed=3, clients=2, largest=MEBIBYTE, survive=True).start()
        for _ in range(2):
            before = sum(traffic.done.values())
            wait_until(lambda: sum(traffic.done.values()) > before + 20, 30, traffic.failed)
            self.server.kill9()
            self.assertFalse(self.server.running())
            self.server.start()
        wait_until(lambda: traffic.reconnects >= 2, 30, traffic.failed)
        self.assertGreater(sum(traffic.stop().values()), 40)

    def test_a_server_without_tls_has_none(self):
        server = MariaDB(self.scratch, tls=False, name="plain")
        server.start()
        self.addCleanup(server.stop)
        self.assertIn(server.value("SELECT @@have_ssl"), ("DISABLED", "NO"))
        self.assertEqual(self.server.value("SELECT @@have_ssl"), "YES")


class CertificateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.authority = Authority(cls.scratch.directory("pki"))

    def test_the_right_certificates_verify(self):
        self.assertEqual(self.verify(self.authority.server, "-verify_ip", "127.0.0.1"), "")
        self.assertEqual(self.verify(self.authority.server, "-verify_hostname",
                                     "db1.bank.example"), "")
        self.assertEqual(self.verify(self.authority.client, "-purpose", "sslclient"), "")

    def test_the_wrong_ones_fail_for_the_reason_they_were_made_for(self):
        wrong_host = self.authority.wrong_host_server()
        self.assertIn("IP address mismatch", self.verify(wrong_host, "-verify_ip", "127.0.0.1"))
        self.assertIn("expired", self.verify(self.authority.expired_server()))
        self.assertIn("expired", self.verify(self.authority.expired_client()))
        self.assertIn("unable to get local issuer", self.verify(self.authority.other().server))

    def verify(self, certificate, *arguments):
        result = subprocess.run(
            ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile",
             self.authority.certificate, *arguments, certificate.certificate],
            capture_output=True, text=True, check=False)
        return "" if result.returncode == 0 else result.stderr


class TokenTest(unittest.TestCase):
    def test_a_token_is_hidden_restored_and_destroyed(self):
        with Scratch() as scratch:
            token = Token(scratch.directory("hsm"))
            self.assertEqual(token.pin_file.read_text(), token.pin)
            token.tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", "02",
                       "--label", "lab key", "--usage-sign")
            self.assertIn("lab key", token.objects())
            token.hide()
            with self.assertRaises(RuntimeError):
                token.objects()
            token.restore()
            self.assertIn("lab key", token.objects())
            token.destroy()
            with self.assertRaises(RuntimeError):
                token.objects()


class ProcessTest(unittest.TestCase):
    def test_a_child_is_found_measured_and_killed_by_name(self):
        with Scratch() as scratch:
            child = Process(scratch, "sleeper", ["sleep", "60"])
            wait_until(lambda: processes.find("sleep"), 5, "sleep has started")
            wait_until(lambda: processes.peak_resident_size(child.pid) > 100_000, 5,
                       "its peak is measured")
            self.assertEqual(processes.kill9_by_name("sleep"), [child.pid])
            self.assertEqual(child.wait(5), -9)
            self.assertEqual(processes.peak_resident_size(child.pid), 0)

    def test_logs_of_two_processes_of_one_name_are_told_apart(self):
        with Scratch() as scratch:
            for word in ("first", "second"):
                child = Process(scratch, "speaker", ["sh", "-c", f"echo {word}; exit 3"])
                self.assertEqual(child.wait(5), 3)
                self.assertEqual(child.log_text(), word + "\n")
            self.assertEqual(child.log.read_text(), "first\nsecond\n")

    def test_waiting_in_vain_says_for_what(self):
        with self.assertRaisesRegex(TimeoutError, "the moon is made of cheese"):
            wait_until(lambda: False, 0.1, "the moon is made of cheese")


class EvidenceTest(unittest.TestCase):
    """What a restore may lack: the half of an event that a dying server left, and no byte more."""

    def event(self, size, written=None):
        header = evidence.EVENT_HEADER.pack(0, 1, 1, size, 0, 0)
        return (header + bytes(size - len(header)))[:written]

    def compare(self, server_file, restored):
        with Scratch() as scratch:
            ours, theirs = scratch.path / "ours", scratch.path / "theirs"
            ours.write_bytes(server_file)
            theirs.write_bytes(restored)
            return evidence.compare_file(ours, theirs)

    def test_a_torn_event_may_be_missing(self):
        whole = b"\xfebin" + self.event(100) + self.event(50)
        self.assertEqual(self.compare(whole, whole), len(whole))
        for written in (1, 18, 19, 40, 79):
            self.assertEqual(self.compare(whole + self.event(80, written), whole), len(whole))

    def test_nothing_else_may(self):
        whole = b"\xfebin" + self.event(100) + self.event(50)
        torn = whole + self.event(80, 40)
        for ours, theirs in ((whole + self.event(80), whole), (torn, whole[:-1]),
                             (torn, whole[:-50]), (torn, torn[:-1]), (whole, whole + b"x"),
                             (whole, whole[:-1] + b"x")):
            with self.assertRaises(evidence.Difference):
                self.compare(ours, theirs)


class ScratchTest(unittest.TestCase):
    def test_what_a_killed_lab_left_is_swept(self):
        script = ("from tests.integration.lab.scratch import Scratch; import os, signal;"
                  "print(Scratch().path, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
        killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                                check=False)
        path = killed.stdout.strip()
        self.assertTrue(os.path.isdir(path))
        with Scratch() as other:
            self.assertFalse(os.path.exists(path))
            with Scratch():
                self.assertTrue(other.path.is_dir())

    def test_sigterm_closes_it(self):
        script = ("from tests.integration.lab.scratch import Scratch; import os, signal;"
                  "print(Scratch().path, flush=True); os.kill(os.getpid(), signal.SIGTERM)")
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                               check=False)
        self.assertEqual(ended.returncode, 143)
        self.assertFalse(os.path.exists(ended.stdout.strip()))


class LoopTest(unittest.TestCase):
    def test_a_file_system_of_each_kind_keeps_what_is_durable_over_a_power_cut(self):
        for kind in ("xfs", "ext4"):
            with self.subTest(kind=kind), Scratch() as scratch:
                skip.require_loop(kind)
                volume = LoopFileSystem(scratch, "volume", kind, 300 * MEBIBYTE)
                path = volume.path / "durable"
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
                os.write(descriptor, b"kept")
                os.fsync(descriptor)
                os.close(descriptor)
                (volume.path / "hasty").write_bytes(b"lost" * 1000)
                volume.power_cut()
                self.assertEqual(path.read_bytes(), b"kept")
                if (volume.path / "hasty").exists():
                    self.assertNotEqual((volume.path / "hasty").read_bytes(), b"lost" * 1000)

    def test_a_full_one_refuses_and_an_append_only_file_inside_does_not_block_its_end(self):
        skip.require_loop("ext4")
        skip.require_capability("CAP_LINUX_IMMUTABLE")
        with Scratch() as scratch:
            volume = LoopFileSystem(scratch, "volume", "ext4")
            volume.fill(leave=0).chmod(0o600)
            self.assertLess(volume.free_size(), MEBIBYTE)
            with self.assertRaises(OSError), open(volume.path / "more", "wb", 0) as file:
                for _ in range(16):
                    file.write(b"x" * MEBIBYTE)
            subprocess.run(["chattr", "+i", volume.path / "filler"], check=True)
            with self.assertRaises(PermissionError):
                (volume.path / "filler").unlink()
        self.assertFalse(os.path.exists(scratch.path))

    def test_whether_it_can_be_had_is_said_with_a_reason(self):
        usable, reason = loopfs.available("xfs")
        self.assertEqual(usable, reason == "")


if __name__ == "__main__":
    unittest.main()
