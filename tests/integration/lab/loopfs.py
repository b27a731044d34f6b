"""An XFS or ext4 file system in a sparse image, mounted at a directory.

Owns: the image, the mount and its loop device (which the kernel frees with the mount).
Append-only and immutable flags inside need no clearing: the image is deleted as a file.
Needs: root, CAP_SYS_ADMIN and a free loop device; `available` tells.
Crash: `power_cut` is the kernel's own emergency shutdown of a file system: nothing that was not
durable at that moment survives the next mount.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

from . import processes, skip

MEBIBYTE = 1 << 20
SMALLEST = {"xfs": 300 * MEBIBYTE, "ext4": 16 * MEBIBYTE}
MAKE = {"xfs": ["mkfs.xfs", "-q", "-f"], "ext4": ["mkfs.ext4", "-q", "-F"]}
GOING_DOWN = 0x8004587D  # _IOR('X', 125, __u32), the same number for both file systems
NO_LOG_FLUSH = 2


def available(kind="xfs"):
    """(True, "") if such a file system can be made here, else (False, what is missing)."""
    if os.geteuid() != 0:
        return False, "root (needed to mount a file system image)"
    if not skip.has_capability("CAP_SYS_ADMIN"):
        return False, "CAP_SYS_ADMIN (needed to mount a file system image)"
    if shutil.which(MAKE[kind][0]) is None:
        return False, f"the program {MAKE[kind][0]}"
    if not os.path.exists("/dev/loop-control"):
        return False, "loop devices (/dev/loop-control does not exist)"
    found = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        return False, f"a free loop device ({found.stderr.strip()})"
    return True, ""


class LoopFileSystem:
    """A file system of `size` bytes (sparse; XFS at least 300 MiB) at `path`."""

    def __init__(self, scratch, name="volume", kind="xfs", size=None):
        self.kind = kind
        self.path = scratch.directory(name)
        self._image = scratch.path / f"{name}.{kind}"
        with open(self._image, "wb") as image:
            image.truncate(max(size or 0, SMALLEST[kind]))
        _run(*MAKE[kind], self._image)
        scratch.defer(self.unmount)
        self.mount()

    def mount(self, *options):
        """Mount it at `path`, with further options of mount(8) if given."""
        flags = ["-o", ",".join(["loop", *options])]
        _run("mount", "-t", self.kind, *flags, self._image, self.path)

    def unmount(self, timeout=10):
        """Unmount; a file held open is waited for, then the mount is detached anyway."""
        if not self.mounted():
            return
        try:
            processes.wait_until(self._try_unmount, timeout, f"{self.path} is still in use")
        except TimeoutError:
            _run("umount", "--lazy", self.path)

    def mounted(self):
        # Not os.path.ismount: a file system that was shut down answers stat with EIO.
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            return any(line.split()[1] == str(self.path) for line in mounts)

    def remount(self, *options):
        """Change options of the mount, for example "ro"."""
        _run("mount", "-o", ",".join(["remount", *options]), self.path)

    def power_cut(self, end=None):
        """Stop the file system at once and mount it again, as after a loss of power.

        Whoever still has files open in it gets errors from then on; `end()` is called between and
        must end them.
        """
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(directory, GOING_DOWN, struct.pack("=I", NO_LOG_FLUSH))
        finally:
            os.close(directory)
        if end:
            end()
        # Not lazily: the file system that was shut down must be gone before it is mounted again.
        processes.wait_until(self._try_unmount, 30, f"{self.path} is still in use")
        # Another mount namespace (a container, a private /tmp) that began while it was mounted
        # keeps it alive, and the next mount would be of the same dead file system.
        processes.wait_until(self._detached, 120, lambda: (
            f"{self._image} is detached; another mount namespace holds it (lsns -t mnt)"))
        self.mount()

    def free_size(self):
        """Bytes that an ordinary user may still write."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, leave=0):
        """Allocate a file so that about `leave` bytes are free; returns it, for unlinking."""
        path = Path(self.path) / "filler"
        while (surplus := self.free_size() - leave) > 64 * 1024:
            with open(path, "ab") as filler:
                end = filler.seek(0, os.SEEK_END)
                try:
                    os.posix_fallocate(filler.fileno(), end, surplus)
                except OSError:
                    if surplus < MEBIBYTE:
                        break
                    os.posix_fallocate(filler.fileno(), end, surplus * 9 // 10)
        return path

    def _detached(self):
        listed = subprocess.run(["losetup", "--associated", self._image], capture_output=True,
                                check=True)
        return not listed.stdout.strip()

    def _try_unmount(self):
        result = subprocess.run(["umount", self.path], capture_output=True, check=False)
        return result.returncode == 0


def _run(*argv):
    result = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {(result.stderr or result.stdout).strip()}")
