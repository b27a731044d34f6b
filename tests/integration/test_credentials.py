"""Credentials that change, fail and are refused: no stream is cut for them, no account locked."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

from tests.integration.lab import processes
from tests.integration.lab.flavours import needs
from tests.integration.lab.mariadb import MariaDB
from tests.integration.lab.mysql import MySQL
from tests.integration.lab.processes import wait_until
from tests.integration.lab.proxy import Proxy
from tests.integration.pull_keeper import PAUSE, PULL, Keeper
from tests.integration.test_pull_stream import PullTest

RUNNER = "pull-credential"
FRESH_SECONDS = 60  # src/pull/credential.c: what a command gave is good for so long
COMMAND_SECONDS = 20  # src/pull/credential_command.h
OBSERVED_SECONDS = 60  # src/pull/observing.h
ELSEWHERE = "127.0.0.5"  # another address that a client may come from
FIRST_PAUSE_SECONDS = 5  # between a refused login and the next try


class Cases(PullTest):
    """What holds for every server; the classes below say for which. PullTest is not run again."""

    server_class = MariaDB

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.sql("CREATE DATABASE lab_pull; CREATE TABLE lab_pull.t (a INT)")
        if cls.server.flavour == "mysql":  # it says who was denied only when it says everything
            cls.server.sql("SET GLOBAL log_error_verbosity = 3")

    def setUp(self):
        super().setUp()
        self.server.create_archive_user("binvault", self.password)
        self.first_of_now()
        self.begin_denied = self.denied_ever()

    # -- the server --------------------------------------------------------------------------------
    def denied_ever(self):
        """How many logins the server has refused, as it has logged them itself."""
        return len(re.findall(r"Access denied for user", self.server.log))

    def denied(self):
        return self.denied_ever() - self.begin_denied

    def alter(self, what, user="binvault"):
        self.server.sql(f"ALTER USER '{user}'@'%' {what}")

    def dump_id(self):
        """The id of our connection on the server, None without one."""
        rows = self.server.sql("SELECT id FROM information_schema.processlist WHERE command LIKE "
                               "'Binlog Dump%'" if self.server.flavour == "mariadb" else
                               "SELECT id FROM performance_schema.processlist WHERE command LIKE "
                               "'Binlog Dump%'")
        return rows[0][0] if rows else None

    def observer_id(self):
        """The id of our second connection, None without one."""
        rows = self.server.sql("SELECT id FROM information_schema.processlist WHERE user = "
                               "'binvault' AND command = 'Sleep'")
        return rows[0][0] if rows else None

    def cut(self):
        """End our connection at the server; the puller must connect anew."""
        self.server.sql(f"KILL {self.dump_id()}")

    def write(self):
        self.server.sql("INSERT INTO lab_pull.t VALUES (1)")

    def check_streams(self, connection=None):
        """What is written now arrives; over the same connection if that is given."""
        self.write()
        self.wait_caught_up()
        if connection:
            self.assertEqual(self.dump_id(), connection)

    def stream(self):
        """Start, and return the connection's id."""
        self.start()
        self.wait_caught_up()
        return self.dump_id()

    def reconnect(self):
        """Cut, and return the id of the next connection."""
        before = self.dump_id()
        self.cut()
        self.wait(lambda: self.dump_id() not in (None, before), "it connects again")
        self.check_streams()
        return self.dump_id()

    def refused(self, words, timeout=30):
        self.wait(lambda: self.keeper.state[0] == "refused" and words in self.keeper.state[1],
                  words, timeout)

    # -- the command -------------------------------------------------------------------------------
    def command(self, script):
        """`script` (sh) is the credential command from now on."""
        path = self.directory / "fetch"
        new = self.directory / "fetch.new"
        new.write_text(f"#!/bin/sh\n{script}\n")
        new.chmod(0o700)
        new.rename(path)
        self.source["credential"] = f"command:{path}"

    def prints(self, password, user=None, life=None):
        """A script that prints that; each run is a line in `runs`."""
        fields = [f'"password":"{password}"']
        if user:
            fields.append(f'"user":"{user}"')
        if life:
            fields.append("\"expires\":\"'$(date -u -d '+%d seconds' +%%FT%%TZ)'\"" % life)
        return (f"echo run >>{self.directory}/runs\n"
                "printf '%s\\n' '{" + ",".join(fields) + "}'")

    def runs(self):
        path = self.directory / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def runner(self):
        return processes.find(RUNNER, self.puller.pid)


