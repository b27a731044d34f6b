"""What the kernel has called durable is there after a power cut, byte count and name.

XFS reports success for a synced write that is under way when it shuts down, about once in five
shutdowns, and the bytes are gone after the next mount: see file_confirm_durable(). So this asks what
the project's own calls have told, in shutdowns of real file systems under load.
"""

import os
import struct
import unittest
from pathlib import Path

from tests.integration.lab import program, skip
from tests.integration.lab.loopfs import MEBIBYTE, LoopFileSystem
from tests.integration.lab.processes import Process, wait_until
from tests.integration.lab.scratch import Scratch

WAYS = ("ring", "append", "create")
BLOCK = 4096
CUTS = 60


class PowerCut(unittest.TestCase):
    def cut(self, scratch, file_system, number):
        """One cut under load; {way: (how much was told, how much is there)}."""
        directory = Path(file_system.path) / str(number)
        directory.mkdir()
        counters = {way: scratch.path / f"{way}.counter" for way in WAYS}
        for counter in counters.values():
            counter.write_bytes(bytes(8))

        def told(way):
            return struct.unpack("<Q", counters[way].read_bytes())[0]

        writers = [Process(scratch, way, [program("appender"), way, directory, counters[way]])
                   for way in WAYS]
        wait_until(lambda: all(told(way) >= 5 for way in WAYS), 30, "all are writing")
        file_system.power_cut(lambda: [
            wait_until(lambda: not writer.running(), 30, f"{writer.name} has seen the end")
            for writer in writers])
        sizes = {way: os.path.getsize(directory / way) // BLOCK for way in ("ring", "append")}
        sizes["create"] = len(list(directory.glob("create.*")))
        return {way: (told(way), sizes[way]) for way in WAYS}

    def check(self, kind):
        skip.require_loop(kind)
        with Scratch() as scratch:
            file_system = LoopFileSystem(scratch, kind=kind, size=600 * MEBIBYTE)
            for number in range(CUTS):
                for way, (told, there) in self.cut(scratch, file_system, number).items():
                    self.assertGreaterEqual(there, told, f"{way}, cut {number}")

    def test_xfs(self):
        self.check("xfs")

    def test_ext4(self):
        self.check("ext4")


if __name__ == "__main__":
    unittest.main()
