#!/usr/bin/python3
"""Where the packets of one card go: each destination once, as `tcp ADDRESS PORT`, until a signal.

    image/tests/watch.py INTERFACE MAC

ARP is `arp ADDRESS`; anything else that leaves the card is `other TYPE`.
"""

import socket
import struct
import sys

ETH_P_ALL, IPV4, ARP = 3, 0x0800, 0x0806
PROTOCOLS = {6: "tcp", 17: "udp"}


def destination(frame):
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == ARP:
        return f"arp {socket.inet_ntoa(frame[38:42])}"
    if kind != IPV4:
        return f"other {kind:04x}"
    name = PROTOCOLS.get(frame[23], f"ip-{frame[23]}")
    port = struct.unpack_from("!H", frame, 14 + (frame[14] & 15) * 4 + 2)[0]
    return f"{name} {socket.inet_ntoa(frame[30:34])} {port}"


def main(interface, card):
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    listener.bind((interface, 0))
    seen = set()
    while True:
        frame = listener.recv(65536)
        if len(frame) < 42 or frame[6:12].hex(":") != card:
            continue
        line = destination(frame)
        if line not in seen:
            seen.add(line)
            print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
