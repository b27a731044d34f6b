"""One virtual machine with UEFI firmware, Secure Boot keys of our own and, if asked for, a TPM.

Software emulation only (tcg): the acceleration of some hosts hangs, and this is quick enough. One
processor: between two emulated ones a kernel that changes its own code is now and then met half-way
("Oops: int3"). A machine runs until one of the awaited texts is on its console, or the time is over; its log is
removed before it starts, so that no earlier run can be taken for this one.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
CARD = "52:54:00:b1:00:01"
OWNER = str(uuid.UUID("5f0c9a52-0000-4000-8000-0000000000aa"))


def missing():
    """Why no machine can run here, or None."""
    for program in ("qemu-system-x86_64", "swtpm"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if not FIRMWARE.exists():
        return "the package ovmf is not installed"
    return None


def roomy(disk, copy, room=2 << 30):
    """A copy of a disk with `room` more bytes at its end, which take no place until written."""
    subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
    os.truncate(copy, os.path.getsize(copy) + room)
    return copy


class Machine:
    """A disk, and a fresh copy of the firmware's variables.

    The disk is never written unless `writable`. `tpm` is True (one that nobody has used, and that
    goes with the machine) or a folder, in which it stays. `network` names the tap that its one
    card is plugged into, `inside` a function that makes a command line run where that tap is. `clock`
    is a datetime in UTC that its own clock begins with. `run` does all; `start`, `wait` and `stop`
    are for who has something to do in between.
    """

    def __init__(self, folder, disk, variables, tpm=False, writable=False, network=None,
                 inside=None, clock=None, extra=()):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self._log = self.folder / "console.log"
        self._tpm = None
        shutil.copy(variables, self.folder / "variables.fd")
        self._machine = None
        nic = ["-nic", f"tap,ifname={network},script=no,downscript=no,model=virtio-net-pci,"
                       f"mac={CARD}"] if network else ["-nic", "none"]
        rtc = ["-rtc", f"base={clock:%Y-%m-%dT%H:%M:%S}"] if clock else []
        self._command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35,smm=on",
            "-cpu", "max", "-smp", "1", "-m", "1024", "-display", "none", "-monitor", "none",
            "-serial", f"file:{self._log}", "-no-reboot", *nic, *rtc,
            "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}",
            "-drive", f"if=pflash,format=raw,unit=1,file={self.folder}/variables.fd",
            "-drive", f"file={disk},format=raw,if=virtio{'' if writable else ',readonly=on'}",
            "-device", "i6300esb", *extra,
        ]
        self._inside = inside or (lambda command: command)
        if tpm:
            self._start_tpm(self.folder / "tpm" if tpm is True else tpm)

    def _start_tpm(self, state):
        socket = self.folder / "tpm.socket"
        state.mkdir(exist_ok=True)
        self._tpm = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}",
             "--ctrl", f"type=unixio,path={socket}", "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if socket.exists():
                break
            time.sleep(0.05)
        self._command += ["-chardev", f"socket,id=tpm,path={socket}",
                          "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                          "-device", "tpm-crb,tpmdev=tpm0"]

    def run(self, until, seconds):
        """The console's text when `until` (a regular expression) stands in it; fails otherwise."""
        self.start()
        try:
            return self.wait(until, seconds)
        finally:
            self.stop()

    def start(self):
        self._log.unlink(missing_ok=True)
        with open(self.folder / "qemu.log", "wb") as log:
            self._machine = subprocess.Popen(self._inside(self._command),
                                             stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log)

    def wait(self, until, seconds):
        """The console's text when `until` stands in it; fails when the machine or the time ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            running = self._machine.poll() is None
            if re.search(until, self.console()):
                return self.console()
            if not running:
                break
            time.sleep(0.2)
        raise AssertionError(f"'{until}' did not come in {seconds} s; the console ends with\n"
                             f"{self.console()[-2500:]}\n"
                             f"{(self.folder / 'qemu.log').read_text(errors='replace')[-500:]}")

    def copy_disk(self, disk, copy):
        """What the disk would hold if its plug were pulled now; the machine goes on."""
        self._machine.send_signal(signal.SIGSTOP)
        try:
            subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
        finally:
            self._machine.send_signal(signal.SIGCONT)
        return copy

    def stop(self):
        """As if its plug were pulled."""
        for process in (self._machine, self._tpm):
            if process:
                process.kill()
                process.wait()

    def console(self):
        """What it has printed, without the firmware's control sequences."""
        try:
            text = self._log.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return re.sub(r"\x1b\[[0-9;?=]*[a-zA-Z]", "", text).replace("\r", "")
