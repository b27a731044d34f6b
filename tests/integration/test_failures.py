"""Every failure is a named state with a sentence that says what to do; nothing is lost by it."""

import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from tests.integration.lab import evidence, program, skip
from tests.integration.lab.mariadb import MariaDB
from tests.integration.lab.processes import wait_until
from tests.integration.lab.proxy import Proxy
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.traffic import MEBIBYTE, bulk

SPIES = sorted(Path("/usr/lib").glob("*/pkcs11-spy.so"))
NOTICED = 15  # seconds in which a silent network must be noticed


class FailureTest(unittest.TestCase):
    """What the classes below share: waiting for a sentence, and the proof at the end."""

    def wait_sentence(self, stage, *words, state=None, timeout=30):
        """Wait until the source's sentence contains all words; returns it."""
        def found():
            status = stage.vault.source_status(SOURCE)
            sentence = status.get("sentence", "").lower()
            return all(word.lower() in sentence for word in words) and (
                state is None or status["state"] in state) and status["sentence"]

        sentence = wait_until(found, timeout, lambda: (
            f"the sentence of {SOURCE} says {words}; it is {stage.vault.source_status(SOURCE)}; "
            f"log:\n{stage.vault.tail()}"), interval=0.1)
        print(f"{SOURCE}: {sentence}", flush=True)  # for whoever reads the log
        return sentence

    def wait_alarm(self, stage, *words, timeout=30):
        """The same for the sentences of alarms and of the HSM."""
        def found():
            status = stage.vault.status()
            sentences = [f"{alarm['name']}: {alarm['sentence']}"
                         for alarm in status.get("alarms", [])]
            sentences.append(status.get("keys", {}).get("sentence", ""))
            return next((sentence for sentence in sentences
                         if all(word.lower() in sentence.lower() for word in words)), None)

        sentence = wait_until(found, timeout, lambda: (
            f"an alarm says {words}; status: {stage.vault.status()}; log:\n{stage.vault.tail()}"),
            interval=0.1)
        print(sentence, flush=True)
        return sentence

    def wait_streaming(self, stage, timeout=30):
        wait_until(lambda: stage.vault.source_status(SOURCE).get("state") == "streaming", timeout,
                   lambda: f"{SOURCE} streams: {stage.vault.source_status(SOURCE)}; log:\n"
                           f"{stage.vault.tail()}", interval=0.1)

    def prove(self, stage, name="proof"):
        """Everything that the server wrote is archived, identical, and verified."""
        stage.server.sql("CREATE OR REPLACE TABLE mysql.proof (a INT)")
        names = stage.archive(timeout=90)
        stage.vault.verb("verify")
        stage.vault.verb("restore", SOURCE, "--to", name)
        evidence.compare_restore(stage.server, stage.vault.export / name, names)

    def assert_attention(self, stage):
        """The state is not normal, and `status` says so with its exit code."""
        self.assertEqual(stage.vault.run_verb("status").returncode, 6)


class ServerTest(FailureTest):
    """One vault behind a proxy; each test breaks something about the server and mends it."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(proxy=None)
        cls.addClassCleanup(cls.stage.close)

    def setUp(self):
        self.addCleanup(self.stage.vault.stop)

    def restart(self):
        """A vault that forgets how long it wanted to wait."""
        self.stage.vault.stop()
        self.stage.vault.start()

    def test_a_stopped_server_is_waited_for(self):
        self.stage.vault.start()
        self.wait_streaming(self.stage)
        self.stage.server.stop()
        self.wait_sentence(self.stage, f"127.0.0.1:{self.stage.server.port}",
                           state=("waiting", "connecting"))
        self.assert_attention(self.stage)
        self.stage.server.start()
        self.wait_streaming(self.stage, timeout=60)
        self.prove(self.stage, "stopped")

    def test_wrong_certificates_are_refused_and_named(self):
        authority, server = self.stage.authority, self.stage.server
        for certificate, words in ((authority.other().server, ("certificate", "tls-ca")),
                                   (authority.wrong_host_server(), ("certificate", "127.0.0.1")),
                                   (authority.expired_server(), ("certificate", "expired"))):
            with self.subTest(certificate=certificate.certificate.name, words=words):
                server.use_certificate(certificate)
                server.restart()
                self.restart()
                self.wait_sentence(self.stage, *words, state=("waiting", "refused"))
                self.assert_attention(self.stage)
        server.use_certificate(authority.server)
        server.restart()
        self.restart()
        self.prove(self.stage, "certificates")

    def test_a_client_certificate_that_has_ended_is_thought_of(self):
        """The server's alert says why, or, where the connection ends before it, only its log."""
        vault, authority = self.stage.vault, self.stage.authority
        right, authority.client = authority.client, authority.expired_client()
        vault.write_configuration()
        authority.client.key.chmod(0o600)
        if vault.privileged:
            shutil.chown(authority.client.key, "binvault-pull")
        self.restart()
        try:
            self.wait_sentence(self.stage, "tls-certificate", "expired",
                               state=("waiting", "refused"))
        finally:
            authority.client = right
            vault.write_configuration()
            self.restart()
        self.prove(self.stage, "client")

    def test_an_account_that_may_not_is_told_what_it_lacks(self):
        server, vault = self.stage.server, self.stage.vault
        server.create_archive_user(grants=())
        self.restart()
        self.wait_sentence(self.stage, "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO "
                           "`binvault`@`%`", state=("waiting", "refused"))
        self.assert_attention(self.stage)
        server.create_archive_user()
        right = vault.credential.read_text()
        vault.credential.write_text("wrong\n")
        self.restart()
        self.wait_sentence(self.stage, "1045", "password", state=("waiting", "refused"))
        self.assertNotIn("wrong\n", vault.log)
        time.sleep(5)
        denied = server.sql("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'")[0][1]
        self.assertLess(int(denied), 8, "it hammers")
        vault.credential.write_text(right)
        self.restart()
        self.prove(self.stage, "account")

    def test_a_start_file_that_is_not_there_is_named(self):
        other = Stage(defaults={"start": "mariadb-bin.000777"})
        self.addCleanup(other.close)
        other.vault.start()
        self.wait_sentence(other, "mariadb-bin.000777", state=("waiting", "refused"))
        other.vault.stop()
        other.vault.defaults["start"] = "oldest"
        other.vault.write_configuration()
        other.vault.start()
        self.prove(other, "start")


