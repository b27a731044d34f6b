#!/usr/bin/python3
"""PCR 11 of the TPM: computed from the kernel image alone.

    image/pcr11.py value FILE.efi [PHASE…]               what it holds when a vault is up, or after these
    image/pcr11.py policy FILE.efi                       what pcr.key signs, 32 bytes
    image/pcr11.py section FILE.efi PUBLIC SIGNATURE     the section .pcrsig, which carries that

systemd-stub extends it by the name and the contents of each section but .pcrsig, in its own order;
systemd then by one word a phase. The bank is the one of sha256. The policy is of the one phase in
which the data volume is opened.
"""

import base64
import hashlib
import json
import re
import struct
import sys
from pathlib import Path

# systemd 257, src/fundamental/uki.c
SECTIONS = (".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname",
            ".sbat", ".pcrpkey")
PHASES = ("sysinit", "ready")
PHASES_OF_VOLUME = ("sysinit",)


def sections(image):
    """Name and contents, without the padding of the file, of each section of a PE image."""
    header = struct.unpack_from("<I", image, 0x3C)[0]
    count, optional_size = struct.unpack_from("<2xH12xH", image, header + 4)
    table = header + 24 + optional_size
    for at in range(table, table + 40 * count, 40):
        name, size, _, stored, offset = struct.unpack_from("<8sIIII", image, at)
        yield name.rstrip(b"\0").decode(), image[offset:offset + min(size, stored)]


def predict(image, phases=PHASES):
    contents = dict(sections(image))
    value = bytes(32)
    measured = []
    for name in SECTIONS:
        if name in contents:
            measured += [name.encode() + b"\0", contents[name]]
    for part in measured + [phase.encode() for phase in phases]:
        value = hashlib.sha256(value + hashlib.sha256(part).digest()).digest()
    return value


def policy(image):
    """The digest of TPM2_PolicyPCR (TPM 2.0 Library, part 3) for PCR 11 alone."""
    command = struct.pack(">I", 0x17F)  # TPM_CC_PolicyPCR
    selection = struct.pack(">IHB3B", 1, 0x000B, 3, 0, 1 << (11 - 8), 0)  # TPM_ALG_SHA256
    pcrs = hashlib.sha256(predict(image, PHASES_OF_VOLUME)).digest()
    return hashlib.sha256(bytes(32) + command + selection + pcrs).digest()


def public_key_bits(public):
    """The BIT STRING of a SubjectPublicKeyInfo in PEM: what comes behind its algorithm."""
    body = re.search(r"-----BEGIN PUBLIC KEY-----(.*?)-----END", public, re.DOTALL)[1]
    der = base64.b64decode(body)

    def content(at):  # where the contents of the DER element at `at` begin and end
        length, at = der[at + 1], at + 2
        if length & 0x80:
            at, size = at + (length & 0x7F), length & 0x7F
            length = int.from_bytes(der[at - size:at], "big")
        return at, at + length

    algorithm, _ = content(0)
    bits, end = content(content(algorithm)[1])
    return der[bits + 1:end]  # behind the number of unused bits, none


def section(image, public, signature):
    """As systemd-measure writes it; it knows the key by the hash of its bits alone."""
    entry = {"pcrs": [11], "pkfp": hashlib.sha256(public_key_bits(public)).hexdigest(),
             "pol": policy(image).hex(), "sig": base64.b64encode(signature).decode()}
    return json.dumps({"sha256": [entry]})


def main(arguments):
    match arguments:
        case ["value", file, *phases]:
            print(predict(Path(file).read_bytes(), phases or PHASES).hex())
        case ["policy", file]:
            sys.stdout.buffer.write(policy(Path(file).read_bytes()))
        case ["section", file, public, signature]:
            print(section(Path(file).read_bytes(), Path(public).read_text(),
                          Path(signature).read_bytes()), end="")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
