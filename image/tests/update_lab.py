"""Disks and updates for the tests of image/update: what a vault in the field would have before it."""

import os
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

from image.tests.machine import Machine, roomy

PROJECT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("BINVAULT_IMAGE", PROJECT / "build" / "image"))
NEXT = BUILT / "test" / "next"
KEYS = Path(os.environ.get("BINVAULT_IMAGE_KEYS", BUILT / "keys"))
FILES = ("vault.unsigned.efi", "vault.efi.signature", "root.hash", "root.img", "release")
CACHE = Path(os.environ.get("BINVAULT_IMAGE_CACHE", Path.home() / ".cache/binvault/image"))
MIB = 1 << 20


def sign(manifest, key, signature):
    subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, "-out", signature, manifest],
                   check=True)


def pack(build, out, keys=("release1", "release3")):
    """An update of `build`, signed by these of the test keys; made as the README says."""
    manifest = out.with_suffix(".json")
    manifest.write_bytes(subprocess.run([PROJECT / "image/update", "manifest", build], check=True,
                                        stdout=subprocess.PIPE).stdout)
    signatures = []
    for key in keys:
        signatures.append(out.with_suffix(f".{key}"))
        sign(manifest, KEYS / f"{key}.key", signatures[-1])
    subprocess.run([PROJECT / "image/update", "pack", build, manifest, out, *signatures],
                   check=True)
    return out


def copy_build(build, folder):
    """What an update is made from."""
    folder.mkdir()
    for name in FILES:
        shutil.copyfile(build / name, folder / name)
    return folder


def damaged_build(build, folder):
    """The same release with one bit of the root turned, as if it had been built so."""
    copy_build(build, folder)
    with open(folder / "root.img", "r+b") as root:
        root.seek(os.path.getsize(build / "root.img") // 2)
        byte = root.read(1)[0]
        root.seek(-1, os.SEEK_CUR)
        root.write(bytes([byte ^ 1]))
    return folder


def partition_starts():
    """Where each partition begins on the disk, in bytes, by its name."""
    starts = {}
    for line in (BUILT / "partitions").read_text().splitlines():
        if line.startswith("start="):
            name = line.split("name=")[1].split(",")[0]
            starts[name] = int(line.split("start=")[1].split("MiB")[0]) * MIB
    return starts


def other_disks(*updates):
    """Options of the virtual machine that attach these files as disks of their own."""
    return [word for update in updates
            for word in ("-drive", f"file={update},format=raw,if=virtio,readonly=on")]


def in_tools(folder, *command):
    """A command of the tools tree, which sees `folder` as /mnt."""
    tree = max(CACHE.glob("tools-*/tree"), key=lambda path: path.stat().st_mtime)
    subprocess.run(["unshare", "--mount", "--propagation", "slave", "sh", "-c",
                    f'mount --bind "{folder}" "{tree}/mnt" && exec chroot "{tree}" "$@"', "sh",
                    "env", "MTOOLS_SKIP_CHECK=1", *command], check=True)


def raise_floor(tpm, count):
    """What binvault-update does to a TPM, here to one whose machine is off: TPM2_NV_Increment."""
    counter = 0x01B1F100  # image/rollback/floor.h
    command = struct.pack(">HIIIIIIHBH", 0x8002, 31, 0x134, counter, counter, 9, 0x40000009, 0, 0, 0)
    path = tpm / "socket"
    server = subprocess.Popen(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={tpm}", "--server",
         f"type=unixio,path={path}", "--flags", "not-need-init,startup-clear"])
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            while connection.connect_ex(str(path)) != 0:
                time.sleep(0.05)
            for _ in range(count):
                connection.sendall(command)
                answer = connection.recv(4096)
                assert answer[6:10] == bytes(4), answer.hex()
    finally:
        server.kill()
        server.wait()
        path.unlink()


class Box:
    """One vault: a disk that is written, and the TPM that belongs to it."""

    def __init__(self, folder, name="box"):
        self.folder = Path(folder)
        self.disk = self.folder / f"{name}.img"
        self.tpm = self.folder / f"{name}.tpm"
        roomy(BUILT / "vault.img", self.disk)

    def machine(self, *updates, disk=None):
        return Machine(self.folder, disk or self.disk, BUILT / "test" / "enrolled.fd",
                       tpm=self.tpm, writable=True, extra=other_disks(*updates))

    def boot(self, until, *updates, seconds=600, disk=None):
        return self.machine(*updates, disk=disk).run(until, seconds)
