#!/usr/bin/python3
"""Read sealed Binvault segments; the second implementation of src/volume/FORMAT.md.

usage: read_segment.py [--info] [--period] KEYHEX|--key-file FILE SEGMENT...

Checks every rule of the document and writes the event bytes up to the good end to stdout, or with
--info one JSON object a segment. The key is the segment's; with --period, the period's. It shares
no code with the vault; it needs python3-cryptography and libzstd.
"""
import ctypes
import hashlib
import json
import re
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIB = 1 << 20
SESSION, DATA, END = 1, 2, 3
COMPRESSED, FIRST, LAST = 1, 2, 4
ENDED = (None, "rotate", "size", "age", "shutdown", "recovered", "reset", "broken")
SUMMARY = ("event_count", "transaction_count", "event_end", "transaction_end",
           "last_event_position", "time_first_usec", "time_last_usec", "transaction_last_usec",
           "last_event_crc", "flags")
BINLOG_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\Z")


class Defect(Exception):
    pass


def must(condition, sentence):
    if not condition:
        raise Defect(sentence)


def text(field):
    name, _, rest = field.partition(b"\0")
    must(not any(rest), "bytes follow the end of a name")
    return name.decode("ascii", "replace")


def decompress(stored, size):
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    plain = ctypes.create_string_buffer(size)
    result = zstd.ZSTD_decompress(plain, ctypes.c_size_t(size), stored,
                                  ctypes.c_size_t(len(stored)))
    must(result == size, "content does not decompress to its size")
    return plain.raw


def read_header(data):
    must(len(data) >= 4096, "the file ends inside the header")
    magic, version, _, incompatible, block, start, created = struct.unpack_from("<8s4I2Q", data)
    must(magic == b"BVSEG\r\n\x1a", "the magic bytes are missing")
    must(version == 0 and incompatible == 0, "version or flags are unknown")
    must(block in (4096, 8192, 16384, 32768, 65536), "bad block size")
    must(len(data) <= 2048 * MIB, "the file is larger than any segment")
    must(start < 1 << 63, "the start position is too large")
    must(not any(data[88:96]) and not any(data[416:block]), "reserved bytes or padding not zero")
    header = {"block_size": block, "start_position": start, "created_usec": created,
              "source": text(data[160:224]), "binlog_file": text(data[224:352])}
    must(re.match(r"[a-z0-9][a-z0-9_-]{0,63}\Z", header["source"]), "bad source name")
    must(BINLOG_NAME.match(header["binlog_file"]), "bad binlog file name")
    for name, begin, end in (("archive_id", 40, 56), ("segment_id", 56, 72), ("period_id", 72, 88),
                             ("generation", 96, 128), ("file_id", 128, 160)):
        header[name] = data[begin:end].hex()
    return header


def segment_key(period_key, data):
    info = b"binvault segment v1" + data[56:72] + hashlib.sha256(data[:1024]).digest()
    return HKDF(hashes.SHA256(), 32, None, info).derive(period_key)