class RotationCases(Cases):
    def test_a_rotation_leaves_the_stream_and_the_next_login_uses_the_new_password(self):
        connection = self.stream()
        self.set_password("second")
        self.alter("IDENTIFIED BY 'second'")
        self.check_streams(connection)
        self.reconnect()
        self.assertEqual(self.denied(), 0)

    def test_a_password_that_the_server_does_not_know_yet_is_tried_once_and_the_old_one_goes_on(self):
        self.stream()
        self.set_password("second")
        self.reconnect()
        self.reconnect()
        self.assertEqual(self.denied(), 1)
        # The other half of the rotation: the old one is refused, and so the new one is right now.
        self.alter("IDENTIFIED BY 'second'")
        self.reconnect()
        self.reconnect()
        self.assertEqual(self.denied(), 2)
        self.alter(f"IDENTIFIED BY '{self.password}'")

    def test_a_refused_password_is_tried_once_until_it_changes(self):
        self.set_password("wrong")
        self.start()
        self.refused("refused the login of 'binvault' (1045, password of ")
        self.assertIn("not tried there again until the credential changes", self.keeper.state[1])
        time.sleep(2 * FIRST_PAUSE_SECONDS)
        self.set_password("wrong")  # as an agent writes the same again and again
        time.sleep(3 * FIRST_PAUSE_SECONDS)
        self.assertEqual(self.denied(), 1)
        self.set_password(self.password)
        self.wait_caught_up(90)
        self.assertEqual(self.denied(), 1)

    def test_who_resumes_a_paused_source_has_a_refused_login_tried_again(self):
        self.set_password("wrong")
        self.start()
        self.refused("refused the login of 'binvault' (1045, password of ")
        time.sleep(2 * FIRST_PAUSE_SECONDS)
        self.assertEqual(self.denied(), 1)
        self.keeper.control(PAUSE, "paused by a test")
        self.wait(lambda: self.keeper.state[0] == "paused", "it is paused")
        self.alter("IDENTIFIED BY 'wrong'")
        self.keeper.control(PULL)
        self.wait_caught_up(60)
        self.assertEqual(self.denied(), 1)

    def test_a_locked_account_is_a_sentence_and_comes_back_after_the_configured_time(self):
        self.source["retry-refused-login-after"] = "10s"
        connection = self.stream()
        self.alter("ACCOUNT LOCK")
        self.check_streams(connection)
        self.cut()
        self.refused("the account is locked; do: ALTER USER ... ACCOUNT UNLOCK")
        self.alter("ACCOUNT UNLOCK")
        self.wait(self.dump_id, "it comes back", 60)
        self.check_streams()

    def test_an_expired_password_is_a_sentence(self):
        connection = self.stream()
        self.alter("PASSWORD EXPIRE")
        self.check_streams(connection)
        self.cut()
        self.refused("the password has expired; give the account a new one")
        self.set_password("second")
        self.alter("IDENTIFIED BY 'second'")
        self.wait(self.dump_id, "it comes back", 90)
        self.check_streams()
        self.alter(f"IDENTIFIED BY '{self.password}'")

    def test_users_that_live_for_a_while_are_followed_and_dropped_under_the_stream(self):
        self.server.create_archive_user("v_1", "first")
        self.command(self.prints("first", "v_1"))
        connection = self.stream()
        self.server.create_archive_user("v_2", "second")
        self.command(self.prints("second", "v_2"))
        self.server.sql("DROP USER 'v_1'@'%'")
        self.check_streams(connection)
        self.reconnect()  # within the minute that the first answer is good for: so once refused
        self.assertLessEqual(self.denied(), 1)
        self.server.sql("DROP USER 'v_2'@'%'")

    def test_a_blocked_account_is_a_sentence(self):
        # Each flavour's own breaker, set to one failed login.
        if self.server.flavour == "mysql":
            self.alter("FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 1")
        else:
            self.server.sql("SET GLOBAL max_password_errors = 1")
            self.addCleanup(self.server.sql, "SET GLOBAL max_password_errors = DEFAULT;"
                                             "FLUSH PRIVILEGES")
        connection = self.stream()
        self.set_password("wrong")
        self.cut()
        self.refused("is blocked after too many failed logins")
        self.assertNotEqual(self.dump_id(), connection)

    def test_what_the_second_connection_is_refused_the_stream_does_not_try_again(self):
        connection = self.stream()
        other = self.wait(self.observer_id, "it looks at the server", 90)
        self.alter("IDENTIFIED BY 'second'")
        self.server.sql(f"KILL {other}")
        self.wait(lambda: self.denied() == 1, "it tries to look again", OBSERVED_SECONDS + 30)
        self.check_streams(connection)
        self.cut()
        self.refused("refused the login of 'binvault' (1045")
        self.assertEqual(self.denied(), 1)
        # What comes next is one try too, for both.
        self.set_password("second")
        self.wait_caught_up(90)
        self.wait(self.observer_id, "it looks at the server again", OBSERVED_SECONDS + 30)
        self.assertEqual(self.denied(), 1)
        self.alter(f"IDENTIFIED BY '{self.password}'")

    def test_the_second_server_takes_over_when_the_first_refuses_us(self):
        # Two addresses of one server, and accounts for each of them.
        other = Proxy(self.scratch, self.server, ELSEWHERE)
        self.source["servers"] = f"localhost:{self.server.port}, {other.host}:{other.port}"
        self.server.sql(f"CREATE USER 'moved'@'{ELSEWHERE}' IDENTIFIED BY 'new';"
                        f"CREATE USER 'moved'@'127.0.0.1' IDENTIFIED BY 'old';"
                        f"GRANT {', '.join(self.server.archive_grants)} ON *.* TO "
                        f"'moved'@'{ELSEWHERE}', 'moved'@'127.0.0.1'")
        self.addCleanup(self.server.sql,
                        f"DROP USER 'moved'@'{ELSEWHERE}', 'moved'@'127.0.0.1'")
        self.source["user"] = "moved"
        self.set_password("new")
        self.stream()
        self.assertEqual(self.denied(), 1)
        # And both of them in one sentence when neither works.
        self.server.sql(f"ALTER USER 'moved'@'{ELSEWHERE}' ACCOUNT LOCK")
        self.cut()
        self.wait(lambda: self.keeper.state[0] == "refused", "both refuse")
        sentence = self.keeper.state[1]
        self.assertRegex(sentence, rf"localhost:{self.server.port} refused the login of 'moved' "
                                   r"\(1045, password of ")
        self.assertRegex(sentence, rf"; 127.0.0.1:{other.port} refused the login of 'moved' \(\d+")
        count = self.denied()
        time.sleep(3 * FIRST_PAUSE_SECONDS)
        self.assertEqual(self.denied(), count)

    def test_another_puller_with_our_server_id_ends_us_once_and_not_for_ever(self):
        self.stream()
        first, keeper = self.puller, self.keeper
        self.addCleanup(first.kill9)
        run = self.scratch.directory(f"{self.name}/run2")
        self.keeper = Keeper(self.scratch.directory(f"{self.name}/second"),
                             run / "pull-orders.sock")
        self.runtime = run
        self.start()
        self.wait_caught_up()
        wait_until(lambda: keeper.state[0] == "refused", 30, "the first is put out")
        self.assertIn("server-id 990017 is used by another replica", keeper.state[1])
        self.assertGreaterEqual(keeper.states[-1][2], (time.time() + 3500) * 1e6)
        connection = self.dump_id()
        time.sleep(2 * FIRST_PAUSE_SECONDS)
        self.assertEqual(self.dump_id(), connection)
        self.assertTrue(first.running())


