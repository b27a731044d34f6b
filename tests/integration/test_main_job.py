"""The main job, end to end: pull over TLS under load and SIGKILL, seal, verify, restore, replay."""

import json
import re
import shutil
import subprocess
import time
import unittest

from tests.integration.lab import evidence, program
from tests.integration.lab.mariadb import MariaDB, replay
from tests.integration.lab.processes import peak_resident_size, wait_until
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.traffic import MEBIBYTE, Traffic

QUICK = True
LARGER = re.compile(rb"__asan_init|__tsan_init")  # a sanitizer's memory is not ours


class MainJobTest(unittest.TestCase):
    """One vault for all tests of the class: traffic, two SIGKILLs, all of it sealed."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.server, cls.vault = cls.stage.server, cls.stage.vault
        cls.vault.start()
        cls.put_under_load()
        cls.stage.archive()
        cls.counter_file, cls.marks = cls.count()
        cls.names = cls.stage.archive()

    @classmethod
    def put_under_load(cls):
        traffic = Traffic(cls.server, seed=5, seconds=8, clients=2, largest=80 * MEBIBYTE)
        traffic.start()
        for daemon in ("binvault-pull", "binvault-keeper"):
            time.sleep(2.5)
            wait_until(lambda: cls.vault.kill(daemon), 10, f"{daemon} runs and is killed")
        traffic.wait()

    @classmethod
    def count(cls):
        """Known states in a file of their own: [(position, rows, when)] after each transaction."""
        cls.server.sql("CREATE DATABASE counter; CREATE TABLE counter.t (n INT PRIMARY KEY)")
        marks = []
        for number in range(1, 7):
            if number == 4:
                cls.next_second()
            cls.server.sql(f"BEGIN; INSERT INTO counter.t VALUES ({number}), ({-number}); COMMIT")
            file, position = cls.server.sql("SHOW MASTER STATUS")[0][:2]
            marks.append((int(position), 2 * number))
        return file, marks

    @classmethod
    def next_second(cls):
        """Go to the beginning of a second of the clock; events carry whole seconds."""
        time.sleep(1.05 - time.time() % 1)
        cls.moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def restore(self, name, *arguments, expect=(0,)):
        output = self.vault.verb("restore", SOURCE, "--to", name, *arguments, expect=expect)
        self.addCleanup(shutil.rmtree, self.vault.export / name, True)
        return output

    def test_the_puller_stays_small_whatever_an_event_holds(self):
        """One row of 100 MiB, after all the traffic."""
        name = self.server.binlogs()[-1][0]
        self.server.sql("CREATE TABLE counter.large (data LONGBLOB); "
                        "INSERT INTO counter.large VALUES (REPEAT('large ', 17500000)); "
                        "DROP TABLE counter.large")
        self.vault.wait_covered(SOURCE, self.server)
        self.assertGreater(self.server.binlog_path(name).stat().st_size, 100 * MEBIBYTE)
        for pid in self.vault.pids("binvault-pull"):
            if not LARGER.search(program("binvault-pull").read_bytes()):
                self.assertLess(peak_resident_size(pid), 64 * MEBIBYTE)

    def test_verify_finds_nothing_with_and_without_keys(self):
        for arguments in ((), ("--decrypt",)):
            output = self.vault.verb("verify", *arguments)
            self.assertNotIn("DEFECT", output)
            self.assertRegex(output, r"\d+ (B|KiB|MiB|GiB)\b.*/s", "bytes and rate are printed")

    def test_restored_files_are_the_servers_own(self):
        output = self.restore("whole")
        directory = self.vault.export / "whole"
        evidence.compare_restore(self.server, directory, self.names)
        self.assertFalse((self.vault.export / "whole.partial").exists())
        self.check_sums(directory)
        self.check_manifest(directory, output)

    def check_sums(self, directory):
        checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=directory,
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        listed = {line.split(None, 1)[1].strip().lstrip("*")
                  for line in (directory / "SHA256SUMS").read_text().splitlines()}
        self.assertLessEqual(set(self.names), listed)

    def check_manifest(self, directory, output):
        """By hand, with the commands that the restore printed."""
        manifest = json.loads((directory / "MANIFEST.json").read_text())
        self.assertIn("advisory", json.dumps(manifest))
        self.assertLessEqual(set(self.names), {file["name"] for file in manifest["files"]})
        command = self.printed_command(output, "openssl")
        verified = subprocess.run(["bash", "-c", command], cwd=directory, capture_output=True,
                                  text=True, check=False)
        self.assertIn("Verified OK", verified.stdout, f"{command}: {verified.stderr}")
        body = (directory / "MANIFEST.json").read_bytes()
        (directory / "MANIFEST.json").write_bytes(body.replace(b'"size"', b'"sizE"', 1))
        verified = subprocess.run(["bash", "-c", command], cwd=directory, capture_output=True,
                                  text=True, check=False)
        self.assertNotIn("Verified OK", verified.stdout)

    def printed_command(self, output, word):
        lines = [line.strip() for line in output.splitlines() if word in line]
        self.assertTrue(lines, f"no {word} command in: {output}")
        return lines[0].removeprefix("verify").removeprefix("replay").strip(": $")

    def test_list_and_status_tell_what_is_archived(self):
        listed = self.vault.verb("list", SOURCE, "--output=json")
        self.assertEqual(json.loads(listed)["schema"], 1)
        self.assertLessEqual(set(self.names),
                             {segment["file"] for segment in self.vault.segments(listed)})
        self.assertIn(self.names[0], self.vault.verb("list", SOURCE))
        status = self.vault.status()
        self.assertEqual(status["schema"], 1)
        self.assertEqual(self.vault.source_status(SOURCE)["state"], "streaming")
        text = self.vault.verb("status", expect=(0, 6))
        self.assertIn("WORM advisory", text)
        self.assertIn(SOURCE, text)

    def test_a_restore_to_a_position_ends_with_the_transaction_before_it(self):
        self.stop_states = [(position, rows) for position, rows in self.marks[1::2]]
        target = self.target()
        for position, rows in self.stop_states:
            for offset, expected in ((0, rows), (-1, rows - 2), (1, rows)):
                with self.subTest(position=position + offset):
                    name = f"p{position + offset}"
                    self.restore(name, "--from-file", self.counter_file, "--until-position",
                                 f"{self.counter_file}:{position + offset}")
                    self.assertEqual(self.replayed(target, name), expected)

    def test_a_restore_to_a_time_ends_before_the_first_transaction_that_is_as_late(self):
        self.restore("time", "--from-file", self.counter_file, "--until", self.moment)
        self.assertEqual(self.replayed(self.target(), "time"), 6)

    def test_the_printed_command_replays_what_was_restored(self):
        output = self.restore("printed", "--from-file", self.counter_file, "--until-position",
                              f"{self.counter_file}:{self.marks[-1][0]}")
        command = self.printed_command(output, "mariadb-binlog")
        self.assertRegex(command, r"\| *mariadb\b")
        target = self.target()
        client = " ".join(target.client_command())
        command = re.sub(r"\| *mariadb\b.*", f"| {client}", command)
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True,
                              text=True, check=False, cwd=self.vault.export / "printed")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.state(target), (12, 0))

    @classmethod
    def target(cls):
        """An empty server to replay into; one for the class."""
        if not hasattr(cls, "_target"):
            cls._target = MariaDB(cls.stage.scratch, tls=False, name="db2", server_id=12,
                                  strict=False)
            cls._target.start()
        cls._target.sql("DROP DATABASE IF EXISTS counter")
        return cls._target

    def replayed(self, target, name):
        target.sql("DROP DATABASE IF EXISTS counter")
        directory = self.vault.export / name
        files = sorted(path for path in directory.iterdir()
                       if re.search(r"-bin\.\d+$", path.name))
        self.assertTrue(files)
        replay(target, files)
        rows, total = self.state(target)
        self.assertEqual(total, 0, "half a transaction was restored")
        return rows

    @staticmethod
    def state(target):
        """Each transaction inserts n and -n: the sum is 0 unless one was cut."""
        return tuple(map(int, target.sql("SELECT COUNT(*), IFNULL(SUM(n), 0) FROM counter.t")[0]))

    def test_a_restore_that_fails_leaves_nothing_and_says_why(self):
        (self.vault.export / "taken").mkdir()
        self.addCleanup(shutil.rmtree, self.vault.export / "taken", True)
        before = sorted(self.vault.export.rglob("*"))
        for code, sentence, arguments in (
                ((1, 2, 4), "taken", (SOURCE, "--to", "taken")),
                ((2,), "nobody", ("nobody", "--to", "x1")),
                ((1, 2, 3), "mariadb-bin.999999",
                 (SOURCE, "--to", "x2", "--from-file", "mariadb-bin.999999")),
                ((1, 2, 3), "mariadb-bin.999999",
                 (SOURCE, "--to", "x3", "--until-position", "mariadb-bin.999999:4")),
                ((2,), "yesterday", (SOURCE, "--to", "x4", "--until", "yesterday")),
                ((2,), "--to", (SOURCE, "--to", "../x5")),
                ((2,), "--to", (SOURCE,))):
            with self.subTest(arguments=arguments):
                result = self.vault.run_verb("restore", *arguments)
                self.assertIn(result.returncode, code, result.stderr)
                self.assertIn(sentence, result.stderr)
                self.assertEqual(sorted(self.vault.export.rglob("*")), before)

    def test_nothing_of_an_archive_is_readable_as_plain_text(self):
        """The rows of the counter's table are in the server's file and in no segment."""
        name = "counter".encode()
        self.assertIn(name, self.server.binlog_path(self.counter_file).read_bytes())
        for path in self.vault.volume.glob("segments/*/*/*.seg"):
            self.assertNotIn(name, path.read_bytes())


if __name__ == "__main__":
    unittest.main()