def read_frame(cipher, data, offset, block):
    must(offset + 64 <= len(data), "the file ends inside the frame")
    (magic, kind, flags, reserved, sequence, plain_size, stored_size, position, received,
     nonce) = struct.unpack_from("<IBBHIIIQQ12s", data, offset)
    must(magic == 0x4d465642 and kind in (SESSION, DATA, END), "no frame begins here")
    must(not flags & ~(7 if kind == DATA else 0) and reserved == 0, "flags are not allowed")
    low, high = {SESSION: (1, 65536), DATA: (81, MIB), END: (264, 264)}[kind]
    must(low <= plain_size <= high, "bad plaintext size")
    must(0 < stored_size < plain_size if flags & COMPRESSED else stored_size == plain_size,
         "bad stored size")
    must(sequence < 1 << 24 and position < 1 << 63, "sequence or position is too large")
    begin, tail = offset + 48, 8 if kind == END else 0
    total = -(-(64 + stored_size + tail) // block) * block
    must(offset + total <= len(data), "the file ends inside the frame")
    try:
        plain = cipher.decrypt(nonce, data[begin:begin + stored_size + 16], data[offset:begin])
    except InvalidTag:
        raise Defect("authentication tag does not match") from None
    must(not any(data[begin + stored_size + 16:offset + total - tail]), "padding is not zero")
    if tail:
        must(struct.unpack_from("<Q", data, offset + total - 8)[0] == total, "not END's size")
    if flags & COMPRESSED:
        plain = decompress(plain, plain_size)
    return {"kind": kind, "flags": flags, "sequence": sequence, "position": position,
            "received_usec": received, "plain": plain, "total": total}


def read_summary(plain, before):
    s = dict(zip(SUMMARY, struct.unpack_from("<8Q2I", plain)))
    must(s["flags"] in (0, 1) and s["event_end"] < 1 << 63, "bad summary")
    must(s["transaction_end"] <= s["event_end"], "transactions end after events")
    must(s["transaction_count"] <= s["event_count"], "more transactions than events")
    must(s["time_first_usec"] <= s["time_last_usec"], "bad times")
    must(s["transaction_count"] or not s["transaction_last_usec"], "a time without a transaction")
    if s["event_count"]:
        must(s["last_event_position"] < s["event_end"], "bad last event")
    else:
        must(not any(s[n] for n in SUMMARY[4:7] + SUMMARY[8:]), "a last event of none")
    events = s["event_count"] - before["event_count"]
    if events == 0:
        must(s == before, "the summary changed, but no event ended")
        return s
    transactions = s["transaction_count"] - before["transaction_count"]
    must(0 < events <= s["event_end"] - before["event_end"] and
         s["last_event_position"] >= before["event_end"], "events do not follow")
    must(0 <= transactions <= events, "transactions do not follow")
    if transactions:
        must(s["transaction_end"] > before["event_end"], "transactions do not follow")
    else:
        must(all(s[n] == before[n] for n in ("transaction_end", "transaction_last_usec")),
             "transactions do not follow")
    must(before["flags"] & ~s["flags"] == 0 and s["time_last_usec"] >= before["time_last_usec"]
         and (before["time_first_usec"] == 0 or
              0 < s["time_first_usec"] <= before["time_first_usec"]), "flags or times go back")
    return s


def read_ranges(encoded, count):
    ranges, at = [], 0
    for _ in range(count):
        must(at < len(encoded) and 1 <= encoded[at] <= 64, "a GTID group is not 1 to 64 bytes")
        end = at + 1 + encoded[at]
        must(end + 16 <= len(encoded), "a GTID range is cut off")
        group, (first, last) = encoded[at + 1:end], struct.unpack_from("<QQ", encoded, end)
        must(first <= last, "a GTID range ends before it begins")
        must(not ranges or (group, first) > (ranges[-1][0], ranges[-1][2] + 1) or
             group > ranges[-1][0], "GTID ranges are out of order or not united")
        ranges.append((group, first, last))
        at = end + 16
    must(at == len(encoded), "bytes follow the last GTID range")
    return ranges


def read_end(plain, block, offset):
    begin, end = struct.unpack_from("<2Q", plain, 72)
    frames, sessions, how = struct.unpack_from("<2IB", plain, 120)
    must(block <= begin <= end == offset and begin % block == 0, "bad void range")
    must(1 <= how <= 7 and not any(plain[129:136]), "bad END")
    next_file = text(plain[136:264])
    must(not next_file or (how == 1 and BINLOG_NAME.match(next_file)), "bad next file")
    return {"void_begin": begin, "void_end": end, "void_hash": plain[88:120].hex(),
            "frame_count": frames, "session_count": sessions, "ended": ENDED[how],
            "next_file": next_file, "summary": dict(zip(SUMMARY,
                                                        struct.unpack_from("<8Q2I", plain)))}


def read_data(frame, state):
    plain = frame["plain"]
    count, size = struct.unpack_from("<2I", plain, 72)
    must(size <= 4096 and 80 + size < len(plain), "GTID ranges do not fit")
    events, ranges = plain[80 + size:], read_ranges(plain[80:80 + size], count)
    end, before = state["position"] + len(events), state["summary"]
    summary = read_summary(plain, before)
    must(summary == before or state["position"] < summary["event_end"] <= end,
         "events do not follow")
    must(bool(frame["flags"] & FIRST) == (state["position"] == before["event_end"]) and
         bool(frame["flags"] & LAST) == (summary["event_end"] == end), "first or last is wrong")
    state.update(position=end, summary=summary)
    return events, ranges


def read_segment(data, key, period):
    """The whole segment: header, END and list of (kind, position, content, ranges)."""
    header = read_header(data)
    block, start = header["block_size"], header["start_position"]
    cipher = AESGCM(segment_key(key, data) if period else key)
    offset, content = block, []
    try:
        offset = len(data) - block
        must(len(data) % block == 0 and offset >= block and
             struct.unpack("<Q", data[-8:])[0] == block, "no END")
        last = read_frame(cipher, data, offset, block)
        must(last["kind"] == END, "no END")
        end = read_end(last["plain"], block, offset)
        state = {"position": start, "sequence": 0, "sessions": 0,
                 "summary": dict.fromkeys(SUMMARY, 0) | {"event_end": start,
                                                         "transaction_end": start}}
        offset = block
        while offset < end["void_begin"]:
            frame = read_frame(cipher, data, offset, block)
            must(frame["kind"] != END, "END stands before the file's end")
            must(frame["sequence"] == state["sequence"], "sequence is broken")
            must(frame["position"] == state["position"], "position is broken")
            events, ranges = frame["plain"], []
            if frame["kind"] == DATA:
                events, ranges = read_data(frame, state)
            else:
                must(state["position"] == state["summary"]["event_end"], "session in an event")
                state["sessions"] += 1
            content.append((frame["kind"], frame["position"], events, ranges))
            state["sequence"] += 1
            offset += frame["total"]
        must(offset == end["void_begin"], "a frame passes the void range")
        must(hashlib.sha256(data[end["void_begin"]:end["void_end"]]).hexdigest() ==
             end["void_hash"], "void bytes are not those that END names")
        must(last["sequence"] == state["sequence"] == end["frame_count"] and
             last["position"] == state["position"] and end["summary"] == state["summary"] and
             end["session_count"] == state["sessions"], "END's totals are wrong")
    except Defect as defect:
        raise Defect(f"frame at offset {offset}: {defect}") from None
    return header, end, content


def describe(path, data, header, end, content):
    united = []
    for group, first, last in sorted(r for frame in content for r in frame[3]):
        if united and united[-1][0] == group and first <= united[-1][2] + 1:
            united[-1][2] = max(united[-1][2], last)
        else:
            united.append([group, first, last])
    return {"file": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
            "header": header, "end": end,
            "sessions": [events.hex() for kind, _, events, _ in content if kind == SESSION],
            "gtid_ranges": [[group.hex(), first, last] for group, first, last in united]}


def main(arguments):
    options = [a for a in arguments if a in ("--info", "--period")]
    rest = [a for a in arguments if a not in options]
    if rest[:1] == ["--key-file"] and len(rest) >= 3:
        with open(rest[1], encoding="ascii") as file:
            rest = [file.read().strip()] + rest[2:]
    if len(rest) < 2 or not re.match(r"[0-9a-f]{64}\Z", rest[0]):
        sys.stderr.write(__doc__)
        return 2
    status = 0
    for path in rest[1:]:
        with open(path, "rb") as file:
            data = file.read()
        try:
            header, end, content = read_segment(data, bytes.fromhex(rest[0]),
                                                "--period" in options)
        except Defect as defect:
            sys.stderr.write(f"{path}: {defect}\n")
            status = 3
            continue
        if "--info" in options:
            print(json.dumps(describe(path, data, header, end, content), sort_keys=True))
            continue
        good_end = end["summary"]["event_end"]
        for kind, position, events, _ in content:
            if kind == DATA and position < good_end:
                sys.stdout.buffer.write(events[:good_end - position])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
