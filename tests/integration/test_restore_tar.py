"""restore --as tar: one file of the share with all that the directory form has."""

import json
import shutil
import subprocess
import threading
import unittest

from tests.integration.lab import evidence
from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage

QUICK = True

FILES = 3
ROWS = 6  # per file, of 8 MB each


class RestoreTarTest(unittest.TestCase):
    """One vault with a few binlog files that take a moment to restore."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.server, cls.vault = cls.stage.server, cls.stage.vault
        cls.vault.start()
        cls.server.sql("CREATE DATABASE bulk; CREATE TABLE bulk.t (b LONGBLOB)")
        for _ in range(FILES):
            for _ in range(ROWS):
                cls.server.sql("INSERT INTO bulk.t VALUES (REPEAT(MD5(RAND()), 250000))")
            cls.server.rotate()
        cls.names = cls.stage.archive()

    def setUp(self):
        self.addCleanup(self.empty_share)
        self.unpacked = self.stage.scratch.directory("unpacked")
        self.addCleanup(shutil.rmtree, self.unpacked, True)

    def empty_share(self):
        for path in self.vault.export.iterdir():
            (path.unlink if path.is_file() else shutil.rmtree)(path)

    def share(self):
        return sorted(path.name for path in self.vault.export.iterdir())

    def run_in(self, directory, command):
        return subprocess.run(["bash", "-c", command], cwd=directory, capture_output=True,
                              text=True, check=False)

    def printed(self, output, word):
        """The command that the restore printed behind this word."""
        lines = [line for line in output.splitlines() if line.split()[:1] == [word]]
        self.assertEqual(len(lines), 1, output)
        return lines[0][len(word):].strip()

    def unpack(self, name):
        result = self.run_in(self.unpacked, f"tar -xf '{self.vault.export / name}.tar'")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return self.unpacked / name

    def test_the_printed_commands_unpack_check_and_verify_it(self):
        output = self.vault.verb("restore", SOURCE, "--to", "r_1", "--as", "tar")
        self.assertEqual(self.share(), ["r_1.tar"])
        for word, says in (("unpack", ""), ("check", "OK"), ("verify", "Verified OK")):
            command = self.printed(output, word)
            result = self.run_in(self.unpacked, command)
            self.assertEqual(result.returncode, 0, f"{command}: {result.stderr}")
            self.assertIn(says, result.stdout)
        evidence.compare_restore(self.server, self.unpacked / "r_1", self.names)

    def test_it_equals_the_directory_form_also_where_a_limit_cuts(self):
        name = self.names[1]
        limit = self.server.binlog_path(name).stat().st_size // 2
        arguments = (SOURCE, "--until-position", f"{name}:{limit}", "--output=json")
        files = json.loads(self.vault.verb("restore", *arguments, "--to", "d"))
        tar = json.loads(self.vault.verb("restore", *arguments, "--to", "t", "--as", "tar"))
        self.assertEqual(self.share(), ["d", "t.tar"])
        self.assertEqual(tar["tar"], str(self.vault.export / "t.tar"))
        self.assertEqual(files["files"], tar["files"])
        left, right = self.vault.export / "d", self.unpack("t")
        names = sorted(path.name for path in left.iterdir())
        self.assertEqual(names, sorted(path.name for path in right.iterdir()))
        self.assertEqual((self.vault.export / "t.tar").stat().st_gid,
                         (left / name).stat().st_gid)
        for path in left.iterdir():
            if path.name not in ("MANIFEST.json", "MANIFEST.sig"):  # request and time
                self.assertEqual(path.read_bytes(), (right / path.name).read_bytes(), path.name)

    def test_its_entries_can_be_read_as_a_stream(self):
        self.vault.verb("restore", SOURCE, "--to", "s", "--as", "tar")
        listed = self.run_in(self.unpacked, f"tar -tvf '{self.vault.export / 's.tar'}'")
        self.assertEqual((listed.returncode, listed.stderr), (0, ""))
        lines = [line.split() for line in listed.stdout.splitlines()]
        self.assertEqual([line[-1] for line in lines],
                         [f"s/{name}" for name in (*self.names, "SHA256SUMS", "MANIFEST.pub.pem",
                                                   "MANIFEST.json", "MANIFEST.sig")])
        self.assertEqual({(line[0], line[1]) for line in lines}, {("-r--r-----", "0/0")})
        status = (self.vault.export / "s.tar").stat()
        self.assertEqual(status.st_mode & 0o777, 0o440)

    def test_an_exporter_killed_in_the_middle_leaves_nothing(self):
        for when in ("restore.tar", "the second file"):
            with self.subTest(when=when):
                self.kill_while_restoring(when)

    def kill_while_restoring(self, when):
        results = []
        thread = threading.Thread(target=lambda: results.append(
            self.vault.run_verb("restore", SOURCE, "--to", "k", "--as", "tar")))
        partial = self.vault.export / "k.tar.partial"
        wanted = (self.server.binlog_path(self.names[0]).stat().st_size
                  if when != "restore.tar" else 1)

        def half():
            try:
                return (partial / "restore.tar").stat().st_size >= wanted
            except (FileNotFoundError, NotADirectoryError):
                return False

        thread.start()
        try:
            wait_until(lambda: half() or results, 20, "a tar is being written", interval=0.001)
            self.assertEqual(results, [], "it ended before it could be killed")
            self.assertTrue(self.vault.kill("binvault-export"))
        finally:
            thread.join(60)
        self.assertEqual(results[0].returncode, 5, results[0].stdout + results[0].stderr)
        self.assertIn("nothing is left of it", results[0].stderr)
        self.assertEqual(self.share(), [])

    def test_a_keeper_killed_in_the_middle_removes_what_is_left(self):
        thread = threading.Thread(target=lambda: self.vault.run_verb(
            "restore", SOURCE, "--to", "c", "--as", "tar"))
        partial = self.vault.export / "c.tar.partial" / "restore.tar"
        thread.start()
        try:
            wait_until(partial.exists, 20, "a tar is being written", interval=0.001)
            self.assertTrue(self.vault.kill("binvault-keeper"))
        finally:
            thread.join(60)
        wait_until(lambda: self.vault.status().get("sources"), 30, "the keeper answers again")
        wait_until(lambda: not self.share(), 10, lambda: f"the share is empty: {self.share()}")
        self.vault.verb("restore", SOURCE, "--to", "c", "--as", "tar")
        self.assertEqual(self.share(), ["c.tar"])

    def test_what_is_no_form_or_is_there_is_refused(self):
        (self.vault.export / "taken.tar").write_text("mine")
        for code, sentence, arguments in ((1, "taken.tar", ("--to", "taken", "--as", "tar")),
                                          (2, "--as 'zip'", ("--to", "z", "--as", "zip"))):
            result = self.vault.run_verb("restore", SOURCE, *arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(sentence, result.stderr)
        self.assertEqual(self.share(), ["taken.tar"])


if __name__ == "__main__":
    unittest.main()
