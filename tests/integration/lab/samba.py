"""A Samba server that serves a vault's share, and the hosts of its clients, each in a network of its
own that reaches nothing but the server.

    samba = Samba(scratch, ("restore1", "restore2"))
    vault.clients = samba.addresses            # before write_configuration()
    samba.start(vault)                         # with what `binvault share config samba` prints
    samba.client("restore1", "//SERVER/restore1", "-c", "ls")

The server has the clients' users in an /etc/passwd that nobody else sees. Owns: the processes that
hold the namespaces, and smbd; all end with the scratch. Needs root.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import cable, processes, skip

PASSWORD = "lab-only"
# Hexadecimal, so that a log that is read as text holds it.
LISTENER = """
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("listening", flush=True)
while True:
    print(wire.recv(1 << 16)[54:].hex(), flush=True)
"""
DIRECTORIES = ("private", "lock", "state", "cache", "pid", "ncalrpc")


def require():
    """Skip unless smbd, smbclient and namespaces can be used here."""
    cable.require()
    for program in ("smbd", "smbclient"):
        if not shutil.which(program):
            skip.lacks(program)


class Samba:
    def __init__(self, scratch, names):
        self._scratch = scratch
        self._directory = scratch.directory("samba")
        self._server = self._hold("samba", "--mount")
        self._hosts = {name: self._hold(name) for name in names}
        self._process = None
        self._own_users(names)
        self.servers, self.addresses = {}, {}
        for number, name in enumerate(names):
            self._join(number, name)

    def _hold(self, name, *more):
        holder = processes.Process(self._scratch, f"host-{name}",
                                   ["unshare", "--net", *more, "sleep", "infinity"])
        processes.wait_until(lambda: processes.process_name(holder.pid) == "sleep", 10,
                             "there is a network namespace")
        return holder

    def _own_users(self, names):
        passwd = self._directory / "passwd"
        lines = [f"{name}:x:{64000 + number}:65534::/nonexistent:/usr/sbin/nologin\n"
                 for number, name in enumerate(names)]
        passwd.write_text(Path("/etc/passwd").read_text() + "".join(lines))
        self._run(["mount", "--bind", passwd, "/etc/passwd"])
        self._run(["ip", "link", "set", "lo", "up"])

    def _join(self, number, name):
        """A cable from the server to this client."""
        host = self._hosts[name]
        self.servers[name] = f"198.18.{number}.1"
        self.addresses[name] = f"198.18.{number}.2"
        self._run(["ip", "link", "add", f"c{number}", "type", "veth", "peer", "name", "s0",
                   "netns", str(host.pid)])
        for run, link, address in ((self._run, f"c{number}", self.servers[name]),
                                   (lambda argv: enter(host, argv), "s0", self.addresses[name])):
            run(["ip", "address", "add", f"{address}/30", "dev", link])
            run(["ip", "link", "set", link, "up"])

    def _run(self, argv, **more):
        return enter(self._server, argv, **more)

    def start(self, vault):
        """smbd, as the vault's configuration says."""
        generated = self._directory / "share.conf"
        generated.write_text(vault.verb("share", "config", "samba"))
        lines = ["[global]\n", f"log file = {self._directory}/log\n"]
        for word in DIRECTORIES:
            path = self._scratch.directory(f"samba/{word}", 0o700 if word == "private" else 0o755)
            key = {"private": "private dir", "ncalrpc": "ncalrpc dir"}.get(word, f"{word} directory")
            lines.append(f"{key} = {path}\n")
        configuration = self._directory / "smb.conf"
        configuration.write_text("".join(lines) + f"include = {generated}\n")
        for name in self._hosts:
            self._run(["smbpasswd", "-c", configuration, "-s", "-a", name],
                      input=f"{PASSWORD}\n{PASSWORD}\n")
        self._process = processes.Process(
            self._scratch, "smbd",
            inside(self._server, ["smbd", "--foreground", "--configfile", configuration]))
        processes.wait_until(lambda: self.ports("-t") == {445}, 30, lambda: (
            f"smbd listens: {self.ports('-t')}\n{self._process.tail()}"))

    def ports(self, kind):
        """The ports that are listened on: kind is -t (TCP) or -u (UDP)."""
        lines = self._run(["ss", "-H", "-l", "-n", kind]).stdout.splitlines()
        return {int(line.split()[3].rpartition(":")[2]) for line in lines}

    def listen_in(self, name):
        """A process that writes all packets at this client's end of its cable to its log."""
        holder = self._hosts[name]
        process = processes.Process(self._scratch, f"wire-{name}",
                                    inside(holder, [sys.executable, "-c", LISTENER]))
        processes.wait_until(lambda: "listening" in process.log_text(), 10, "it listens")
        return process

    def client(self, name, *arguments, user=None, directory=None):
        """smbclient on the host of this client, whatever came of it. SERVER in an argument is the
        server's address as that host sees it."""
        words = [word.replace("SERVER", self.servers[name]) for word in arguments]
        return enter(self._hosts[name],
                     ["smbclient", "--configfile=/dev/null", f"--user={user or name}%{PASSWORD}",
                      *words], check=False,
                     cwd=directory or self._directory)


def inside(holder, argv):
    """The command line that runs `argv` where the holder lives, in this directory."""
    return ["nsenter", f"--target={holder.pid}", "--net", "--mount", "--wd=.", "--",
            *map(str, argv)]


def enter(holder, argv, check=True, **more):
    result = subprocess.run(inside(holder, argv), capture_output=True, text=True, check=False,
                            timeout=60, env={**os.environ, "HOME": "/nonexistent"}, **more)
    if check and result.returncode != 0:
        raise RuntimeError(f"{argv}: {result.stdout}{result.stderr}")
    return result
