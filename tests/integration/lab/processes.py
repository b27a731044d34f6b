"""Programs under test: started with their logs in a file, killed, watched.

Owns: each Process owns its child and the log file's name; `stop` or the scratch's close ends it.
A child is started with a parent-death signal, so that it does not outlive a killed test; its own
children are its own business.
"""

import os
import signal
import subprocess
import time
from pathlib import Path


class Process:
    """A child in the foreground whose stdout and stderr go to `log` (appended)."""

    def __init__(self, scratch, name, argv, environment=None, directory=None):
        self.name = name
        self.log = scratch.directory("log") / f"{name}.log"
        self._log_begin = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                tied_to_parent(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=directory, env={**os.environ, **(environment or {})})
        scratch.defer(self.stop)

    @property
    def pid(self):
        return self._child.pid

    @property
    def exit_code(self):
        """None while it runs; negative after a signal."""
        return self._child.poll()

    def running(self):
        return self.exit_code is None

    def stop(self, timeout=30):
        """SIGTERM, after `timeout` seconds SIGKILL; returns the exit code."""
        if self.running():
            self._child.terminate()
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill9()
        return self._child.returncode

    def kill9(self):
        """SIGKILL, and wait until it is gone."""
        if self.running():
            self._child.kill()
        self._child.wait()

    def signal(self, number):
        self._child.send_signal(number)

    def wait(self, timeout):
        """Wait for its end; TimeoutError with the end of its log after `timeout` seconds."""
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} did not end within {timeout} s; the end of its log:\n"
                               f"{self.tail()}") from None

    def log_text(self):
        """What this process (not an earlier one with the same name) has logged."""
        with open(self.log, "rb") as log:
            log.seek(self._log_begin)
            return log.read().decode(errors="replace")

    def tail(self, lines=20):
        return "\n".join(self.log_text().splitlines()[-lines:])


def tied_to_parent(argv):
    """The command line that makes a child die with the thread that started it."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *(str(word) for word in argv)]


def wait_until(predicate, timeout, sentence, interval=0.05):
    """Return predicate()'s first true value; after `timeout` seconds TimeoutError(sentence).

    `sentence` is text, or is called for it, when the end of a log shall be in it.
    """
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            text = sentence() if callable(sentence) else sentence
            raise TimeoutError(f"not within {timeout} s: {text}")
        time.sleep(interval)


def descendants(pid):
    """The ids of all living processes below `pid`, parents before their children."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat_fields(entry)
            if fields and fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, pending = [], [pid]
    while pending:
        children = sorted(parents.get(pending.pop(0), []))
        found += children
        pending += children
    return found


def find(name, below=None):
    """The ids of the processes named `name` below process `below` (default: this one)."""
    return [pid for pid in descendants(below or os.getpid()) if process_name(pid) == name[:15]]


def kill9_by_name(name, below=None):
    """SIGKILL every process of that name below `below`; returns the ids, possibly none.

    Never looks outside its own descendants: another lab may run on the same machine.
    """
    killed = []
    for pid in find(name, below):
        try:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        except ProcessLookupError:
            pass  # it ended by itself in between
    return killed


def process_name(pid):
    """The kernel's name of the process (15 bytes at most); empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def peak_resident_size(pid):
    """The most memory that the process has had resident (VmHWM), in bytes; 0 if it is gone."""
    return _status_size(pid, "VmHWM:")


def resident_size(pid):
    """The resident memory of the process (VmRSS), in bytes; 0 if it is gone."""
    return _status_size(pid, "VmRSS:")


def cpu_seconds(pid):
    """User plus system time of a living process; 0 if it is gone."""
    fields = _stat_fields(Path(f"/proc/{pid}"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _stat_fields(entry):
    """The fields of /proc/PID/stat from the state on; a name may contain blanks and brackets."""
    try:
        return (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _status_size(pid, key):
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
