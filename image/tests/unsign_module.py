#!/usr/bin/python3
"""Takes the signature from a kernel module.

    image/tests/unsign_module.py FILE.ko
"""

import struct
import sys

MAGIC = b"~Module signature appended~\n"


def main(path):
    with open(path, "rb") as file:
        module = file.read()
    if not module.endswith(MAGIC):
        sys.exit(f"{path} is not signed")
    # struct module_signature: 8 bytes, then the length of the signature before it
    length, = struct.unpack_from(">I", module, len(module) - len(MAGIC) - 4)
    with open(path, "wb") as file:
        file.write(module[:len(module) - len(MAGIC) - 12 - length])


if __name__ == "__main__":
    main(sys.argv[1])
