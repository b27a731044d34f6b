"""A vault: configuration, `binvault init`, `binvault run`, and its verbs.

Owns: the configuration file, the sockets' directory, the HSM state and the export directory below
one directory of the scratch; the running supervisor with all its children. As root the daemons run
as the users of tools/create_users, so their files are given to them here, as a packager would.

    vault = Vault(scratch, token, authority, volume, {"orders": server})
    vault.init()
    vault.start()
    vault.wait_covered("orders", server)
    vault.verb("restore", "orders", "--to", "r1")
"""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from . import processes, program

DAEMONS = ("binvault-pull", "binvault-keeper", "binvault-hsm", "binvault-export",
           "binvault-forward")


# What no log of ours may contain, whatever was killed.
COMPLAINTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|"
                        r"its sandbox forbids|signal \d+ \((ABRT|SEGV|BUS|ILL|FPE|SYS)\)")


class VerbError(RuntimeError):
    """A verb ended with another code than expected; the message is what it said."""

    def __init__(self, argv, code, output, words):
        super().__init__(f"{' '.join(argv)} ended with {code}: {words.strip()}{output.strip()}")
        self.code, self.output, self.words = code, output, words


class Vault:
    """One archive on `volume` (an existing, empty directory) for `sources` (name: server, or a list
    of servers of one history).

    `clients` (name: address) are who reads over the share, from the next write_configuration() on.

    `options` are further keys of [archive], `defaults` of [defaults], the attribute `own` of each
    [source]; a change of `worm`, `defaults` or `own` counts from the next write_configuration() and
    start.
    """

    def __init__(self, scratch, token, authority, volume, sources, name="vault01",
                 worm="advisory", password="lab-only", server_ids=None, defaults=None, **options):
        self.scratch, self.token, self.authority = scratch, token, authority
        self.volume, self.sources, self.name, self.worm = Path(volume), dict(sources), name, worm
        self.directory = scratch.directory(name)
        self.configuration = self.directory / "binvault.conf"
        self.runtime = self.directory / "run"
        self.export = self.directory / "export"
        self.hsm_state = self.directory / "hsm"
        self.credential = self.directory / "password"
        self._server_ids = server_ids or {}
        self.defaults = {"heartbeat": "1s", **(defaults or {})}
        self.own = {}
        self.clients = {}
        self.more = ""  # whole sections, from the next write_configuration() on
        self.environment = {}  # of `binvault run` and all that it starts
        self._password = password
        self.options = {"frame-delay": "20ms", "segment-size": "32M", "reserve": "64M", **options}
        self._process = None
        self.privileged = os.geteuid() == 0
        for path in (self.runtime, self.export, self.hsm_state):
            path.mkdir(exist_ok=True)
        self._give()
        self.write_configuration()

    # -- configuration ---------------------------------------------------------------------------
    def write_configuration(self, **changes):
        """Write the file; `changes` are further keys of [archive], from now on."""
        self.options.update(changes)
        archive = "".join(f"{key} = {value}\n" for key, value in self.options.items())
        client = self.authority.client
        lines = [f"[archive]\nname = {self.name}\nvolume = {self.volume}\nworm = {self.worm}\n"
                 f"runtime = {self.runtime}\n{archive}\n"
                 f"[hsm]\nmodule = {self.token.module}\ntoken-label = {self.token.label}\n"
                 f"state = {self.hsm_state}\npin-source = file:{self.token.pin_file}\n\n"
                 f"[export]\npath = {self.export}\n\n"
                 f"[defaults]\nuser = binvault\ncredential = file:{self.credential}\n"
                 f"tls-ca = {self.authority.certificate}\ntls-certificate = {client.certificate}\n"
                 f"tls-key = {client.key}\n",
                 *(f"{key} = {value}\n" for key, value in self.defaults.items())]
        for number, (name, server) in enumerate(self.sources.items()):
            server_id = self._server_ids.get(name, 990017 + number)
            group = server if isinstance(server, (list, tuple)) else [server]
            servers = ", ".join(f"{member.host}:{member.port}" for member in group)
            lines.append(f"\n[source {name}]\nservers = {servers}\n"
                         f"server-id = {server_id}\n")
            lines += [f"{key} = {value}\n" for key, value in self.own.items()]
        lines += [f"\n[client {name}]\naddress = {address}\n"
                  for name, address in self.clients.items()]
        lines.append("\n" + self.more)
        self.configuration.write_text("".join(lines))

    def _give(self):
        self.credential.write_text(self._password + "\n")
        self.credential.chmod(0o600)
        if not self.privileged:
            return
        shutil.chown(self.credential, "binvault-pull")
        shutil.chown(self.authority.client.key, "binvault-pull")
        self.token.give_to("binvault-hsm")

    # -- life --------------------------------------------------------------------------------------
    def init(self):
        """`binvault init`; returns what it printed. Then the token has all its keys."""
        self.token.protect(False)
        output = self.verb("init")
        self.token.protect()
        return output

    def start(self):
        """`binvault run`, in the background."""
        self._process = processes.Process(
            self.scratch, self.name,
            [program("binvault"), "run", "--config", self.configuration],
            environment={**self.token.environment, **self.environment})

    def stop(self):
        """SIGTERM: orderly; returns the exit code."""
        return self._process.stop(timeout=60) if self._process else None

    def kill9(self):
        """SIGKILL of the supervisor and all its children at once, as by a power cut.

        Returns when all of them are gone. The supervisor is stopped first: a child that it starts
        after its children were counted would outlive it.
        """
        if not self.running():
            return
        self._process.signal(signal.SIGSTOP)
        children = processes.descendants(self._process.pid)
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.kill9()
        processes.wait_until(lambda: not any(map(_alive, children)), 30,
                             "all processes of the vault are gone", interval=0.01)

    def running(self):
        return self._process is not None and self._process.running()

    @property
    def log(self):
        return self._process.log_text() if self._process else ""

    def tail(self, lines=30):
        return self._process.tail(lines) if self._process else ""

    def check_log(self):
        """Raise if a program has ever crashed by itself, or a sanitizer has spoken."""
        log = self.scratch.directory("log") / f"{self.name}.log"
        if not log.exists():
            return
        lines = log.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if COMPLAINTS.search(line):
                raise RuntimeError("\n".join(lines[max(0, number - 3):number + 30]))

    def pids(self, daemon):
        """The ids of the running daemons of this name."""
        return processes.find(daemon, below=self._process.pid) if self.running() else []

    def kill(self, daemon):
        """SIGKILL one kind of daemon; how many there were."""
        return processes.kill9_by_name(daemon, below=self._process.pid)

    # -- verbs -------------------------------------------------------------------------------------
    def run_verb(self, *arguments, timeout=600):
        """`binvault VERB …` as a finished process, whatever its exit code."""
        argv = [str(program("binvault")), str(arguments[0]), "--config", str(self.configuration),
                *(str(word) for word in arguments[1:])]
        return subprocess.run(argv, env={**os.environ, **self.token.environment}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=timeout)

    def verb(self, *arguments, expect=(0,), timeout=600):
        """The same; returns stdout. VerbError unless the exit code is one of `expect`."""
        result = self.run_verb(*arguments, timeout=timeout)
        if result.returncode not in expect:
            raise VerbError(["binvault", *map(str, arguments)], result.returncode, result.stdout,
                            result.stderr)
        return result.stdout

    def status(self):
        """`binvault status` as a dictionary; {} while the keeper does not answer."""
        result = self.run_verb("status", "--output=json")
        return json.loads(result.stdout) if result.stdout.strip() else {}

    def source_status(self, source):
        """The source's part of the status, {} if there is none."""
        return next((entry for entry in self.status().get("sources", [])
                     if entry.get("name") == source), {})

    @staticmethod
    def segments(listing):
        """The sealed segments in what `binvault list --output=json` printed."""
        return [segment for source in json.loads(listing)["sources"]
                for segment in source["segments"]]

    def pending(self, source):
        """Segments that are neither sealed nor being written, as the status names them."""
        return [segment for segment in self.source_status(source).get("segments", [])
                if segment["state"] != "writing"]

    def alarms(self):
        """{name: sentence} of the alarms in the status."""
        return {alarm["name"]: alarm["sentence"] for alarm in self.status().get("alarms", [])}

    def unsigned(self):
        """How many leaves no checkpoint covers; None while the keeper does not answer."""
        keys = self.status().get("keys")
        return int(keys["unsigned"]) if keys else None

    # -- waiting -----------------------------------------------------------------------------------
    def wait_covered(self, source, server, timeout=60):
        """Wait until everything that `server` has written up to now is durable in the vault."""
        name, size = server.binlogs()[-1]
        target = (_number(name), size)

        def covered():
            position = self.source_status(source).get("covered", {})
            file = position.get("file", "")
            return file and (_number(file), int(position.get("position", 0))) >= target

        processes.wait_until(covered, timeout, lambda: (
            f"{source} is covered up to {name}:{size}; status: {self.source_status(source)}; the "
            f"end of the log:\n{self.tail()}"), interval=0.1)

    def wait_sealed(self, source, *files, settled=True, timeout=60):
        """Wait until these files are archived whole and sealed and (settled) nothing is pending."""
        def missing():
            result = self.run_verb("list", source, "--output=json")
            if result.returncode not in (0, 6):
                return set(files)
            return set(files) - {segment["file"] for segment in self.segments(result.stdout)
                                 if segment["file_complete"]}

        def done():
            return not missing() and not (settled and self.pending(source))

        processes.wait_until(done, timeout, lambda: (
            f"{sorted(missing())} of {source} are sealed and nothing is pending: "
            f"{self.source_status(source)}; the end of the log:\n{self.tail()}"), interval=0.2)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _number(binlog):
    """The number at the end of a binlog file's name."""
    return int(re.search(r"\.(\d+)$", binlog).group(1))
