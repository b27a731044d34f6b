"""What tools/quickstart shows, after it has installed and built. Says what it does as it does it."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.integration.lab import PROJECT, loopfs, program, skip
from tests.integration.lab.loopfs import LoopFileSystem
from tests.integration.lab.mariadb import MariaDB, replay
from tests.integration.lab.pki import Authority
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.token import Token
from tests.integration.lab.traffic import Traffic
from tests.integration.lab.vault import Vault

MEBIBYTE = 1 << 20
ROOM = 5 << 30
PATH_MAX = 70  # of a directory, for UNIX sockets below it
TRAFFIC_SECONDS = 25
SOURCE = "orders"
STEPS = 10
WIDTH = 124
BEGIN = time.monotonic()


class Failure(RuntimeError):
    """Something is not as it should be; the message is for the reader."""


# -- how it is said --------------------------------------------------------------------------------
class Narrator:
    """Numbered steps with the time; what they print is indented, what they prove is last."""

    def __init__(self, scratch):
        self._number, self._path = 0, str(scratch.path)

    def step(self, sentence):
        self._number += 1
        print(f"\n[{time.monotonic() - BEGIN:5.1f} s] {self._number} of {STEPS}  {sentence}",
              flush=True)

    def show(self, text, cut=True):
        """Text, with $LAB for the directory and without the rest of very long lines."""
        for line in text.rstrip().splitlines():
            line = line.replace(self._path, "$LAB")
            if cut and len(line) > WIDTH:
                line = line[:WIDTH] + " …"
            print(f"    {line}".rstrip(), flush=True)

    @staticmethod
    def proved(sentence):
        print(f"    => {sentence}", flush=True)


# -- before anything is made -----------------------------------------------------------------------
def check_directory(keep):
    """A place that is empty, large enough, and that the daemons' users can pass through."""
    place = Path(keep or tempfile.gettempdir()).resolve()
    if keep and place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise Failure(f"--keep {keep}: it must be a directory that is new or empty")
    if len(str(place)) > PATH_MAX:
        raise Failure(f"{place} is too long for the sockets below it ({PATH_MAX} characters)")
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < ROOM:
        raise Failure(f"{place} has {free >> 20} MiB free, and {ROOM >> 20} are needed; name a "
                      "larger place by TMPDIR=DIR, or --keep DIR")
    if os.geteuid() == 0:
        for parent in [place, *place.parents]:
            if not parent.stat().st_mode & 0o001:
                raise Failure(f"the daemons run as users of their own, and {parent} lets nobody "
                              "pass; choose a directory elsewhere, for example in /var/tmp")


def make_volume(scratch, tell):
    """The archive's directory, and the WORM mode that can be had on this machine."""
    possible, missing = loopfs.available("xfs")
    if possible and not skip.has_capability("CAP_LINUX_IMMUTABLE"):
        possible, missing = False, "CAP_LINUX_IMMUTABLE"
    if possible:
        path = LoopFileSystem(scratch, "volume", "xfs", size=8 << 30).path
        tell.show(f"an XFS file system in an image, mounted at {path}; worm = required")
        return path, "required"
    tell.show(f"This machine lacks {missing}.\n"
              "So the archive is an ordinary directory with worm = advisory. NOT SHOWN thereby:\n"
              "that the kernel refuses to change what is archived (promise P2)"
              + ("" if os.geteuid() == 0 else
                 ", and that the programs\nare kept apart as users of their own (part of P5). "
                 "Started by root, both are shown."))
    return scratch.directory("volume"), "advisory"


# -- steps -----------------------------------------------------------------------------------------
def start_server(scratch, authority):
    server = MariaDB(scratch, authority)
    server.start()
    server.create_archive_user()
    return server


def disturb(vault, traffic, tell):
    """Kill puller and keeper in the middle of the traffic."""
    for daemon, moment in (("binvault-pull", 6), ("binvault-keeper", 6), ("binvault-pull", 4)):
        time.sleep(moment)
        if traffic.failed():
            traffic.stop()  # says why
        if not vault.kill(daemon):
            raise Failure(f"there is no {daemon} to kill")
        tell.show(f"[{time.monotonic() - BEGIN:5.1f} s] SIGKILL of {daemon}; it is started again")


def sealed_segment(volume):
    """The first sealed segment of the archive, a file."""
    return sorted(path for path in volume.glob("segments/*/*/*.seg"))[0]


def try_to_change(volume, tell):
    """Root's own rm, truncate and mv against a sealed segment."""
    segment = sealed_segment(volume)
    for command in (["rm", "-f"], ["truncate", "--size=0"], ["chmod", "0777"]):
        result = subprocess.run([*command, segment], capture_output=True, text=True, check=False,
                                env={**os.environ, "LC_ALL": "C"})
        if result.returncode == 0:
            raise Failure(f"{' '.join(command)} of {segment} was not refused")
        words = result.stderr.strip().replace(str(segment), segment.name)
        tell.show(f"root# {' '.join(command)} SEGMENT   {words.rpartition(': ')[2]}")
    tell.proved("P2: root itself cannot change or remove what is sealed")


