"""What an archive holds at this moment, read from its volume with nothing of Binvault taking part.

The period keys are unwrapped by the openssl command and the token, the frames are read by
tools/read_segment.py. Unlike a restore this needs no daemon, no seal and no END: after a SIGKILL of
everything it tells what was durable, torn tails and all.

    archive = Archive(volume, token)
    for transactions in archive.advance(): …  # bytes of whole transactions

Owns: nothing; reads only. Keeps one period key and one reader a segment, so that a second call reads
only what is new.
"""

import base64
import importlib.util
import json
import os
import struct
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import PROJECT

_SPEC = importlib.util.spec_from_file_location("read_segment", PROJECT / "tools/read_segment.py")
reader = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reader)

BLOCK = 4096


def unwrap(token, master, period):
    """What the leaf `period` wraps (period key and hash of its record), by the leaf `master`."""
    done = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-engine", "pkcs11", "-keyform", "engine",
         "-inkey", f"pkcs11:token={token.label};object={master['label']};type=private;"
         f"pin-value={token.pin}",
         "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"],
        input=base64.b64decode(period["wrap"]), capture_output=True, check=False,
        env={**os.environ, **token.environment, "PKCS11_MODULE_PATH": token.module})
    if done.returncode != 0 or len(done.stdout) != 64:
        raise RuntimeError(f"openssl does not unwrap period {period['period']}: "
                           f"{done.stderr.decode(errors='replace')}")
    return done.stdout


class Archive:
    """The archive on `volume`, whose master key is in `token`."""

    def __init__(self, volume, token):
        self._volume, self._token = Path(volume), token
        self._keys = {}      # period: its key
        self._segments = {}  # path: _Segment

    def advance(self):
        """The bytes of all transactions that have come to their end since the last call."""
        found = []
        for path in sorted(self._volume.glob("segments/*/*/*.seg")):
            segment = self._segments.get(path) or self._open(path)
            if segment and not segment.ended:
                found += [(segment, begin, whole) for begin, whole in segment.advance()]
        for segment, begin, whole in found:
            yield (self._rest_before(segment) if begin == segment.start else b"") + whole

    def _rest_before(self, segment):
        """How the transaction began that comes to its end in this segment, if in one before."""
        for other in self._segments.values():
            if other.file == segment.file and other.end == segment.start != other.start:
                before = self._rest_before(other) if other.rest_begin == other.start else b""
                return before + other.rest[:other.end - other.rest_begin]
        return b""

    def forget_open(self):
        """A power cut may have taken what was read but not durable: read it again."""
        self._segments = {path: segment for path, segment in self._segments.items()
                          if segment.ended}

    def leaves(self, kind):
        """The ledger's leaves of one type, without a check of anything."""
        found = []
        for path in sorted((self._volume / "ledger").glob("*.jsonl")):
            for line in path.read_bytes().splitlines(keepends=True):
                if line.startswith(b"{") and line.endswith(b"\n"):
                    leaf = json.loads(line)
                    if leaf.get("type") == kind:
                        found.append(leaf)
        return found

    def _open(self, path):
        with open(path, "rb") as file:
            header = file.read(BLOCK)
        if len(header) < BLOCK:
            return None  # torn while it was created: nothing has been archived in it
        period = reader.read_header(header)["period_id"]
        if period not in self._keys:
            self._unwrap_periods()
        self._segments[path] = _Segment(path, header, self._keys[period])
        return self._segments[path]

    def _unwrap_periods(self):
        masters = {leaf["sequence"]: leaf for leaf in self.leaves("master")}
        for leaf in self.leaves("period"):
            name = leaf["period"].replace("-", "")
            if name not in self._keys:
                self._keys[name] = unwrap(self._token, masters[leaf["master"]], leaf)[:32]


class _Segment:
    """One segment file, read as far as its frames authenticate."""

    def __init__(self, path, header, period_key):
        fields = reader.read_header(header)
        self.file, self.start = fields["file_id"], fields["start_position"]
        start = self.start
        self._path, self._offset = path, BLOCK
        self._cipher = AESGCM(reader.segment_key(period_key, header))
        self._state = {"position": start,
                       "summary": dict.fromkeys(reader.SUMMARY, 0) | {"event_end": start,
                                                                      "transaction_end": start}}
        self.rest, self.rest_begin = b"", start  # behind the last whole transaction
        self.ended = False

    @property
    def end(self):
        """The position behind the last whole event."""
        return self._state["summary"]["event_end"]

    def advance(self):
        """[(position, bytes)] of whole transactions that are new."""
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            data, at = file.read(), 0
        while not self.ended and at < len(data):
            try:
                frame = reader.read_frame(self._cipher, data, at, BLOCK)
            except reader.Defect:
                # A tail that is torn, or not yet whole; behind a torn one END may stand.
                self.ended = self._ends(data)
                return
            at += frame["total"]
            self._offset += frame["total"]
            if frame["kind"] == reader.END:
                self.ended = True
            elif frame["kind"] == reader.DATA:
                yield from self._take(reader.read_data(frame, self._state)[0])

    def _ends(self, data):
        try:
            last = reader.read_frame(self._cipher, data, len(data) - BLOCK, BLOCK)
        except (reader.Defect, struct.error):
            return False
        return last["kind"] == reader.END

    def _take(self, events):
        self.rest += events
        end = self._state["summary"]["transaction_end"]
        if end > self.rest_begin:
            begin, size = self.rest_begin, end - self.rest_begin
            whole, self.rest, self.rest_begin = self.rest[:size], self.rest[size:], end
            yield begin, whole