class NetworkTest(FailureTest):
    def test_a_silent_network_is_noticed_and_survived(self):
        with Stage(proxy=None, init=False) as stage:
            proxy = Proxy(stage.scratch, stage.server)
            stage.vault.sources = {SOURCE: proxy}
            stage.vault.write_configuration()
            stage.vault.init()
            stage.vault.start()
            self.wait_streaming(stage)
            proxy.hold()
            begin = time.monotonic()
            stage.server.sql("CREATE DATABASE unheard")
            wait_until(lambda: stage.vault.source_status(SOURCE).get("state") != "streaming",
                       NOTICED, lambda: f"silence is noticed: {stage.vault.tail()}")
            self.assertLess(time.monotonic() - begin, NOTICED)
            time.sleep(3)
            self.assert_attention(stage)
            proxy.resume()
            self.wait_streaming(stage, timeout=60)
            self.prove(stage)

    def test_no_password_is_sent_to_a_server_without_tls(self):
        with Stage(start=False, init=False) as stage:
            plain = MariaDB(stage.scratch, tls=False, name="plain")
            plain.start()
            plain.create_archive_user(require=None)
            proxy = Proxy(stage.scratch, plain)
            stage.vault.sources = {SOURCE: proxy}
            stage.vault.write_configuration()
            stage.vault.init()
            stage.vault.start()
            self.wait_sentence(stage, "TLS", state=("waiting", "refused"))
            self.assert_attention(stage)
            self.assertTrue(proxy.sent())
            for sent in proxy.sent():
                self.assertNotIn(b"binvault", sent, "the account's name was sent in clear text")
                # At most the request for TLS: 32 bytes behind a header of 4.
                self.assertLessEqual(len(sent), 36, sent)


class DiskTest(FailureTest):
    def test_a_full_disk_stops_ingest_and_loses_nothing(self):
        skip.require_loop("xfs")
        with Stage(kind="xfs", size=320 * MEBIBYTE, reserve="16M",
                   **{"segment-size": "8M"}) as stage:
            stage.vault.start()
            self.wait_streaming(stage)
            filler = stage.file_system.fill(leave=40 * MEBIBYTE)
            bulk(stage.server, 48 * MEBIBYTE)
            wait_until(lambda: "volume full" in self.all_sentences(stage), 60,
                       lambda: f"the full volume is named: {stage.vault.status()}")
            self.assert_attention(stage)
            stage.vault.verb("verify")
            self.assertTrue(stage.vault.running())
            filler.unlink()
            self.wait_streaming(stage, timeout=90)
            self.prove(stage)

    def all_sentences(self, stage):
        status = stage.vault.status()
        found = [alarm["sentence"] for alarm in status.get("alarms", [])]
        for source in status.get("sources", []):
            found += [source["sentence"], *(one["sentence"] for one in source["segments"])]
        return "\n".join(found)