class CommandCases(Cases):
    def test_a_command_is_run_before_its_password_expires_and_no_stream_is_cut(self):
        self.command(self.prints(self.password, life=5))
        connection = self.stream()
        first = self.runs()
        self.wait(lambda: self.runs() >= first + 2, "it is run again", 30)
        self.check_streams(connection)
        self.reconnect()

    def test_each_way_to_fail_is_a_sentence_and_the_way_back_is_found(self):
        self.command("echo 'vault is sealed' >&2; exit 2")
        self.start()
        for script, words in (
                (None, "fetch': it ended with status 2: vault is sealed"),
                ("echo rubbish", "fetch': the '{' of a JSON object is missing at byte 1"),
                ("head -c 100000 /dev/zero", "fetch': it printed more than 2560 bytes"),
                ("echo '{\"password\":\"hunter2\"}'; echo 'got hunter2' >&2; exit 1",
                 "it ended with status 1: (what it said holds the password)")):
            if script:
                self.command(script)
            self.wait(lambda words=words: words in self.keeper.state[1], words, 60)
        self.command(self.prints(self.password))
        self.wait_caught_up(90)
        self.assertEqual(self.denied(), 0)
        self.assertNotIn("hunter2", self.puller.log_text())

    def test_a_command_that_hangs_is_ended_and_holds_nothing_up(self):
        self.command(f"echo $$ >{self.directory}/pid; sleep 1000")
        self.start()
        self.wait((self.directory / "pid").exists, "it has begun")
        self.wait(lambda: f"did not end within {COMMAND_SECONDS} s" in self.keeper.state[1],
                  "it is ended", COMMAND_SECONDS + 20)
        # In the middle of the next run, the puller stops at once, and the command with it.
        (self.directory / "pid").unlink()
        self.wait((self.directory / "pid").exists, "it has begun again", 90)
        time.sleep(0.2)
        pid = int((self.directory / "pid").read_text())
        begin = time.monotonic()
        self.assertEqual(self.puller.stop(), 0, self.puller.tail())
        self.assertLess(time.monotonic() - begin, 5)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), 10, "the command has ended")

    def test_a_runner_that_was_killed_leaves_the_stream_and_a_new_puller_has_a_new_one(self):
        self.command(self.prints(self.password, life=600))
        connection = self.stream()
        for pid in self.runner():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.runner(), 10, "it is reaped")
        self.check_streams(connection)
        self.alter("IDENTIFIED BY 'second'")
        self.cut()
        self.assertEqual(self.puller.wait(60), 5)
        self.assertIn("the process that runs the credential command has ended",
                      self.puller.log_text())
        self.command(self.prints("second"))
        self.restart()
        self.wait(self.dump_id, "it streams")
        self.check_streams()

    def test_a_command_that_others_could_replace_is_not_run(self):
        self.command(self.prints(self.password))
        (self.directory / "fetch").chmod(0o722)
        self.start()
        self.refused("others may write to")
        self.assertIn("do: chmod go-w", self.keeper.state[1])
        self.assertEqual(self.runs(), 0)


