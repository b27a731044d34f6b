"""The plain content of a binlog that a server has encrypted, by the lab's own reading of its file.

So that what an archive of an encrypted source holds is compared with the file on the server's disk
and not only with another stream of the same server. Keys come from the lab's key files.

MySQL: 512 bytes of header, in them the file's password under the keyring's key (AES-256-CBC); the
rest under AES-256-CTR with key and counter from SHA-512 of the password.
MariaDB: after START_ENCRYPTION (type 164, with a nonce) each event for itself under AES-256-CBC
without padding, nonce and offset as the vector; its length stays readable in its place.
"""

import hashlib
import json
import struct
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .binlog import HEADER

START_ENCRYPTION = 164
IGNORABLE = 0x0080
MYSQL_MAGIC, MYSQL_HEADER_SIZE = b"\xfdbin", 512
BLOCK = 16


def plain(server, name):
    """The file as the server sends it."""
    content = server.binlog_path(name).read_bytes()
    return (_mysql if server.flavour == "mysql" else _mariadb)(content, server)


def _mysql(content, server):
    if content[:4] != MYSQL_MAGIC or content[4] != 1:
        raise ValueError("this is no encrypted binlog of MySQL")
    fields, at = {}, 5
    while content[at]:  # 1: the key's name, with a length; 2: the password; 3: its vector
        kind, size = content[at], {2: 32, 3: BLOCK}.get(content[at])
        if size is None:
            at, size = at + 1, content[at + 1]
        fields[kind] = content[at + 1:at + 1 + size]
        at += 1 + size
    ring = json.loads((server.directory / "keyring" / "keys").read_text())
    key = next(bytes.fromhex(element["data"]) for element in ring["elements"]
               if element["data_id"] == fields[1].decode())
    password = _decrypt(key, modes.CBC(fields[3]), fields[2])
    derived = hashlib.sha512(password).digest()
    counter = derived[32:40] + bytes(8)
    return _decrypt(derived[:32], modes.CTR(counter), content[MYSQL_HEADER_SIZE:])


def _mariadb(content, server):
    key = bytes.fromhex((server.directory / "keys").read_text().split(";")[1])
    result, at, nonce = bytearray(content[:4]), 4, None
    while at < len(content):
        length, = struct.unpack_from("<I", content, at + 9)
        event = content[at:at + length]
        if nonce:
            event = _mariadb_event(event, key, nonce + struct.pack("<I", at))
        elif event[4] == START_ENCRYPTION:
            nonce = event[HEADER.size + 5:HEADER.size + 17]
            event = _as_sent(event)
        result += event
        at += length
    return bytes(result)


def _mariadb_event(event, key, vector):
    # The length has changed places with the first four bytes.
    secret = event[4:9] + event[:4] + event[13:]
    whole = len(secret) // BLOCK * BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    mask = encryptor.update(vector)
    text = (_decrypt(key, modes.CBC(vector), secret[:whole])
            + bytes(one ^ other for one, other in zip(secret[whole:], mask)))
    return text[5:9] + text[:5] + event[9:13] + text[9:]


def _as_sent(event):
    """The server tells a replica, for which the stream is plain, to pass over this event."""
    fields = list(HEADER.unpack_from(event))
    fields[-1] |= IGNORABLE
    body = HEADER.pack(*fields) + event[HEADER.size:-4]
    return body + struct.pack("<I", zlib.crc32(body))


def _decrypt(key, mode, data):
    decryptor = Cipher(algorithms.AES(key), mode).decryptor()
    return decryptor.update(data) + decryptor.finalize()
