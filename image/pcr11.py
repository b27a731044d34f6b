#!/usr/bin/python3
"""What PCR 11 of the TPM holds when a vault is up: computed from the kernel image alone.

    image/pcr11.py FILE.efi

systemd-stub extends it by the name and the contents of each section, in its own order; systemd
then by one word a phase. Prints the value of the sha256 bank.
"""

import hashlib
import struct
import sys

# systemd 257, src/fundamental/uki.c
SECTIONS = (".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname",
            ".sbat", ".pcrpkey")
PHASES = ("sysinit", "ready")


def sections(image):
    """Name and contents, without the padding of the file, of each section of a PE image."""
    header = struct.unpack_from("<I", image, 0x3C)[0]
    count, optional_size = struct.unpack_from("<2xH12xH", image, header + 4)
    table = header + 24 + optional_size
    for at in range(table, table + 40 * count, 40):
        name, size, _, stored, offset = struct.unpack_from("<8sIIII", image, at)
        yield name.rstrip(b"\0").decode(), image[offset:offset + min(size, stored)]


def predict(image):
    contents = dict(sections(image))
    value = bytes(32)
    measured = []
    for name in SECTIONS:
        if name in contents:
            measured += [name.encode() + b"\0", contents[name]]
    for part in measured + [phase.encode() for phase in PHASES]:
        value = hashlib.sha256(value + hashlib.sha256(part).digest()).digest()
    return value.hex()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        print(predict(file.read()))
