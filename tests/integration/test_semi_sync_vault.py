"""Semi-sync with the whole vault: the keeper takes what its puller tells of it, and status shows it.

test_semi_sync plays the keeper, and so cannot see whether the real one keeps its puller.
"""

import unittest

from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage

QUICK = True

COMMITS = 50


class SemiSyncVaultTest(unittest.TestCase):
    def test_commits_wait_for_the_vault_and_status_says_so(self):
        with Stage(defaults={"semi-sync": "yes"}, server_options={"semi_sync": True}) as stage:
            vault, server = stage.vault, stage.server
            vault.start()
            wait_until(lambda: int(self.count(server, "clients")) == 1, 30,
                       lambda: f"the server has a replica:\n{vault.tail()}")
            before = int(self.count(server, "yes_tx"))
            server.sql("CREATE DATABASE semi; CREATE TABLE semi.t (i INT);"
                       + "INSERT INTO semi.t VALUES (1);" * COMMITS)
            self.assertEqual(int(self.count(server, "yes_tx")) - before, COMMITS + 2)
            vault.wait_covered(SOURCE, server)
            self.assertNotIn('"event":"puller.gone"', vault.log)
            wait_until(lambda: vault.source_status(SOURCE).get("semi_sync", {}).get("on"),
                       30, lambda: f"semi-sync is on: {vault.source_status(SOURCE)}")
            stage.archive()

    @staticmethod
    def count(server, name):
        return dict(server.sql("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_%'"))[
            f"Rpl_semi_sync_master_{name}"]


if __name__ == "__main__":
    unittest.main()