def flip_a_byte(path):
    """Change one bit in the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def audit_copy(scratch, vault, tell):
    """What an auditor does: a copy, no daemon, no key; then the same with one bit changed."""
    copy = scratch.path / "copy"
    shutil.copytree(vault.volume, copy)
    reader = subprocess.run(["/usr/bin/python3", PROJECT / "tools" / "read_ledger.py",
                             copy / "ledger"], capture_output=True, text=True, check=False)
    if reader.returncode != 0:
        raise Failure(f"tools/read_ledger.py: {reader.stderr.strip()}")
    tell.show("a second reader, tools/read_ledger.py, agrees with every checkpoint and signature:\n"
              + reader.stdout)
    flip_a_byte(sealed_segment(copy))
    result = vault.run_verb("verify", "--archive", copy)
    if result.returncode != 3:
        raise Failure(f"verify of a changed copy ended with {result.returncode}, not 3")
    tell.show("one bit changed in the copy: exit code 3")
    tell.show("\n".join(line for line in (result.stdout + result.stderr).splitlines()
                        if line.startswith("DEFECT")), cut=False)
    shutil.rmtree(copy)
    tell.proved("P6: a change is found without a key, with file and offset")


def run_printed(report, word):
    """Run the command line that `restore` printed after `word`, exactly as it stands."""
    line = next(line for line in report.splitlines() if line.startswith(word + " "))
    result = subprocess.run(["sh", "-c", line.removeprefix(word).strip()], text=True, check=False,
                            stdin=subprocess.DEVNULL, capture_output=True)
    if result.returncode != 0:
        raise Failure(f"the printed command '{word}' failed: {result.stderr}{result.stdout}")
    return result.stdout


def compare_files(server, directory, tell):
    """Every finished file of the server against the restored one, byte for byte."""
    names = server.closed_binlogs()
    for name in names:
        restored = Path(directory) / name
        if not restored.exists():
            raise Failure(f"{name} was not restored")
        if subprocess.run(["cmp", server.binlog_path(name), restored], check=False).returncode:
            raise Failure(f"{name} differs from the server's own file")
    size = sum(server.binlog_path(name).stat().st_size for name in names)
    tell.proved(f"P3: cmp says that all {len(names)} files, {size // MEBIBYTE} MiB, are byte for "
                "byte the server's own")
    return [Path(directory) / name for name in names]


def prove_replay(scratch, server, files, tell):
    """Replay into a second, empty server; both must hold the same rows."""
    second = MariaDB(scratch, tls=False, name="db2", server_id=12, strict=False,
                     options=["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
                              "--skip-innodb-doublewrite"])
    second.start()
    replay(second, files)
    ours, theirs = server.checksum_all_tables(), second.checksum_all_tables()
    second.stop()
    if ours != theirs:
        different = sorted(name for name in ours.keys() | theirs.keys()
                           if ours.get(name) != theirs.get(name))
        raise Failure(f"these tables differ after the replay: {', '.join(different)}")
    tell.proved(f"CHECKSUM TABLE says the same of all {len(ours)} tables on both servers")


# -- the end ---------------------------------------------------------------------------------------
def make_command(scratch, vault):
    """A script that is `binvault` with this vault's configuration and token."""
    path = scratch.path / "binvault"
    path.write_text("#!/bin/sh\n"
                    f"SOFTHSM2_CONF='{vault.token.configuration}' exec '{program('binvault')}' "
                    f"--config '{vault.configuration}' \"$@\"\n")
    path.chmod(0o755)
    return path


def stay(scratch, vault, server):
    command = make_command(scratch, vault)
    print(f"""
Everything goes on running. Where it lies:
    configuration  {vault.configuration}
    archive        {vault.volume}
    restores       {vault.export}
    logs           {scratch.path / 'log'}
Try next, in another terminal:
    {command} status
    {command} list {SOURCE}
    {command} verify
    {command} restore {SOURCE} --to try1
    mariadb --no-defaults --socket={server.socket} -uroot
Running until Enter or Ctrl-C.""", flush=True)
    try:
        if not sys.stdin.readline():
            while vault.running():
                time.sleep(1)
            raise Failure(f"the vault has ended; its log ends:\n{vault.tail()}")
    except KeyboardInterrupt:
        print()
    print(f"Ending. What is on disk stays in {scratch.path}; remove it when you like.", flush=True)


