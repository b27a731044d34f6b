"""The share: what a client reads of the restores that were made for it, over a real Samba server."""

import json
import shutil
import unittest

from tests.integration.lab import evidence, samba
from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage

QUICK = True


class SambaShareTest(unittest.TestCase):
    """A vault with a few binlog files; restore1 and restore2 are hosts of their own."""

    @classmethod
    def setUpClass(cls):
        samba.require()
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.server, cls.vault = cls.stage.server, cls.stage.vault
        cls.samba = samba.Samba(cls.stage.scratch, ("restore1", "restore2"))
        cls.vault.clients = cls.samba.addresses
        cls.vault.write_configuration()
        cls.vault.start()
        cls.server.sql("CREATE DATABASE d; CREATE TABLE d.t (b LONGBLOB)")
        for _ in range(2):
            cls.server.sql("INSERT INTO d.t VALUES (REPEAT(MD5(RAND()), 250000))")
            cls.server.rotate()
        cls.names = cls.stage.archive()
        cls.samba.start(cls.vault)

    def restore(self, name, *more, client="restore1"):
        """Restore for the client, withdrawn at the end of the test; returns the request's id."""
        report = json.loads(self.vault.verb("restore", SOURCE, "--to", name, "--client", client,
                                            "--output=json", *more))
        self.addCleanup(self.vault.run_verb, "share", "withdraw", report["request"])
        return report["request"]

    def listing(self, client, share=None, user=None):
        return self.samba.client(client, f"//SERVER/{share or client}", "-c", "ls", user=user)

    def assert_sees(self, client, *names):
        result = self.listing(client)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        seen = {line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ")}
        self.assertEqual(seen - {".", ".."}, set(names))

    def assert_refused(self, result, words):
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertIn(words, result.stdout + result.stderr)

    def leaves(self, request):
        """What the ledger says of a request, in order."""
        lines = [line for path in sorted((self.vault.volume / "ledger").glob("*.jsonl"))
                 for line in path.read_text().splitlines() if line]
        return [leaf for leaf in map(json.loads, lines) if leaf.get("request") == request]

    def test_the_client_reads_what_the_server_has_byte_for_byte(self):
        self.restore("look")
        into = self.stage.scratch.directory("read")
        self.addCleanup(shutil.rmtree, into)
        result = self.samba.client("restore1", "//SERVER/restore1", "-c",
                                   "prompt; recurse; mget look", directory=into)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        evidence.compare_restore(self.server, into / "look", self.names)

    def test_another_client_sees_nothing_of_it(self):
        self.restore("secret")
        self.restore("mine", client="restore2")
        self.assert_sees("restore1", "secret")
        self.assert_sees("restore2", "mine")
        for user in ("restore2", "restore1"):  # also with a password that was stolen
            self.assert_refused(self.listing("restore2", "restore1", user=user), "NT_STATUS_")
        self.assert_refused(self.listing("restore1", "restore1", user="restore2"), "NT_STATUS_")
        shares = self.samba.client("restore2", "-L", "SERVER")
        self.assertIn("restore2", shares.stdout)
        self.assertNotIn("restore1", shares.stdout)

    def test_with_an_older_protocol_or_a_wrong_password_nobody_reads(self):
        self.restore("look")
        self.assert_sees("restore1", "look")
        # No client of 3.1.1 can do without encryption: the server says that it must.
        old = self.samba.client("restore1", "//SERVER/restore1", "-c", "ls",
                                "--max-protocol=SMB3_02")
        self.assert_refused(old, "NT_STATUS_")
        wrong = self.samba.client("restore1", "//SERVER/restore1", "-c", "ls",
                                  "--user=restore1%wrong")
        self.assert_refused(wrong, "NT_STATUS_LOGON_FAILURE")

    def test_the_wire_carries_nothing_that_can_be_read(self):
        self.restore("look")
        sums = (self.vault.export / "restore1" / "look" / "SHA256SUMS").read_text()
        wire = self.samba.listen_in("restore1")
        result = self.samba.client("restore1", "//SERVER/restore1", "-c", "get look/SHA256SUMS -")
        wire.stop()
        self.assertIn(sums, result.stdout)  # the client has it
        heard = bytes.fromhex("".join(wire.log_text().split()[1:]))
        self.assertGreater(len(heard), len(sums))  # and it went by
        self.assertIn(b"\xfdSMB", heard)
        self.assertIn("restore1".encode("utf-16-le"), heard)  # who logs in can be read
        self.assertNotIn(sums[:16].encode(), heard)
        self.assertNotIn("SHA256SUMS".encode("utf-16-le"), heard)

    def test_nobody_writes(self):
        self.restore("look")
        for command in ("mkdir new", "del look/SHA256SUMS", "rename look other",
                        "put /etc/hostname new"):
            result = self.samba.client("restore1", "//SERVER/restore1", "-c", command)
            self.assertIn("NT_STATUS_", result.stdout + result.stderr, command)
        self.assert_sees("restore1", "look")
        self.assertTrue((self.vault.export / "restore1" / "look" / "SHA256SUMS").exists())

    def test_what_is_withdrawn_is_gone_and_the_ledger_says_by_whom(self):
        request = self.restore("look")
        self.assert_sees("restore1", "look")
        self.assertIn(f"{request}  restore1/look", self.vault.verb("share", "list"))
        printed = self.vault.verb("share", "withdraw", request, "--reason", "it is replayed")
        self.assertEqual(printed, "restore1/look is removed\n")
        self.assert_sees("restore1")
        self.assertNotIn(request, self.vault.verb("share", "list"))
        leaf = self.leaves(request)[-1]
        self.assertEqual((leaf["type"], leaf["by_person"], leaf["reason"]),
                         ("withdrawn", True, "it is replayed"))

    def test_it_ends_by_itself(self):
        request = self.restore("brief", "--as", "tar", "--for", "3s")
        self.assert_sees("restore1", "brief.tar")
        wait_until(lambda: request not in self.vault.verb("share", "list"), 30, "it has ended")
        self.assert_sees("restore1")
        leaf = self.leaves(request)[-1]
        self.assertEqual((leaf["type"], leaf["by_person"]), ("withdrawn", False))
        exported, = (leaf for leaf in self.leaves(request) if leaf["type"] == "exported")
        self.assertEqual((exported["client"], exported["form"]), ("restore1", "tar"))

    def test_exactly_one_port_is_open(self):
        self.assertEqual(self.samba.ports("-t"), {445})
        self.assertEqual(self.samba.ports("-u"), set())


if __name__ == "__main__":
    unittest.main()
