#!/usr/bin/python3
"""Read a Binvault ledger and its checkpoints; the second implementation of src/ledger/FORMAT.md.

usage: read_ledger.py [--leaves] [--key FINGERPRINT]... LEDGER-DIRECTORY

Recomputes the tree of RFC 6962 and checks every checkpoint's root and signature; prints one JSON
object, or with --leaves the leaves. The keys are those of the `signing-key` leaves; --key (SHA-256
of the SubjectPublicKeyInfo, in hex) says which may be the first. It needs python3-cryptography.
"""
import base64
import hashlib
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LINE_MAX, SLOT = 65535, 4096
NAME = re.compile(r"[0-9]{20}\.jsonl\Z")
NOTE = re.compile(rb"([!-*,-~]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n\n"
                  rb"((?:\xe2\x80\x94 [!-*,-~]+ [A-Za-z0-9+/]+=*\n)+)\Z")


class Defect(Exception):
    pass


def must(condition, sentence):
    if not condition:
        raise Defect(sentence)


class Tree:
    def __init__(self):
        self.size, self.nodes = 0, []  # the nodes' sizes are the bits of size, largest first

    def append(self, line):
        node, size = hashlib.sha256(b"\0" + line).digest(), self.size
        while size & 1:
            node, size = hashlib.sha256(b"\1" + self.nodes.pop() + node).digest(), size >> 1
        self.nodes.append(node)
        self.size += 1

    def root(self):
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = hashlib.sha256(b"\1" + node + root).digest()
        return root

    def fields(self):
        return {"nodes": [node.hex() for node in self.nodes], "size": str(self.size)}


def unique(pairs):
    must(len(dict(pairs)) == len(pairs), "a key twice")
    return dict(pairs)


def parse(line, index):
    """The leaf of a line, or None if it is no leaf with this index."""
    try:
        leaf = json.loads(line.decode("ascii"), object_pairs_hook=unique)
        text = json.dumps(leaf, sort_keys=True, separators=(",", ":"))
        good = text.encode() == line and len(line) <= LINE_MAX and leaf["index"] == str(index)
        return leaf if good and all(key in leaf for key in ("type", "time", "boot", "uptime")) \
            else None
    except (ValueError, KeyError, TypeError, Defect):
        return None


def void_of(leaf, name, offset, rest):
    return (leaf["type"], leaf["file"], leaf["offset"], leaf["size"], leaf["sha256"]) == (
        "void", name, str(offset), str(len(rest)), hashlib.sha256(rest).hexdigest())


def read_file(path, tree):
    """Yields (line, leaf); the caller appends the line to the tree before it goes on."""
    data = path.read_bytes()
    torn, head = None, tree.size == 0  # offset of what is no leaf; is the file's head whole
    for match in re.finditer(rb"[^\n]+", data):
        leaf = parse(match[0], tree.size)
        if leaf is None:
            torn, end = match.start() if torn is None else torn, match.end()
            continue
        if torn is not None:
            must(leaf["type"] == "void" and void_of(leaf, path.name, torn, data[torn:end]),
                 f"{path.name}: offset {torn}: bytes that no void leaf names")
            torn = None
        if leaf["type"] == "state":
            must(not head, f"{path.name}: offset {match.start()}: state inside a file")
            must(leaf["part"] != "0" or leaf["tree"] == tree.fields(),
                 f"{path.name}: offset {match.start()}: another tree")
            head = int(leaf["part"]) + 1 == int(leaf["parts"])
        else:
            must(head or leaf["type"] == "void", f"{path.name}: does not begin with its state")
        yield match[0], leaf
    must(torn is None, f"{path.name}: offset {torn}: torn")
    must(head, f"{path.name}: its state is not whole")


def read_leaves(directory, tree):
    names = sorted(path.name for path in directory.iterdir() if path.name != "checkpoints")
    for name in names:
        must(NAME.match(name), f"{name}: not a file of a ledger")
        must(int(name[:20]) == tree.size, f"{name}: leaf {tree.size} must be the next")
        yield from read_file(directory / name, tree)


def read_checkpoints(directory):
    """Yields (offset, note or None, bytes): what is no note comes as its bytes."""
    path, torn = directory / "checkpoints", None
    data = path.read_bytes() if path.exists() else b""
    for offset in range(0, len(data), SLOT):
        slot = data[offset:offset + SLOT]
        text = slot.rstrip(b"\n")
        note = NOTE.match(text + b"\n") if len(text) < len(slot) == SLOT else None
        if note:
            if torn is not None:
                yield torn, None, data[torn:end]
            torn = None
            yield offset, note, slot
        elif text:
            torn, end = offset if torn is None else torn, offset + len(slot)
    must(torn is None, f"checkpoints: offset {torn}: torn")


def verify_note(note, origin, keys):
    body, known = note[0][:note.end(3)] + b"\n", 0
    must(note[1] == origin.encode(), f"a checkpoint of {note[1]}")
    for line in note[4].splitlines():
        _, name, text = line.split(b" ")
        signature = base64.b64decode(text, validate=True)
        if name == note[1] and signature[:4] in keys:
            try:
                keys[signature[:4]].verify(signature[4:], body, ec.ECDSA(hashes.SHA256()))
            except InvalidSignature:
                raise Defect("the signature does not match") from None
            known += 1
    must(known, "no known key has signed")


def read(directory, pinned, show):
    tree, keys, origin, torn = Tree(), {}, None, None
    leaves, signed = read_leaves(directory, tree), 0

    def step():
        nonlocal origin, torn
        line, leaf = next(leaves, (None, None))
        if line is None:
            return False
        tree.append(line)
        if leaf["type"] == "archive":
            origin = leaf["origin"]
        elif leaf["type"] == "signing-key" and leaf["role"] == "checkpoint":
            der = base64.b64decode(leaf["key"], validate=True)
            fingerprint = hashlib.sha256(der).digest()
            must(keys or not pinned or fingerprint.hex() in pinned, "the first key is not pinned")
            keys[fingerprint[:4]] = serialization.load_der_public_key(der)
        elif torn and leaf["type"] == "void" and void_of(leaf, "checkpoints", *torn):
            torn = None
        if show:
            print(line.decode())
        return True

    while not (keys and origin) and step():
        pass
    for offset, note, data in read_checkpoints(directory):
        where = f"checkpoints: offset {offset}: "
        if note is None:
            torn = (offset, data)
            continue
        try:
            verify_note(note, origin, keys)
        except Defect as defect:
            raise Defect(where + str(defect)) from None
        while tree.size < int(note[2]) and step():
            pass
        must(torn is None, where + "torn bytes before it that no void leaf names")
        must(tree.size == int(note[2]), where + f"says {int(note[2])} leaves, here are {tree.size}")
        must(tree.root() == base64.b64decode(note[3]), where + "the root is another")
        signed = tree.size
    while step():
        pass
    return {"leaves": tree.size, "signed": signed, "root": tree.root().hex()}


def main(arguments):
    show, pinned = "--leaves" in arguments, set()
    rest = [argument for argument in arguments if argument != "--leaves"]
    while len(rest) > 2 and rest[0] == "--key":
        pinned.add(rest[1])
        rest = rest[2:]
    if len(rest) != 1 or rest[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        summary = read(pathlib.Path(rest[0]), pinned, show)
    except Defect as defect:
        print(f"{rest[0]}: {defect}", file=sys.stderr)
        return 3
    if not show:
        print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
