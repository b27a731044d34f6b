"""A binlog file beyond 4 GiB among those of a real server, on hardly any space: large events of
zeros in a sparse file, with right lengths, positions and checksums, and small transactions between
those that lie beyond 4 GiB.

No SQL makes such a file in reasonable time; to a server that sends its files it is one of its own.
"""

import struct
import zlib

from . import binlog

LARGE = 64 << 20
COUNT = 65  # from the last of them on, positions have more than 32 bits
SMALL = 1 << 20
SMALL_COUNT = 64  # behind them
IGNORABLE, ROTATE, IGNORABLE_FLAG, FIRST_POSITION = 28, 4, 0x80, 4
HEADER_SIZE = binlog.HEADER.size
ZEROS = bytes(1 << 20)


GTIDS = {"GTID": HEADER_SIZE + 17, "MARIADB_GTID": HEADER_SIZE}  # where its number is


def add(server):
    """Make it the last but one of the stopped `server`'s files; returns (name, size).

    The server has written one transaction of a single statement, and begun another file.
    """
    index = server.data / f"{server.binlog_base}.index"
    names = index.read_text().split()
    before, template = ((server.data / each).read_bytes() for each in names[-2:])
    prefix, number = names[-1].rsplit(".", 1)
    name, following = f"{prefix}.{int(number) + 1:06}", f"{prefix}.{int(number) + 2:06}"
    with open(server.data / name, "xb") as file:
        transaction = _Transaction(before)
        size = _write(file, _beginning(template), transaction, following.removeprefix("./"),
                      server.server_id)
    state = server.data / f"{server.binlog_base}.state"
    if state.exists():  # MariaDB does not look into its files when it has this
        domain_and_server = state.read_text().rsplit("-", 1)[0]
        state.write_text(f"{domain_and_server}-{transaction.number}\n")
    index.write_text("".join(f"{each}\n" for each in names + [name]))
    return name.removeprefix("./"), size


def _beginning(template):
    """The events that say what precedes the file, as the server's last one has them."""
    names = ("FORMAT_DESCRIPTION", "GTID_LIST", "PREVIOUS_GTIDS")
    parts = [template[at:at + length] for name, at, length in binlog.events(template)
             if name in names]
    return binlog.as_closed(binlog.MAGIC + b"".join(parts))


class _Transaction:
    """The last of a file, to be written again with the next numbers."""

    def __init__(self, content):
        found = binlog.events(content)
        at = max(i for i, (name, _, _) in enumerate(found) if name.endswith("GTID"))
        self.name = found[at][0]
        self.events = [content[begin:begin + length] for _, begin, length in found[at:at + 2]]
        assert found[at + 1][0] == "QUERY"
        self.number = None
        if self.name in GTIDS:
            self.number, = struct.unpack_from("<Q", self.events[0], GTIDS[self.name])

    def next(self):
        """[(type, flags, body)] of its events."""
        gtid = bytearray(self.events[0])
        if self.name in GTIDS:
            self.number += 1
            struct.pack_into("<Q", gtid, GTIDS[self.name], self.number)
        return [(binlog.HEADER.unpack_from(raw)[1], binlog.HEADER.unpack_from(raw)[5],
                 bytes(raw[HEADER_SIZE:-4])) for raw in (gtid, self.events[1])]


def _write(file, beginning, transaction, following, server_id):
    end = _Writer(file, server_id, beginning)
    for length in [LARGE] * COUNT + [SMALL] * SMALL_COUNT:
        end.event(IGNORABLE, IGNORABLE_FLAG, b"", length)
        if length == SMALL:
            for event in transaction.next():
                end.event(*event)
    end.event(ROTATE, 0, struct.pack("<Q", FIRST_POSITION) + following.encode())
    return file.tell()


class _Writer:
    def __init__(self, file, server_id, beginning):
        self._file, self._server_id = file, server_id
        # The second event of the template says where it ended there.
        file.write(beginning)
        second = binlog.events(beginning)[1][1]
        raw = bytearray(beginning[second:])
        struct.pack_into("<I", raw, 13, len(beginning))
        struct.pack_into("<I", raw, len(raw) - 4, zlib.crc32(raw[:-4]))
        file.seek(second)
        file.write(raw)

    def event(self, kind, flags, body, length=None):
        """An event of `body` and then zeros up to `length`, which are not written."""
        length = length or binlog.HEADER.size + len(body) + 4
        begin = self._file.tell()
        head = binlog.HEADER.pack(1700000000, kind, self._server_id, length,
                                  (begin + length) & 0xFFFFFFFF, flags) + body
        crc, left = zlib.crc32(head), length - len(head) - 4
        while left:
            part = min(left, len(ZEROS))
            crc = zlib.crc32(ZEROS[:part], crc)
            left -= part
        self._file.write(head)
        self._file.seek(begin + length - 4)
        self._file.write(struct.pack("<I", crc))
