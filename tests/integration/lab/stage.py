"""The whole scene of a test in one object: authority, token, one server, one vault for it.

    with Stage(worm="required", kind="xfs") as stage:
        stage.vault.start()
        stage.server.sql("…")
        stage.archive()

Owns: a scratch of its own with all of it; `close` ends everything.
"""

from .loopfs import LoopFileSystem
from .mariadb import MariaDB
from .pki import Authority
from .scratch import Scratch
from .token import Token
from .vault import Vault

SOURCE = "orders"


class Stage:
    """`kind` None: the archive is a plain directory; else a file system of that kind in an image.

    The vault is initialised and not started. `flavour` is the server's class. `proxy(server)` may
    put something else in the server's place for the vault; `server_options` go to the server,
    `options` into [archive].
    """

    def __init__(self, worm="advisory", kind=None, size=None, init=True, start=True, proxy=None,
                 server_options=None, flavour=MariaDB, **options):
        self.scratch = Scratch()
        try:
            self.authority = Authority(self.scratch.directory("pki"))
            self.token = Token(self.scratch.directory("token"))
            self.server = flavour(self.scratch, self.authority, **(server_options or {}))
            if start:
                self.server.start()
                self.server.create_archive_user()
            self.file_system = (LoopFileSystem(self.scratch, "volume", kind, size) if kind
                                else None)
            volume = self.file_system.path if kind else self.scratch.directory("volume")
            self.peer = proxy(self.server) if proxy else self.server
            self.vault = Vault(self.scratch, self.token, self.authority, volume,
                               {SOURCE: self.peer}, worm=worm, **options)
            if init:
                self.vault.init()
        except BaseException:
            self.scratch.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End everything; raises if a program has crashed on the way."""
        try:
            self.vault.stop()
            self.vault.check_log()
        finally:
            self.scratch.close()

    def archive(self, settled=True, timeout=60):
        """Rotate, and wait until all that the server wrote is durable and finished files sealed.

        Returns their names. Not `settled`: some other segment may be left as it is.
        """
        self.server.rotate()
        names = self.server.closed_binlogs()
        self.vault.wait_covered(SOURCE, self.server, timeout)
        self.vault.wait_sealed(SOURCE, *names, settled=settled, timeout=timeout)
        return names
