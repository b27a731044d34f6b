"""Which servers there are for tests, and which of them can be had on this machine.

    @needs(MySQL)                     a class or a method: skipped, with the reason, without MySQL
    for flavour in available(): …     what can be had, at least MariaDB 10.11
    primary, replica = pair(MySQL, scratch, authority)

What cannot be had is packages of another Debian suite, which is nobody's defect here: such a skip
never counts as failed, and the runner's last line counts it.
"""

import functools
import unittest

from .mariadb import MariaDB, MariaDB118
from .mysql import MySQL

ALL = (MariaDB, MariaDB118, MySQL)


def available():
    """The classes of the servers that can be had here."""
    return [flavour for flavour in ALL if not flavour.missing()]


def labelled(label):
    """The class for a label, as options of tools name it; RuntimeError with the reason if none."""
    flavour = next((flavour for flavour in ALL if flavour.label == label), None)
    if flavour is None:
        raise RuntimeError(f"there is no server {label}: " +
                           ", ".join(flavour.label for flavour in ALL))
    if flavour.missing():
        raise RuntimeError(f"{flavour.title}: {flavour.missing()}")
    return flavour


def needs(*flavours):
    """A decorator for test classes and methods that need all of these flavours."""
    def decorate(item):
        if isinstance(item, type):
            reason = next((f"{flavour.title}: {flavour.missing()}" for flavour in flavours
                           if flavour.missing()), None)
            return unittest.skip(reason)(item) if reason else item

        @functools.wraps(item)
        def method(*arguments, **options):
            for flavour in flavours:
                flavour.require()
            return item(*arguments, **options)
        return method
    return decorate


def pair(flavour, scratch, authority, **options):
    """Two running servers, `primary` (id 31) and `replica` (id 32), that replicate by GTID."""
    primary = flavour(scratch, authority, name="primary", server_id=31, **options)
    replica = flavour(scratch, authority, name="replica", server_id=32, **options)
    primary.start()
    replica.start()
    replica.replicate_from(primary)
    return primary, replica
