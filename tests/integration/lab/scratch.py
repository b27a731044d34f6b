"""One scratch directory, and everything that has to end before it can be removed.

Owns: the directory and a stack of endings. `defer` pushes an ending (stop a server, unmount);
`close` runs them in reverse order, each even if others failed, and then removes the directory.
Crash: an exception, exit(), SIGTERM, SIGHUP and Ctrl-C all close it. After SIGKILL of the lab its
servers end with it (they are started with a parent-death signal) and what remains on disk is
removed by `sweep`, which every new Scratch calls: it looks only at directories of its own prefix
whose owner is no longer running.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PREFIX = "binvault-lab-"
OWNER = "owner"


class Scratch:
    """A directory with an end. `keep` names a directory that is made and not removed."""

    def __init__(self, keep=None):
        self._endings = []
        self._keep = keep is not None
        self._closed = False
        if self._keep:
            self.path = Path(keep).resolve()
            self.path.mkdir(parents=True, exist_ok=True)
        else:
            sweep()
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            (self.path / OWNER).write_text(f"{os.getpid()} {_start_time(os.getpid())}\n")
        # Programs under test run as their own users and must be able to pass through.
        self.path.chmod(0o755)
        atexit.register(self.close)
        _exit_on_signals()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def directory(self, name, mode=0o755):
        """Make and return the directory `name` below the scratch directory."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        return path

    def defer(self, ending, *arguments):
        """Call ending(*arguments) at close, before everything deferred earlier."""
        self._endings.append((ending, arguments))

    def close(self):
        """Run the endings and remove the directory; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        while self._endings:
            ending, arguments = self._endings.pop()
            try:
                ending(*arguments)
            except Exception as error:  # the other endings must still run
                print(f"lab: cleaning up {self.path}: {error}", file=sys.stderr)
        if not self._keep:
            _remove(self.path)


def sweep():
    """Remove what labs killed with SIGKILL left behind."""
    for path in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        try:
            if path.stat().st_uid != os.geteuid():
                continue
            pid, start_time = (path / OWNER).read_text().split()
        except (OSError, ValueError):
            continue  # not ours to judge: another user's, or being made at this moment
        if _start_time(int(pid)) != start_time:
            _remove(path)


def _remove(path):
    for mount in sorted(_mounts_below(path), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(path, ignore_errors=True)


def _mounts_below(path):
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        points = [line.split()[1] for line in mounts]
    return [point for point in points if point.startswith(f"{path}/")]


def _start_time(pid):
    """What tells a process from a later one with the same id; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _exit_on_signals():
    """Let SIGTERM and SIGHUP end Python in the ordinary way, so that atexit runs."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
