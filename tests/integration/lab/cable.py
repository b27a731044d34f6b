"""A network between two hosts that can be pulled out, without a word to either: a pair of virtual
interfaces, one of them in a network namespace of its own, where the vault's side runs.

    cable = Cable(scratch, "idle")
    server.host = cable.server            # an address of this host
    Process(scratch, "pull", cable.vault_command([program("binvault-pull"), …]))
    cable.cut()                           # no packet arrives any more; both links stay up
    cable.mend()

How it is cut: each side believes that the other has another hardware address, so that what it sends
arrives nowhere. `cut(answers=False)` leaves what the server sends alone: nothing of the vault's
arrives, neither what it sends nor what it confirms. `unplug` takes the link itself away.

Owns: the process that holds the namespace; it and both interfaces go when that ends. Needs root.
"""

import itertools
import os
import subprocess

from . import processes, skip

NOBODY = "02:00:00:00:00:00"
_numbers = itertools.count()


def require():
    """Skip unless interfaces and namespaces can be made here."""
    skip.require_root()
    skip.require_capability("CAP_NET_ADMIN")
    skip.require_capability("CAP_SYS_ADMIN")


class Cable:
    def __init__(self, scratch, name):
        number = next(_numbers)
        # Of the network for tests of networks (RFC 2544); another lab's process has another one.
        network = f"198.{18 + os.getpid() % 2}.{os.getpid() // 2 % 256}"
        self.server, self.vault = (f"{network}.{4 * number + host}" for host in (1, 2))
        self._near, self._far = (f"bv{os.getpid() % 1000000}-{number}{end}" for end in "sv")
        self._holder = processes.Process(scratch, f"cable-{name}",
                                         ["unshare", "--net", "sleep", "infinity"])
        processes.wait_until(self._has_namespace, 10, "there is a network namespace")
        _run(["ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns",
              str(self._holder.pid)])
        for run, link, address in ((_run, self._near, self.server),
                                   (self._run_far, self._far, self.vault)):
            run(["ip", "address", "add", f"{address}/30", "dev", link])
            run(["ip", "link", "set", link, "up"])
        self._near_address = _hardware_address(_run, self._near)
        self._far_address = _hardware_address(self._run_far, self._far)
        self.mend()

    def vault_command(self, argv):
        """The command line that runs `argv` at the vault's end."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *argv]

    def cut(self, answers=True):
        """No packet arrives any more; with `answers` False, none of the vault's."""
        if answers:
            _reach(_run, self.vault, NOBODY, self._near)
        _reach(self._run_far, self.server, NOBODY, self._far)

    def unplug(self):
        """The link is gone, and the vault's interface knows it."""
        _run(["ip", "link", "set", self._near, "down"])

    def mend(self):
        _run(["ip", "link", "set", self._near, "up"])
        _reach(_run, self.vault, self._far_address, self._near)
        _reach(self._run_far, self.server, self._near_address, self._far)

    def _has_namespace(self):
        path = f"/proc/{self._holder.pid}/ns/net"
        return (processes.process_name(self._holder.pid) == "sleep"
                and os.readlink(path) != os.readlink("/proc/self/ns/net"))

    def _run_far(self, argv):
        return _run(self.vault_command(argv))


def _reach(run, host, hardware_address, link):
    run(["ip", "neighbour", "replace", host, "lladdr", hardware_address, "nud", "permanent",
         "dev", link])


def _hardware_address(run, link):
    return run(["ip", "-brief", "link", "show", "dev", link]).split()[2]


def _run(argv):
    """Its output; its own words are in the exception if it fails."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {result.stderr.strip()}")
    return result.stdout
