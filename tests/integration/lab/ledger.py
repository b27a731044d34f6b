"""A ledger that is written here, as src/ledger/FORMAT.md says: for tests of who reads it.

    ledger = Ledger(volume)
    ledger.append(1000)
    ledger.checkpoint()

and proof() of leaves and notes that somebody else holds, which uses no file of it. Both with the code
of tools/read_ledger.py, the second implementation of that document.

Owns: the files below volume/ledger; only appends, by one writer. The signing key is its own.
"""

import base64
import hashlib
import importlib.util
import json
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from . import PROJECT

_SPEC = importlib.util.spec_from_file_location("read_ledger", PROJECT / "tools/read_ledger.py")
reader = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reader)

BLOCK = 4096
LEAVES_PER_FILE = 65536
BOOT = "6f1c1fd2-6f5e-4b0e-9f8e-00000000b007"
ARCHIVE = "8d0c1fd2-6f5e-4b0e-9f8e-0000000000aa"


def _canonical(fields):
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


class Ledger:
    """`archive` is its UUID. `lines` are all leaves, `notes` all checkpoints, without padding."""

    def __init__(self, volume, archive=ARCHIVE):
        self.directory = Path(volume) / "ledger"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.origin = f"binvault/{archive}"
        self.lines, self.notes = [], []
        self._tree = reader.Tree()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._write([{"type": "archive", "origin": self.origin},
                     {"type": "signing-key", "role": "checkpoint",
                      "key": base64.b64encode(self._der).decode()}])

    def append(self, count=1, kind="covered", **fields):
        """So many leaves, in one write."""
        fields = {"source": "orders", "position": "4711", **fields}
        self._write([{"type": kind, **fields} for _ in range(count)])

    def checkpoint(self):
        """Sign all that there is."""
        root = base64.b64encode(self._tree.root()).decode()
        body = f"{self.origin}\n{self._tree.size}\n{root}\n"
        key_id = hashlib.sha256(self._der).digest()[:4]
        signature = self._key.sign(body.encode(), ec.ECDSA(hashes.SHA256()))
        note = (f"{body}\n— {self.origin} "
                f"{base64.b64encode(key_id + signature).decode()}\n")
        self.notes.append(note)
        with open(self.directory / "checkpoints", "ab") as file:
            file.write(_padded(note.encode()))

    def _write(self, leaves):
        while leaves:
            index = len(self.lines)
            first = index - index % LEAVES_PER_FILE
            if index == first and index > 0:
                leaves = [{"type": "state", "part": "0", "parts": "1",
                           "tree": self._tree.fields()}] + leaves
            taken = leaves[:first + LEAVES_PER_FILE - index]
            leaves = leaves[len(taken):]
            data = b"".join(self._line(fields) + b"\n" for fields in taken)
            with open(self.directory / f"{first:020}.jsonl", "ab") as file:
                file.write(_padded(data))

    def _line(self, fields):
        usec = time.time_ns() // 1000
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(usec // 1_000_000))
        line = _canonical({**fields, "index": str(len(self.lines)), "boot": BOOT, "uptime": "1",
                           "time": f"{second}.{usec % 1_000_000:06}Z"})
        self.lines.append(line)
        self._tree.append(line)
        return line


def _padded(data):
    return data + b"\n" * (-len(data) % BLOCK)


def proof(lines, notes):
    """Hold leaves (from the first on) and notes against each other: returns how many leaves the last
    note covers. reader.Defect if a signature or a root is wrong."""
    tree, keys, origin = reader.Tree(), {}, None
    rest = iter(lines)
    for text in notes:
        note = reader.NOTE.match(text.encode())
        reader.must(note, "not a note")
        while tree.size < int(note[2]):
            line = next(rest)
            leaf = reader.parse(line, tree.size)
            reader.must(leaf, f"leaf {tree.size} is none: {line[:200]}")
            tree.append(line)
            if leaf["type"] == "archive":
                origin = leaf["origin"]
            elif leaf["type"] == "signing-key" and leaf["role"] == "checkpoint":
                der = base64.b64decode(leaf["key"])
                keys[hashlib.sha256(der).digest()[:4]] = serialization.load_der_public_key(der)
        reader.verify_note(note, origin, keys)
        reader.must(tree.root() == base64.b64decode(note[3]), "the root is another")
    return tree.size
