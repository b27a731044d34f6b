"""A binlog file beyond 4 GiB among those of a real server, on hardly any space: large events of
zeros in a sparse file, with right lengths, positions and checksums.

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
ZEROS = bytes(1 << 20)


def add(server):
    """Make it the last but one of the stopped `server`'s files; returns (name, size)."""
    index = server.data / f"{server.binlog_base}.index"
    names = index.read_text().split()
    template = (server.data / names[-1]).read_bytes()
    prefix, number = names[-1].rsplit(".", 1)
    name, following = f"{prefix}.{int(number) + 1:06}", f"{prefix}.{int(number) + 2:06}"
    with open(server.data / name, "xb") as file:
        size = _write(file, _beginning(template), following.removeprefix("./"), server.server_id)
    index.write_text("".join(f"{each}\n" for each in names + [name]))
    return name.removeprefix("./"), size


def _beginning(template):
    """The events that say what precedes the file, as the server's last one has them."""
    names = ("FORMAT_DESCRIPTION", "GTID_LIST", "PREVIOUS_GTIDS")
    parts = [template[at:at + length] for name, at, length in binlog.events(template)
             if name in names]
    return binlog.as_closed(binlog.MAGIC + b"".join(parts))


def _write(file, beginning, following, server_id):
    end = _Writer(file, server_id, beginning)
    for length in [LARGE] * COUNT + [SMALL] * SMALL_COUNT:
        end.event(IGNORABLE, IGNORABLE_FLAG, b"", length)
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
