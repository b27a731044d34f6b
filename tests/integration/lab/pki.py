"""Certificates for the lab, made with the openssl command: EC P-256 throughout.

Owns: files below its directory; nothing else. All of them are readable by everybody, keys too:
they protect nothing outside the lab and are read by programs that run as other users. But a client's
key is not: the puller refuses one that is. Whoever runs it as another user gives it to that one.

An Authority makes what a working connection needs (`authority`, `server`, `client`) at once and
the wrong ones on demand: another authority's, a wrong host name, an expired one.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SERVER_NAMES = "DNS:localhost,DNS:db1.bank.example,IP:127.0.0.1"


@dataclass(frozen=True)
class Certificate:
    """A certificate, its key, and the authority's certificate that proves it; all PEM files."""

    authority: Path
    certificate: Path
    key: Path


class Authority:
    """A certificate authority in `directory`, with a server's and a client's certificate."""

    def __init__(self, directory, name="Lab CA"):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        self._generate_key(self._key)
        openssl("req", "-x509", "-new", "-key", self._key, "-sha256", "-days", "365",
                "-subj", f"/O=Lab/CN={name}", "-out", self.certificate,
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.server = self.issue("server", SERVER_NAMES)
        self.client = self.issue("client", purpose="clientAuth")

    def issue(self, name, names=None, purpose="serverAuth", days=365):
        """A new key and certificate in `name`.key and `name`.pem; `days` < 0 is expired."""
        key, certificate = self.directory / f"{name}.key", self.directory / f"{name}.pem"
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                 f"extendedKeyUsage={purpose}"]
        if names:
            lines.append(f"subjectAltName={names}")
        extensions.write_text("\n".join(lines) + "\n")
        self._generate_key(key)
        openssl("req", "-new", "-key", key, "-subj", f"/O=Lab/CN={name}", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                "-CAcreateserial", "-sha256", "-days", days, "-extfile", extensions,
                "-out", certificate)
        request.unlink()
        extensions.unlink()
        if purpose == "clientAuth":
            key.chmod(0o600)
        return Certificate(self.certificate, certificate, key)

    def wrong_host_server(self):
        """A server certificate that is in order, for another host."""
        return self.issue("wrong-host", "DNS:db9.other.example")

    def expired_server(self):
        """A server certificate for the right names that ended yesterday."""
        return self.issue("expired", SERVER_NAMES, days=-1)

    def expired_client(self):
        """A client certificate that ended yesterday."""
        return self.issue("expired-client", purpose="clientAuth", days=-1)

    def other(self):
        """Another authority that knows the same names and that nobody trusts."""
        return Authority(self.directory / "other", "Other CA")

    def _generate_key(self, path):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        path.chmod(0o644)


def openssl(*arguments):
    """Run openssl; its own words are in the exception if it fails."""
    result = subprocess.run(["openssl", *(str(argument) for argument in arguments)],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout
