"""What a binlog file holds, as far as tests ask: its events by type.

A second reader, beside src/binlog: it knows the 19-byte header only.
"""

import struct

MAGIC = b"\xfebin"
HEADER = struct.Struct("<IBIIIH")  # timestamp, type, server id, length, end position, flags
IN_USE = 0x0001  # flag of the FORMAT_DESCRIPTION event of a file that was not closed

NAMES = {
    2: "QUERY", 3: "STOP", 4: "ROTATE", 5: "INTVAR", 9: "APPEND_BLOCK", 11: "DELETE_FILE",
    13: "RAND", 14: "USER_VAR", 15: "FORMAT_DESCRIPTION", 16: "XID", 17: "BEGIN_LOAD_QUERY",
    18: "EXECUTE_LOAD_QUERY", 19: "TABLE_MAP", 23: "WRITE_ROWS_V1", 24: "UPDATE_ROWS_V1",
    25: "DELETE_ROWS_V1", 26: "INCIDENT", 29: "ROWS_QUERY", 30: "WRITE_ROWS", 31: "UPDATE_ROWS",
    32: "DELETE_ROWS", 33: "GTID", 34: "ANONYMOUS_GTID", 35: "PREVIOUS_GTIDS", 38: "XA_PREPARE",
    39: "PARTIAL_UPDATE_ROWS", 40: "TRANSACTION_PAYLOAD", 42: "GTID_TAGGED",
    160: "ANNOTATE_ROWS", 161: "BINLOG_CHECKPOINT", 162: "MARIADB_GTID", 163: "GTID_LIST",
    164: "START_ENCRYPTION", 165: "QUERY_COMPRESSED", 166: "WRITE_ROWS_COMPRESSED_V1",
    167: "UPDATE_ROWS_COMPRESSED_V1", 168: "DELETE_ROWS_COMPRESSED_V1",
}


def events(content):
    """[(type's name, offset, length)] of all events of a whole file; ValueError if it is none."""
    if content[:4] != MAGIC:
        raise ValueError(f"a binlog begins with {MAGIC!r}, this with {content[:4]!r}")
    found, at = [], 4
    while at < len(content):
        if at + HEADER.size > len(content):
            raise ValueError(f"{len(content) - at} bytes at {at} are no event")
        _, kind, _, length, _, _ = HEADER.unpack_from(content, at)
        if length < HEADER.size or at + length > len(content):
            raise ValueError(f"the event at {at} says that it has {length} bytes")
        found.append((NAMES.get(kind, f"type {kind}"), at, length))
        at += length
    return found


def types(content):
    """The names of the types that the file holds."""
    return {name for name, _, _ in events(content)}


def as_closed(content):
    """The file as if it had been closed: without IN_USE, which a crash leaves."""
    _, kind, _, _, _, flags = HEADER.unpack_from(content, 4)
    if kind != 15:
        raise ValueError("the first event is no FORMAT_DESCRIPTION")
    at = 4 + HEADER.size - 2
    return content[:at] + struct.pack("<H", flags & ~IN_USE) + content[at + 2:]
