"""Semi-sync: a commit returns when, and only when, the archive holds it durably."""

import threading
import time
import unittest

from tests.integration.lab.processes import wait_until
from tests.integration.test_pull_stream import PullTest

QUICK = True

HUGE_TIMEOUT = 600_000  # milliseconds: the server never falls back


class SemiSyncTest(PullTest):
    server_options = {"options": [f"--rpl-semi-sync-master-timeout={HUGE_TIMEOUT}",
                                  "--rpl-semi-sync-master-wait-point=AFTER_SYNC"]}

    def setUp(self):
        super().setUp()
        # What a commit takes without any of it must not be mistaken for waiting.
        self.options["frame-delay"] = "5s"
        self.source["semi-sync"] = "yes"

    def status(self, name):
        return self.server.sql(f"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_{name}'")[0][1]

    def enable(self):
        """Only now: with nobody to acknowledge, commits would wait."""
        self.server.sql("SET GLOBAL rpl_semi_sync_master_enabled=ON")
        self.addCleanup(self.server.sql, "SET GLOBAL rpl_semi_sync_master_enabled=OFF")

    def wait_registered(self):
        self.wait(lambda: self.status("clients") == "1", "the server counts us as a replica")

    def test_commits_return_as_soon_as_they_are_durable(self):
        self.first_of_now()
        self.start()
        self.enable()
        self.wait_registered()
        self.server.sql("CREATE DATABASE IF NOT EXISTS semi; CREATE OR REPLACE TABLE semi.t (i INT)")
        begin = time.monotonic()
        self.server.sql("".join(f"INSERT INTO semi.t VALUES ({i});" for i in range(200)))
        elapsed = time.monotonic() - begin
        print(elapsed)
        self.assertLess(elapsed, 4)
        self.assertGreaterEqual(int(self.status("yes_tx")), 200)
        self.assertEqual(self.status("no_tx"), "0")
        self.stop()


if __name__ == "__main__":
    unittest.main()
