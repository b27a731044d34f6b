"""A folder of unpacked packages of another Debian suite, and how its programs are called.

tools/fetch_servers makes the folders, in $BINVAULT_SERVERS or the user's cache. Their programs need
a newer libc than this machine has, so each is called through the folder's own loader and with the
folder's own libraries; --argv0 tells the program where it stands.
Owns: nothing. What is prepared once for many servers (a data directory) may be kept in `prepared`,
which makes it complete or not at all.
"""

import os
import tempfile
from pathlib import Path

COMPLETE = "complete"


def servers_directory():
    """Where tools/fetch_servers keeps the folders."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BINVAULT_SERVERS") or Path(cache) / "binvault" / "servers")


class Tree:
    """One of the folders, by its name in tools/fetch_servers; it need not be there."""

    def __init__(self, name):
        self.name = name

    @property
    def path(self):
        return servers_directory() / self.name

    @property
    def usr(self):
        """What the programs take for /usr."""
        return self.path / "usr"

    @property
    def plugins(self):
        return self.usr / "lib" / "mysql" / "plugin"

    def missing(self):
        """Why the folder cannot be used, as a sentence; None if it can."""
        if (self.path / COMPLETE).exists():
            return None
        try:
            reason = (servers_directory() / f"{self.name}.missing").read_text().strip()
        except OSError:
            reason = f"{self.name} is not there; fetch it with tools/fetch_servers"
        return reason

    def command(self, program, stands_at=None):
        """The beginning of the command line that runs `program`.

        `stands_at` is the path that the program takes for its own, if it shall be another.
        """
        path = next((self.usr / place / program for place in ("sbin", "bin")
                     if (self.usr / place / program).exists()), None)
        loader = next(iter(sorted(self.usr.glob("lib*/ld-linux*.so.*"))), None)
        if path is None or loader is None:
            raise RuntimeError(f"{self.path} holds no {program} that can be run")
        libraries = [*self.usr.glob("lib/*-linux-gnu"), *self.path.glob("lib/*-linux-gnu"),
                     self.usr / "lib" / "mysql" / "private"]
        return [str(loader), "--library-path", ":".join(map(str, libraries)),
                "--argv0", str(stands_at or path), str(path)]

    def prepared(self, name, make):
        """The directory `name` in the folder, which make(path) has filled, now or earlier."""
        place = self.path / name
        if place.exists():
            return place
        with tempfile.TemporaryDirectory(dir=self.path, prefix=f".{name}.") as temporary:
            new = Path(temporary) / name
            make(new)
            try:
                new.rename(place)
            except OSError:  # another lab was quicker
                if not place.exists():
                    raise
        return place