class SecretCases(Cases):
    SECRET = "Tr0ub4dor-and-3"

    def test_the_password_is_nowhere_but_in_its_locked_page(self):
        # Not in the binlog: MariaDB writes the statement as it is, and we would hold that.
        self.server.sql("SET SESSION sql_log_bin = 0;"
                        f"ALTER USER 'binvault'@'%' IDENTIFIED BY '{self.SECRET}'")
        self.command(f"cat /proc/self/environ /proc/self/cmdline >{self.directory}/surroundings\n"
                     + self.prints(self.SECRET, life=8))
        self.stream()
        first = self.runs()
        self.wait(lambda: self.runs() > first, "it is run again")
        time.sleep(0.5)
        secret = self.SECRET.encode()
        for pid in [self.puller.pid, *self.runner()]:
            for name in ("cmdline", "environ"):
                self.assertNotIn(secret, Path(f"/proc/{pid}/{name}").read_bytes())
            limits = Path(f"/proc/{pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0 ")
            self.assertEqual(places(pid, secret), [])
        self.assertEqual(len(self.runner()), 1)
        descriptors = sorted(int(fd.name) for fd in Path(f"/proc/{self.runner()[0]}/fd").iterdir())
        self.assertEqual(descriptors, [0, 1, 2, 3])
        self.assertNotIn(secret, (self.directory / "surroundings").read_bytes())
        self.assertNotIn(self.SECRET, self.puller.log_text())
        self.assertNotIn(self.SECRET, str(self.keeper.states))
        os.chdir(self.directory)  # where a core would be, if there were one
        self.addCleanup(os.chdir, "/")
        self.puller.signal(signal.SIGSEGV)
        self.assertEqual(self.puller.wait(30), -signal.SIGSEGV)
        self.assertEqual(list(self.directory.glob("core*")), [])

    def test_a_key_that_others_can_read_is_refused_and_a_renewed_one_is_used(self):
        key = self.directory / "tls.key"
        certificate = self.directory / "tls.pem"
        shutil.copy(self.authority.client.key, key)
        shutil.copy(self.authority.client.certificate, certificate)
        self.source.update({"tls-key": key, "tls-certificate": certificate})
        key.chmod(0o644)
        self.start()
        self.refused(f"tls-key '{key}' can be read by everybody; do: chmod 0640 '{key}'")
        key.chmod(0o600)
        self.wait_caught_up()
        renewed = self.authority.issue(f"renewed-{self.server.flavour}", purpose="clientAuth")
        self.alter("REQUIRE SUBJECT '/O=Lab/CN=renewed-" + self.server.flavour + "'")
        shutil.copy(renewed.certificate, certificate)
        shutil.copy(renewed.key, key)
        self.reconnect()
        self.assertEqual(self.denied(), 0)

    def test_systemd_hands_over_password_key_and_certificates(self):
        handed = self.directory / "handed"
        handed.mkdir()
        for name, path in (("password", self.credential), ("key", self.authority.client.key),
                           ("pem", self.authority.client.certificate),
                           ("ca", self.authority.certificate)):
            shutil.copy(path, handed / name)
            (handed / name).chmod(0o400)
        self.source.update({"credential": "systemd:password", "tls-key": "systemd:key",
                            "tls-certificate": "systemd:pem", "tls-ca": "systemd:ca"})
        os.environ["CREDENTIALS_DIRECTORY"] = str(handed)
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY")
        self.stream()


def places(pid, secret):
    """The mappings of the process that hold the secret and are not kept out of core dumps."""
    found = []
    mapping = None
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            begin = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)(?: +\S+){3} *(.*)", line)
            if begin:
                mapping = begin
            elif line.startswith("VmFlags:") and "w" in mapping[3] and "dd" not in line.split():
                start, end = int(mapping[1], 16), int(mapping[2], 16)
                memory.seek(start)
                try:
                    if secret in memory.read(end - start):
                        found.append(mapping[0])
                except OSError:
                    pass  # a mapping without memory behind it
    return found


class MariaDBRotation(RotationCases):
    QUICK = True


class MariaDBCommand(CommandCases):
    pass


class MariaDBSecret(SecretCases):
    pass


@needs(MySQL)
class MySQLRotation(RotationCases):
    server_class = MySQL


@needs(MySQL)
class MySQLSecret(SecretCases):
    server_class = MySQL


# What only holds the cases is not run by itself.
del Cases, RotationCases, CommandCases, SecretCases, PullTest
