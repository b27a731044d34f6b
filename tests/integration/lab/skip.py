"""What a test says when it cannot run here.

Two kinds, told apart because only one is acceptable in continuous integration:
 - `lacks(reason)`: this machine lacks a capability, a device or root. Where CI=true the runner
   counts it as failed, because then nobody would notice that a promise is not tested.
 - `skip(reason)`: something outside cannot be had (packages of another Debian suite).
Both raise unittest.SkipTest; the runner prints `SKIPPED: <reason>`.
"""

import os
import unittest

LACKS = "this machine lacks "

CAPABILITIES = {"CAP_LINUX_IMMUTABLE": 9, "CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}


def skip(reason):
    """End this test: something outside the project is not to be had."""
    raise unittest.SkipTest(reason)


def lacks(what):
    """End this test: the machine lacks `what`."""
    raise unittest.SkipTest(LACKS + what)


def has_capability(name):
    """Whether this process has the capability in its effective set."""
    with open("/proc/self/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> CAPABILITIES[name] & 1)
    return False


def require_root():
    """Skip unless root."""
    if os.geteuid() != 0:
        lacks("root (the test was started as another user)")


def require_capability(name):
    """Skip unless this process has the capability."""
    if not has_capability(name):
        lacks(name)


def require_loop(kind="xfs"):
    """Skip unless a file system in an image can be made and mounted."""
    from . import loopfs  # here: loopfs asks this module about capabilities

    usable, reason = loopfs.available(kind)
    if not usable:
        lacks(reason)
