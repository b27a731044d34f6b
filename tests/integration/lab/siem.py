"""A SIEM's receiver: a real rsyslogd with TLS, which demands a client's certificate.

    siem = Siem(scratch, authority)
    siem.start()
    siem.leaves()    # [(index, line)] as they came, duplicates too

Owns: its directory, port and process; the scratch's close stops it. Nothing of the machine's own
configuration is read. Messages go to the file one by one, so that nothing is lost in a queue when
it is killed.
"""

import json
import shutil
import socket
from dataclasses import dataclass

from . import processes, skip
from .server import free_port

RSYSLOGD = "/usr/sbin/rsyslogd"
CONFIGURATION = """\
global(workDirectory="{directory}" maxMessageSize="128k"
       defaultNetstreamDriverCAFile="{ca}"
       defaultNetstreamDriverCertFile="{certificate}"
       defaultNetstreamDriverKeyFile="{key}")
main_queue(queue.type="direct")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
       streamDriver.authMode="x509/name" permittedPeer=["{client}"])
template(name="whole" type="string"
         string="%syslogfacility% %syslogseverity% %timereported:::date-rfc3339% %hostname% \
%app-name% %procid% %msgid% %structured-data% %msg%\\n")
input(type="imtcp" port="{port}" address="{address}")
if $syslogfacility-text == "syslog" then {{
  action(type="omfile" file="{directory}/own.log" template="RSYSLOG_FileFormat")
  stop
}}
action(type="omfile" file="{received}" template="whole")
"""


@dataclass(frozen=True)
class Message:
    """One message as it came."""

    facility: int
    severity: int
    time: str
    host: str
    program: str
    process: str
    type: str
    structured: str
    text: bytes


class Siem:
    """`certificate` replaces the authority's ordinary one; `client` is who may send."""

    address = "127.0.0.1"

    def __init__(self, scratch, authority, name="siem", certificate=None, client="client"):
        if not shutil.which(RSYSLOGD):
            skip.lacks("rsyslogd")
        self.port = self.choose_port()
        self.directory = scratch.directory(name)
        self.received = self.directory / "received"
        self._scratch, self._name, self._process = scratch, name, None
        server = certificate or authority.server
        self._configuration = self.directory / "rsyslog.conf"
        self._configuration.write_text(CONFIGURATION.format(
            directory=self.directory, ca=authority.certificate, certificate=server.certificate,
            key=server.key, client=client, port=self.port, received=self.received,
            address=self.address))

    def choose_port(self):
        return free_port()

    def command(self):
        return [RSYSLOGD, "-n", "-f", self._configuration, "-i", self.directory / "pid"]

    @property
    def server(self):
        """For [siem] server: the name that its certificate has."""
        return f"localhost:{self.port}"

    def start(self):
        self._process = processes.Process(self._scratch, self._name, self.command())
        processes.wait_until(self.listens, 20, lambda: f"rsyslogd listens; it says: "
                                                        f"{self._process.log_text()}")

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0

    def stop(self):
        self._process.stop()

    def kill9(self):
        (self.directory / "pid").unlink(missing_ok=True)
        self._process.kill9()

    def signal(self, number):
        self._process.signal(number)

    @property
    def log(self):
        """What rsyslogd says, of itself too."""
        own = self.directory / "own.log"
        return self._process.log_text() + (own.read_text(errors="replace") if own.exists() else "")

    # -- what came ---------------------------------------------------------------------------------
    def messages(self):
        """Whole ones; a kill may have torn one."""
        if not self.received.exists():
            return []
        found = []
        for line in self.received.read_bytes().splitlines(keepends=True):
            fields = line[:-1].split(b" ", 8)
            if line.endswith(b"\n") and len(fields) == 9 and fields[4] == b"binvault":
                found.append(Message(int(fields[0]), int(fields[1]),
                                     *(field.decode() for field in fields[2:8]), fields[8]))
        return found

    def leaves(self):
        """[(index, line)] in the order of arrival."""
        return [(int(message.process), message.text) for message in self.messages()
                if message.process != "-"]

    def checkpoints(self):
        """[note] in the order of arrival."""
        return [json.loads(message.text)["note"] for message in self.messages()
                if message.type == "checkpoint"]

    def reports(self, kind):
        """The forwarder's own words of this type."""
        return [json.loads(message.text) for message in self.messages() if message.type == kind]

    def highest(self):
        """The highest index that came; -1: none."""
        return max((index for index, _ in self.leaves()), default=-1)
