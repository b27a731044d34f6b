#!/usr/bin/python3
"""The recovery key of a vault's data volume, of the shares that its custodians have opened.

    tools/combine_shares.py FILE... >letter

Each FILE is what one custodian's `openssl cms -decrypt -inform PEM` gave. The output is the letter
that the vault takes from its partition binvault_in; image/README.md says how. It opens the volume:
treat it as such.
"""

import sys


def multiply(a, b):
    """In GF(2^8), with the polynomial of AES."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def invert(a):
    return next(b for b in range(1, 256) if multiply(a, b) == 1)


def combine(shares):
    """{number: bytes} to the value of the polynomials at 0."""
    secret = bytearray(len(next(iter(shares.values()))))
    for number, share in shares.items():
        weight = 1
        for other in shares:
            if other != number:
                weight = multiply(weight, multiply(other, invert(other ^ number)))
        for at, byte in enumerate(share):
            secret[at] ^= multiply(weight, byte)
    return bytes(secret)


def main(paths):
    shares, threshold = {}, 0
    for path in paths:
        with open(path, encoding="ascii") as file:
            name, needed, number, digits = file.read().split()
        if name != "binvault-share-1":
            sys.exit(f"{path}: not a share")
        threshold = int(needed)
        shares[int(number)] = bytes.fromhex(digits)
    if len(shares) < threshold:
        sys.exit(f"{len(shares)} shares of {threshold} that are needed")
    key = combine(dict(list(shares.items())[:threshold]))
    print(f"binvault-recovery-1 {key.decode('ascii')}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
