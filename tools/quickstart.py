"""What tools/quickstart shows, after it has installed and built. Says what it does as it does it."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.lab import loopfs, program, skip
from tests.integration.lab.loopfs import LoopFileSystem
from tests.integration.lab.mariadb import MariaDB, replay
from tests.integration.lab.pki import Authority
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.token import Token
from tests.integration.lab.traffic import Traffic
from tests.integration.lab.vault import Vault

MEBIBYTE = 1 << 20
TRAFFIC_SECONDS = 25
SOURCE = "orders"
BEGIN = time.monotonic()


def say(sentence):
    print(f"[{time.monotonic() - BEGIN:5.1f} s] {sentence}", flush=True)


def show(text):
    print("".join(f"    {line}\n" for line in text.rstrip().splitlines()), end="", flush=True)


def fail(sentence, vault=None):
    print(f"quickstart: {sentence}", file=sys.stderr)
    if vault:
        print(f"the end of the vault's log ({vault.scratch.path}/log):\n{vault.tail()}",
              file=sys.stderr)
    sys.exit(1)


def make_volume(scratch):
    """The archive's directory, and the WORM mode that can be had on this machine."""
    possible, missing = loopfs.available("xfs")
    if possible and not skip.has_capability("CAP_LINUX_IMMUTABLE"):
        possible, missing = False, "CAP_LINUX_IMMUTABLE"
    if possible:
        say("an XFS file system in an image, for an archive with worm = required")
        return LoopFileSystem(scratch, "volume", "xfs", size=8 << 30).path, "required"
    say(f"no {missing}: the archive is an ordinary directory with worm = advisory. Not shown "
        "thereby: that the kernel refuses to change archived files (promises P2 and P6)")
    return scratch.directory("volume"), "advisory"


def disturb(vault, traffic):
    """Kill puller and keeper in the middle of the traffic."""
    for daemon, moment in (("binvault-pull", 6), ("binvault-keeper", 6), ("binvault-pull", 4)):
        time.sleep(moment)
        vault.kill(daemon)
        say(f"SIGKILL of {daemon} under load; the supervisor starts it again")
        if traffic.failed():
            traffic.stop()


def compare_files(server, directory):
    """Every finished file of the server against the restored one, byte for byte."""
    names = server.closed_binlogs()
    for name in names:
        restored = Path(directory) / name
        if not restored.exists():
            fail(f"{name} was not restored")
        if subprocess.run(["cmp", server.binlog_path(name), restored], check=False).returncode:
            fail(f"{name} differs from the server's own file")
    size = sum(server.binlog_path(name).stat().st_size for name in names)
    say(f"{len(names)} restored files, {size / MEBIBYTE:.0f} MiB: byte for byte the server's own")
    return [Path(directory) / name for name in names]


def prove_replay(scratch, server, files):
    """Replay into a second, empty server; both must hold the same rows."""
    second = MariaDB(scratch, tls=False, name="db2", server_id=12, strict=False,
                     options=["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
                              "--skip-innodb-doublewrite"])
    second.start()
    say("replaying the restored files into a second, empty server")
    replay(second, files)
    ours, theirs = server.checksum_all_tables(), second.checksum_all_tables()
    if ours != theirs:
        different = sorted(name for name in ours.keys() | theirs.keys()
                           if ours.get(name) != theirs.get(name))
        fail(f"these tables differ after the replay: {', '.join(different)}")
    say(f"the checksums of all {len(ours)} tables are the same on both servers")


def what_next(scratch, vault, server):
    command = f"{program('binvault')} VERB --config {vault.configuration}"
    print(f"""
Where everything lies
    configuration  {vault.configuration}
    archive        {vault.volume}
    restores       {vault.export}
    logs           {scratch.path / 'log'}
    server         mariadb --no-defaults --socket={server.socket} -uroot
Try next (export SOFTHSM2_CONF={vault.token.configuration})
    {command.replace('VERB', 'status')}
    {command.replace('VERB', 'list orders')}
    {command.replace('VERB', 'verify')}
    {command.replace('VERB', 'restore orders --to try1')}
""", flush=True)


def run(arguments):
    with Scratch(keep=arguments.keep) as scratch:
        say("a certificate authority, a SoftHSM2 token, and a MariaDB server with REQUIRE X509")
        authority = Authority(scratch.directory("pki"))
        token = Token(scratch.directory("token"))
        server = MariaDB(scratch, authority)
        server.start()
        server.create_archive_user()
        show(f"grants of the archive's account: "
             f"{server.sql('SHOW GRANTS FOR binvault')[0][0].split(' IDENTIFIED')[0]}")
        volume, worm = make_volume(scratch)

        vault = Vault(scratch, token, authority, volume, {SOURCE: server}, worm=worm)
        say("binvault init: keys in the token, the archive, its first signed checkpoint")
        show(vault.init())
        say("binvault run: HSM service, keeper, one puller")
        vault.start()

        say(f"{TRAFFIC_SECONDS} s of mixed traffic: DDL, transactions from one row to 64 MiB, "
            "BLOBs, LOAD DATA, XA, rotations")
        traffic = Traffic(server, seed=arguments.seed, seconds=TRAFFIC_SECONDS, clients=2,
                          largest=64 * MEBIBYTE)
        traffic.start()
        disturb(vault, traffic)
        traffic.wait()
        server.rotate()
        last = server.closed_binlogs()[-1]
        say(f"the server wrote {server.binlog_size() / MEBIBYTE:.0f} MiB of binlog in "
            f"{len(server.binlogs())} files; waiting until all of it is durable and sealed")
        vault.wait_covered(SOURCE, server, timeout=120)
        vault.wait_sealed(SOURCE, last, timeout=120)

        say("binvault verify: hashes, tree, checkpoints and signatures, without any key")
        show(vault.verb("verify"))
        say("binvault verify --decrypt: every frame authenticated under the HSM's keys")
        show(vault.verb("verify", "--decrypt"))
        say("binvault restore")
        show(vault.verb("restore", SOURCE, "--to", "quickstart"))
        files = compare_files(server, vault.export / "quickstart")
        prove_replay(scratch, server, files)

        say("binvault status")
        show(vault.verb("status", expect=(0, 6)))
        say("binvault list (its end)")
        show("\n".join(vault.verb("list", SOURCE).splitlines()[-12:]))
        say("done: what came back is what the server sent")
        what_next(scratch, vault, server)
        if arguments.keep:
            print("Running until Enter or Ctrl-C.", flush=True)
            try:
                if not sys.stdin.readline():
                    while True:
                        time.sleep(3600)
            except KeyboardInterrupt:
                pass
        vault.stop()


def main():
    parser = argparse.ArgumentParser(prog="tools/quickstart")
    parser.add_argument("--keep", metavar="DIR", help="work below DIR and keep everything")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (default 1)")
    try:
        run(parser.parse_args())
    except (RuntimeError, TimeoutError) as reason:
        fail(str(reason))


if __name__ == "__main__":
    main()
