"""What a test holds against a vault: the server's own files, and the nonces of all its frames.

Owns: nothing; reads only.
"""

import os
import struct
from pathlib import Path

BLOCK = 4096
FRAME_MAGIC = b"BVFM"
FRAME_HEADER = struct.Struct("<4sBBHIIIQQ12s")
SEGMENT_ID = slice(56, 72)  # in the header block; see src/volume/FORMAT.md
EVENT_HEADER = struct.Struct("<IBIIIH")  # time, type, server, length, end, flags
MAGIC_SIZE = 4
IN_USE_OFFSET = 21  # flags of the FORMAT_DESCRIPTION event, behind the magic and 17 bytes
CHUNK = 1 << 20


class Difference(AssertionError):
    """A restored file is not the server's."""


def torn_event(server_file):
    """Where the last event begins, if there is less of it than it says; None if the file is whole."""
    offset, size = MAGIC_SIZE, os.path.getsize(server_file)
    with open(server_file, "rb") as file:
        while offset < size:
            file.seek(offset)
            header = file.read(EVENT_HEADER.size)
            if len(header) < EVENT_HEADER.size:
                return offset
            end = offset + EVENT_HEADER.unpack(header)[3]
            if end > size:
                return offset
            if end == offset:
                raise Difference(f"{server_file} has an event without a length at {offset}")
            offset = end
    return None


def compare_file(server_file, restored):
    """Byte for byte; returns the size of what was restored.

    Two known differences are allowed and no other, both of a file that a crash of MariaDB ended:
    IN_USE stays set in it for ever, and is sent cleared; and the event that was just being written
    stays in it by half, never cut off and never sent.
    """
    offset = 0
    with open(server_file, "rb") as ours, open(restored, "rb") as theirs:
        while True:
            expected, found = ours.read(CHUNK), theirs.read(CHUNK)
            if offset == 0 and len(expected) > IN_USE_OFFSET and expected[IN_USE_OFFSET] & 1:
                expected = (expected[:IN_USE_OFFSET] + bytes([expected[IN_USE_OFFSET] & 0xFE])
                            + expected[IN_USE_OFFSET + 1:])
            if expected != found:
                end = offset + len(found)
                if expected.startswith(found) and end == torn_event(server_file):
                    return end
                at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b),
                          min(len(expected), len(found)))
                raise Difference(f"{Path(restored).name} differs from the server's file at byte "
                                 f"{offset + at} ({len(expected)} and {len(found)} bytes read)")
            if not expected:
                return offset
            offset += len(expected)


def compare_restore(server, directory, names):
    """All of `names` (finished files) are there and equal; returns their size in all."""
    total = 0
    for name in names:
        restored = Path(directory) / name
        if not restored.exists():
            raise Difference(f"{name} was not restored")
        total += compare_file(server.binlog_path(name), restored)
    return total


def frame_nonces(volume):
    """Every (segment id, nonce) of every frame header in every segment file, torn ones included.

    Frames begin at block borders and their headers are in clear, so that those in torn tails are
    found as well. Returns (how many, those that occur twice).
    """
    seen, twice = set(), []
    for path in sorted(Path(volume).glob("segments/*/*/*.seg")):
        with open(path, "rb") as segment:
            header = segment.read(BLOCK)
            if len(header) < BLOCK:
                continue
            identity = header[SEGMENT_ID]
            while block := segment.read(BLOCK):
                if len(block) < FRAME_HEADER.size or block[:4] != FRAME_MAGIC:
                    continue
                fields = FRAME_HEADER.unpack(block[:FRAME_HEADER.size])
                if fields[1] not in (1, 2, 3) or fields[3] != 0:
                    continue
                pair = (identity, fields[-1])
                if pair in seen:
                    twice.append((path.name, fields[4], fields[-1].hex()))
                seen.add(pair)
    return len(seen), twice
