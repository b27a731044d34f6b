"""The lab: a real environment below one scratch directory.

What integration tests, quickstart, campaign and benchmark have in common. Each piece is one module
and owns what it starts:

    scratch    the directory, and everything that has to end before it is removed
    pki        a certificate authority, certificates, and wrong ones
    server     what every real server has: life, SQL, binlogs, accounts, replication
    mariadb    MariaDB 10.11 and 11.8, each on a free port of 127.0.0.1
    mysql      MySQL likewise
    flavours   which of them can be had here, and skipping what needs another
    tree       folders that tools/fetch_servers made, and running their programs
    token      a SoftHSM2 token
    siem       a rsyslogd that receives the audit trail
    forwarder  binvault-forward alone
    ledger     a ledger that is written here, and proofs of one
    loopfs     an XFS or ext4 file system in an image
    workload   every event type that a server can write
    binlog     what a binlog file holds
    beyond     a binlog file of more than 4 GiB
    proxy      a network that can be cut
    hostile    a server that lies
    decrypt    the plain content of what a server has encrypted
    traffic    mixed traffic against a server, and bulk for the benchmark
    vault      Binvault itself: configuration, init, run, verbs
    processes  programs under test: logs, SIGKILL, waiting, memory
    skip       what a test says when the machine lacks something

    with Scratch() as scratch:
        authority = Authority(scratch.directory("pki"))
        server = MariaDB(scratch, authority)
        server.start()

Threads: none of the objects may be used by two threads at once, except that `Traffic` runs beside
the thread that started it. Everything uses the standard library and command line programs only.
"""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


# Tests that repeat a longer one for other servers or with more rounds run only then.
THOROUGH = bool(os.environ.get("BINVAULT_THOROUGH"))


def build_directory():
    """The build directory under test, absolute: $BINVAULT_BUILD or build/dev."""
    return (PROJECT / os.environ.get("BINVAULT_BUILD", "build/dev")).resolve()


def program(name):
    """The absolute path of a program of the build under test."""
    return build_directory() / "bin" / name
