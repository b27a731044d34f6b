"""A TCP proxy in front of a server: a network that can be cut, and that remembers what was sent.

Owns: a listening socket on a free port of 127.0.0.1, its connections and their threads; the
scratch's close ends them. Threads: `hold`, `resume` and `sent` may be called from any.
"""

import select
import socket
import threading

HOST = "127.0.0.1"
CHUNK = 1 << 16
REMEMBERED = 1 << 16  # bytes of each connection


class Proxy:
    """Stands where `server` stands: `host` and `port` are what a client connects to. The server
    sees it come from `address`.

    `limit` is how many bytes of the server a new connection gets before it is cut, or a function
    that is called for each; None: no limit. `cut_count` says how many were cut so.
    """

    def __init__(self, scratch, server, address=HOST):
        self.server, self.address = server, address
        self.limit, self.cut_count = None, 0
        self._listener = socket.create_server((HOST, 0))
        self.host, self.port = self._listener.getsockname()
        self.is_open = threading.Event()  # bytes pass
        self.is_open.set()
        self._ended = threading.Event()
        self._connections = []
        scratch.defer(self.stop)
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        """Cut the network: from now on no byte passes, and nobody is told."""
        self.is_open.clear()

    def resume(self):
        """The network is back. What was connected when it was cut stays dead."""
        for connection in self._connections:
            connection.end()
        self.is_open.set()

    def sent(self):
        """What clients have sent, [bytes of one connection], the oldest first."""
        return [bytes(connection.sent) for connection in self._connections]

    def delivered(self):
        """How many bytes of the server clients have got, of each connection, the oldest first."""
        return [connection.delivered for connection in self._connections]

    def stop(self):
        self._ended.set()
        self.is_open.set()
        self._listener.close()
        for connection in self._connections:
            connection.end()

    def _accept(self):
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            connection = _Connection(self, client)
            self._connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()


class _Connection:
    def __init__(self, proxy, client):
        self._proxy, self._client, self._is_open = proxy, client, proxy.is_open
        self._left = proxy.limit() if callable(proxy.limit) else proxy.limit
        self._upstream = None
        self._dead = False
        self.sent, self.delivered = bytearray(), 0

    def end(self):
        self._dead = True
        for side in (self._client, self._upstream):
            try:
                if side:
                    side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def run(self):
        with self._client:
            self._is_open.wait()
            if self._dead:
                return
            try:
                self._upstream = socket.create_connection(
                    (self._proxy.server.host, self._proxy.server.port),
                    source_address=(self._proxy.address, 0))
            except OSError:
                return  # the server is away: so is its connection
            with self._upstream:
                try:
                    while self._pass_on():
                        pass
                except OSError:
                    pass  # one side has gone: so does the other

    def _pass_on(self):
        self._is_open.wait()
        ready, _, _ = select.select([self._client, self._upstream], [], [], 1)
        self._is_open.wait()
        if self._dead:
            return False
        for side in ready:
            data = side.recv(CHUNK)
            if not data:
                return False
            if side is self._client:
                self.sent += data[:REMEMBERED - len(self.sent)]
                self._upstream.sendall(data)
            elif not self._to_client(data):
                return False
        return True

    def _to_client(self, data):
        if self._left is None:
            self._client.sendall(data)
            self.delivered += len(data)
            return True
        self._client.sendall(data[:self._left])
        self._left -= len(data)
        if self._left > 0:
            return True
        self._left = 0
        self._proxy.cut_count += 1
        return False
