"""Runs the tests of the image: one line a test, then `N passed, N failed, N skipped`."""

import sys
import time
import unittest
from pathlib import Path


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()

    def report(self, word, test, words=""):
        print(f"{word} {test.id().removeprefix('image.tests.')} "
              f"{time.monotonic() - getattr(self, 'begin', time.monotonic()):.0f} s {words}",
              flush=True)

    def addSuccess(self, test):
        self.report("passed", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report("FAILED", test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.report("FAILED", test, self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report("skipped", test, reason)


def main():
    tests = unittest.TestLoader().discover("image/tests", top_level_dir=str(Path.cwd()))
    result = Result()
    tests.run(result)
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    passed = result.testsRun - failed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