class TokenTest(FailureTest):
    def test_ingest_goes_on_while_the_token_is_missing_from_the_start(self):
        with Stage() as stage:
            stage.vault.start()
            stage.server.sql("CREATE DATABASE d")
            stage.archive()
            stage.vault.kill9()
            stage.token.hide()
            stage.vault.start()
            self.wait_alarm(stage, "token")
            stage.server.sql("CREATE TABLE d.t (a INT)")
            stage.vault.wait_covered(SOURCE, stage.server)
            self.assert_attention(stage)
            restore = stage.vault.run_verb("restore", SOURCE, "--to", "early")
            self.assertEqual(restore.returncode, 5, restore.stderr)
            self.assertEqual(list(stage.vault.export.iterdir()), [])
            stage.token.restore()
            wait_until(lambda: stage.vault.unsigned() == 0, 60, stage.vault.tail)
            self.prove(stage)

    def test_a_token_that_vanishes_leaves_segments_pending_until_it_is_back(self):
        with Stage() as stage:
            stage.vault.start()
            self.wait_streaming(stage)
            stage.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT)")
            stage.vault.wait_covered(SOURCE, stage.server)
            stage.token.hide()
            # The keys of this keeper are gone with it, and those of the next are not to be had.
            wait_until(lambda: stage.vault.kill("binvault-hsm"), 10, "the HSM service is killed")
            wait_until(lambda: stage.vault.kill("binvault-keeper"), 10, "the keeper is killed")
            wait_until(lambda: stage.vault.kill("binvault-pull"), 10, "the puller is killed")
            wait_until(lambda: any(segment["state"] == "pending"
                                   for segment in stage.vault.pending(SOURCE)), 30,
                       lambda: f"a segment is pending: {stage.vault.source_status(SOURCE)}")
            stage.server.sql("INSERT INTO d.t VALUES (1)")
            stage.vault.wait_covered(SOURCE, stage.server)
            self.assert_attention(stage)
            stage.token.restore()
            wait_until(lambda: not stage.vault.pending(SOURCE), 90, stage.vault.tail)
            wait_until(lambda: stage.vault.unsigned() == 0, 60, stage.vault.tail)
            self.prove(stage)

    def test_a_wrong_pin_is_tried_once(self):
        with Stage() as stage:
            pin_file = stage.token.pin_file
            pin_file.write_text("11111111")
            logins = self.spy(stage)
            for _ in range(3):
                stage.vault.start()
                sentence = self.wait_alarm(stage, "PIN")
                self.assertIn(str(pin_file), sentence)
                self.assert_attention(stage)
                stage.vault.kill("binvault-hsm")
                stage.vault.stop()
            self.assertEqual(logins(), 1, "of three starts")
            pin_file.write_text(stage.token.pin)
            stage.vault.start()
            self.prove(stage)
            self.assertNotIn(stage.token.pin, stage.vault.log)

    def spy(self, stage):
        """Put OpenSC's spy before the module; returns a function that tells how many logins."""
        if not SPIES:
            skip.skip("pkcs11-spy.so of OpenSC is not installed")
        record = stage.scratch.path / "spy"
        record.touch()
        record.chmod(0o666)  # written by the HSM service's user
        # The spy leaks; that is not what is looked at here.
        stage.token.variables = {"PKCS11SPY": stage.token.module, "PKCS11SPY_OUTPUT": str(record),
                                 "ASAN_OPTIONS": "detect_leaks=0"}
        stage.token.module = str(SPIES[0])
        stage.vault.write_configuration()
        return lambda: record.read_text(errors="replace").count("C_Login\n")


class CommandTest(FailureTest):
    def test_verbs_without_a_running_vault_say_so(self):
        with Stage(start=False) as stage:
            for arguments, code in ((("status",), 5), (("restore", SOURCE, "--to", "x"), 5),
                                    (("verify", "--decrypt"), 5)):
                with self.subTest(arguments=arguments):
                    result = stage.vault.run_verb(*arguments)
                    self.assertEqual(result.returncode, code, result.stderr)
                    self.assertIn("binvault run", result.stdout + result.stderr)
            self.assertEqual(stage.vault.run_verb("verify").returncode, 0)

    def test_a_configuration_that_is_wrong_is_named_with_its_line(self):
        with Stage(start=False, init=False) as stage:
            path = stage.vault.configuration
            path.write_text(path.read_text() + "\nspeed = 11\n")
            line = len(path.read_text().splitlines())
            for verb in ("init", "run", "status"):
                result = subprocess.run(
                    [program("binvault"), verb, "--config", path], capture_output=True, text=True,
                    check=False, env={**os.environ, **stage.token.environment})
                self.assertEqual(result.returncode, 2)
                self.assertIn(f"{path}:{line}:", result.stderr)
                self.assertIn("speed", result.stderr)


if __name__ == "__main__":
    unittest.main()