def archive_traffic(vault, server, seed, tell):
    """Steps 3 and 4: traffic, kills, and everything in the archive."""
    tell.step(f"binvault run, {TRAFFIC_SECONDS} s of mixed traffic, and kills in the middle of it")
    tell.show("DDL, transactions from one row to 64 MiB, BLOBs, LOAD DATA, XA, rotations")
    vault.start()
    traffic = Traffic(server, seed=seed, seconds=TRAFFIC_SECONDS, clients=2,
                      largest=64 * MEBIBYTE)
    traffic.start()
    disturb(vault, traffic, tell)
    traffic.wait()

    tell.step("waiting until all of it is durable and sealed")
    server.rotate()
    last, begin = server.closed_binlogs()[-1], time.monotonic()
    vault.wait_covered(SOURCE, server, timeout=120)
    vault.wait_sealed(SOURCE, last, timeout=120)
    tell.proved(f"P1, for kills (tools/check cuts the power too): {len(server.binlogs())} files, "
                f"{server.binlog_size() // MEBIBYTE} MiB of binlog,\n       durable to the last "
                f"byte and sealed {time.monotonic() - begin:.1f} s after the traffic")


def check_archive(scratch, vault, worm, tell):
    """Steps 5 to 7: nobody can change it, everybody can check it."""
    tell.step("attempts of root to change a sealed segment")
    if worm == "required":
        try_to_change(vault.volume, tell)
    else:
        tell.show("left out: worm = advisory")
    tell.step("binvault verify: hashes, tree, checkpoints and signatures, without any key")
    tell.show(vault.verb("verify"))
    audit_copy(scratch, vault, tell)
    tell.step("binvault verify --decrypt: every frame authenticated under the HSM's keys")
    tell.show("\n".join(vault.verb("verify", "--decrypt").splitlines()[-2:]))


def restore_all(scratch, vault, server, tell):
    """Steps 8 and 9: the files, and what they are good for."""
    tell.step(f"binvault restore {SOURCE} --to quickstart")
    report = vault.verb("restore", SOURCE, "--to", "quickstart")
    tell.show(report)
    checked = len(run_printed(report, "check").splitlines())
    verified = run_printed(report, "verify").strip()
    tell.show(f"the two printed commands say: {checked} files OK; {verified}")
    files = compare_files(server, vault.export / "quickstart", tell)
    tell.step("replaying the restored files into a second, empty server")
    prove_replay(scratch, server, files, tell)


def run(arguments):
    check_directory(arguments.keep)
    with Scratch(keep=arguments.keep) as scratch:
        tell = Narrator(scratch)
        print(f"== The main job, in about two minutes; $LAB is {scratch.path}", flush=True)
        tell.step("a certificate authority, a SoftHSM2 token, and a MariaDB server with TLS")
        authority = Authority(scratch.directory("pki"))
        token = Token(scratch.directory("token"))
        server = start_server(scratch, authority)
        grants = server.sql("SHOW GRANTS FOR binvault")[0][0].split(" IDENTIFIED")[0]
        tell.show(f"the archive's account: {grants} REQUIRE X509")

        tell.step("binvault init: keys in the token, the archive, its first signed checkpoint")
        volume, worm = make_volume(scratch, tell)
        vault = Vault(scratch, token, authority, volume, {SOURCE: server}, worm=worm)
        tell.show(vault.init())

        try:
            archive_traffic(vault, server, arguments.seed, tell)
            check_archive(scratch, vault, worm, tell)
            restore_all(scratch, vault, server, tell)
            tell.step("binvault status, and the end of binvault list")
            tell.show(vault.verb("status", expect=(0, 6)))
            tell.show("\n".join(vault.verb("list", SOURCE).splitlines()[-5:]))
        except (RuntimeError, TimeoutError) as reason:
            raise Failure(f"{reason}\nthe end of the vault's log:\n{vault.tail()}") from None
        print(f"\n[{time.monotonic() - BEGIN:5.1f} s] Done: what came back is what the server "
              "sent.", flush=True)
        if arguments.keep:
            stay(scratch, vault, server)
        else:
            print("Everything is ended and removed again. To keep it running and play with it: "
                  "tools/quickstart --keep DIR", flush=True)
        vault.stop()


def main():
    parser = argparse.ArgumentParser(prog="tools/quickstart")
    parser.add_argument("--keep", metavar="DIR", help="work below DIR and keep everything")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (default 1)")
    arguments = parser.parse_args()
    try:
        run(arguments)
    except (RuntimeError, TimeoutError) as reason:
        print(f"quickstart: {reason}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:  # Ctrl-C, or a signal that ends the scratch
        print("quickstart: interrupted; everything is ended", file=sys.stderr)
        sys.exit(getattr(end, "code", 130))


if __name__ == "__main__":
    main()
