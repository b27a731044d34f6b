"""What a vault in a machine of its own needs around it: a network, a database server and an owner.

The network is one namespace: a tap for the machine's card, and the addresses of a database server,
of restore hosts, of somebody whom no configuration names, and of somebody who says that he is a time
server. Nothing of the host's own network is in it.
"""

import os
import subprocess
from pathlib import Path

from image.tests.machine import CARD
from tests.integration.lab import processes
from tests.integration.lab.mariadb import MariaDB
from tests.integration.lab.siem import Siem

HERE = Path(__file__).parent
TAP = "tap0"
VAULT, DATABASE, STRANGER = "198.18.0.2", "198.18.0.1", "198.18.0.9"
IMPOSTOR = "198.18.0.8"
RESTORE_HOSTS = {"restore1": "198.18.0.31", "restore2": "198.18.0.32"}
DATABASE_PORT = 3306
SIEM_PORT = 6514


class Network:
    def __init__(self, scratch):
        self._holder = processes.Process(scratch, "network", ["unshare", "--net", "sleep", "600000"])
        processes.wait_until(lambda: processes.process_name(self._holder.pid) == "sleep"
                             and self._namespace() != os.readlink("/proc/self/ns/net"), 10,
                             "there is a network namespace")
        self.run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
        for address in (DATABASE, STRANGER, IMPOSTOR, *RESTORE_HOSTS.values()):
            self.run("ip", "address", "add", f"{address}/24", "dev", TAP)
        for link in ("lo", TAP):
            self.run("ip", "link", "set", link, "up")

    def command(self, argv):
        """The command line that runs `argv` on the database's side."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *map(str, argv)]

    def run(self, *argv, timeout=300):
        result = subprocess.run(self.command(argv), stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, check=False, timeout=timeout)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))}: {result.stderr.strip()}")
        return result.stdout

    def speak_as(self, address):
        """From now on what is said to the vault comes from this address."""
        self.run("ip", "route", "replace", f"{VAULT}/32", "dev", TAP, "src", address)

    def scan(self, address):
        """The TCP ports of an address that answer, as text."""
        return self.run("/usr/bin/python3", HERE / "scan.py", address).strip()

    def watch(self, scratch):
        """A process that writes to its log where packets of the vault go."""
        return processes.Process(scratch, "watch", self.command(
            ["/usr/bin/python3", HERE / "watch.py", TAP, CARD]))

    def _namespace(self):
        return os.readlink(f"/proc/{self._holder.pid}/ns/net")


class Database(MariaDB):
    """A MariaDB server of the lab, on the far side of the machine's card."""

    def __init__(self, network, scratch, authority):
        super().__init__(scratch, authority, certificate=authority.issue(
            "database", f"IP:{DATABASE},DNS:db1.bank.example"))
        self.host, self.port, self._network = DATABASE, DATABASE_PORT, network

    def command(self):
        return self._network.command(super().command())


class Collector(Siem):
    """The lab's SIEM, on the far side of the machine's card, at the database server's address."""

    address = DATABASE

    def __init__(self, network, scratch, authority):
        self._network = network
        super().__init__(scratch, authority, certificate=authority.issue(
            "siem", "DNS:siem1.bank.example"))

    def choose_port(self):
        return SIEM_PORT

    def command(self):
        return self._network.command(super().command())

    def listens(self):
        probe = self._network.command(
            ["bash", "-c", f"exec 3<>/dev/tcp/{self.address}/{self.port}"])
        return subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0


class TimeServer:
    """chronyd with NTS at `address`, which gives this machine's time and never sets it."""

    def __init__(self, network, scratch, address, certificate):
        folder = scratch.directory(f"time-{address}")
        settings = folder / "chrony.conf"
        settings.write_text(
            f"bindaddress {address}\nallow {address}/24\nlocal stratum 3\n"
            f"ntsserverkey {certificate.key}\nntsservercert {certificate.certificate}\n"
            f"ntsprocesses 0\ncmdport 0\nbindcmdaddress /\npidfile {folder}/pid\n")
        self.process = processes.Process(scratch, f"time-{address}", network.command(
            ["chronyd", "-x", "-d", "-u", "root", "-f", settings]))


def bundle_files(authority, servers="db1.bank.example:3306", pin=b"4711", password=b"lab-only\n"):
    """The files of a vault's configuration, by name; the first is the configuration."""
    current = "/var/lib/binvault/config/current"
    configuration = f"""[archive]
name = vault01
volume = /var/lib/binvault/archive
worm = required
reserve = 64M
segment-size = 16M
runtime = /run/binvault
[hsm]
module = /usr/lib/softhsm/libsofthsm2.so
token-label = vault01
state = /var/lib/binvault/hsm
pin-source = credential:pin
[export]
path = /var/lib/binvault/export
[defaults]
user = binvault
credential = systemd:password
tls-ca = {current}/db-ca.pem
tls-certificate = {current}/vault.pem
tls-key = systemd:vault.key
[source orders]
servers = {servers}
server-id = 990017
start = oldest
"""
    network = f"""[Match]
MACAddress={CARD}
[Network]
Address={VAULT}/24
Gateway={STRANGER}
LinkLocalAddressing=no
IPv6AcceptRA=no
LLDP=no
"""
    return {"binvault.conf": configuration.encode(), "pin": pin, "password": password,
            "db-ca.pem": authority.certificate.read_bytes(),
            "vault.pem": authority.client.certificate.read_bytes(),
            "vault.key": authority.client.key.read_bytes(),
            "lan.network": network.encode(), "hosts": f"{DATABASE} db1.bank.example\n".encode()}
