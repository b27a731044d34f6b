"""One virtual machine with UEFI firmware, Secure Boot keys of our own and, if asked for, a TPM.

Software emulation only (tcg): the acceleration of some hosts hangs, and this is quick enough. A
machine runs until one of the awaited texts is on its console, or the time is over; its log is
removed before it starts, so that no earlier run can be taken for this one.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
OWNER = str(uuid.UUID("5f0c9a52-0000-4000-8000-0000000000aa"))


def missing():
    """Why no machine can run here, or None."""
    for program in ("qemu-system-x86_64", "swtpm"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if not FIRMWARE.exists():
        return "the package ovmf is not installed"
    return None


class Machine:
    """A disk that is never written, and a fresh copy of the firmware's variables."""

    def __init__(self, folder, disk, variables, tpm=False, extra=()):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self._log = self.folder / "console.log"
        self._tpm = None
        shutil.copy(variables, self.folder / "variables.fd")
        self._command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35,smm=on",
            "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none", "-monitor", "none",
            "-serial", f"file:{self._log}", "-no-reboot", "-nic", "none",
            "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}",
            "-drive", f"if=pflash,format=raw,unit=1,file={self.folder}/variables.fd",
            "-drive", f"file={disk},format=raw,if=virtio,readonly=on",
            "-device", "i6300esb", *extra,
        ]
        if tpm:
            self._start_tpm()

    def _start_tpm(self):
        state, socket = self.folder / "tpm", self.folder / "tpm.socket"
        state.mkdir()
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
        self._log.unlink(missing_ok=True)
        end = time.monotonic() + seconds
        with open(self.folder / "qemu.log", "wb") as log:
            machine = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log)
        try:
            while time.monotonic() < end:
                running = machine.poll() is None
                if re.search(until, self.console()):
                    return self.console()
                if not running:
                    break
                time.sleep(0.2)
        finally:
            machine.kill()
            machine.wait()
            if self._tpm:
                self._tpm.kill()
                self._tpm.wait()
        raise AssertionError(f"'{until}' did not come in {seconds} s; the console ends with\n"
                             f"{self.console()[-2500:]}\n"
                             f"{(self.folder / 'qemu.log').read_text(errors='replace')[-500:]}")

    def console(self):
        """What it has printed, without the firmware's control sequences."""
        try:
            text = self._log.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return re.sub(r"\x1b\[[0-9;?=]*[a-zA-Z]", "", text).replace("\r", "")
