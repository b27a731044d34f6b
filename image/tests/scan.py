#!/usr/bin/python3
"""Which TCP ports of an address answer: all of them are tried, and the open ones printed.

    image/tests/scan.py ADDRESS
"""

import resource
import select
import socket
import sys

AT_ONCE = 4096
SECONDS = 1.5


def connect(address, port):
    attempt = socket.socket()
    attempt.setblocking(False)
    attempt.connect_ex((address, port))
    return attempt


def answered(attempt, address, port):
    """Not by itself: a scan of one's own address may meet the very port that it connects from."""
    return (attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            and attempt.getsockname() != (address, port))


def scan(address):
    for first in range(1, 65536, AT_ONCE):
        attempts = {connect(address, port): port
                    for port in range(first, min(first + AT_ONCE, 65536))}
        waiting = select.poll()
        by_descriptor = {attempt.fileno(): attempt for attempt in attempts}
        for descriptor in by_descriptor:
            waiting.register(descriptor, select.POLLOUT)
        # An answer, be it a refusal, is there at once; the rest of the time is for slow ones.
        for _ in range(3):
            for descriptor, _event in waiting.poll(SECONDS * 1000 / 3):
                waiting.unregister(descriptor)
                attempt = by_descriptor[descriptor]
                if answered(attempt, address, attempts[attempt]):
                    yield attempts[attempt]
        for attempt in attempts:
            attempt.close()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    resource.setrlimit(resource.RLIMIT_NOFILE, (AT_ONCE + 64, AT_ONCE + 64))
    print(*scan(sys.argv[1]))
