"""Semi-sync's promise, as long as a check can afford: SIGKILL of vault and server at random."""

import unittest

from tests.integration.lab.flavours import MariaDB, MySQL, needs
from tests.integration.lab.scratch import Scratch
from tests.integration.lab.semi_sync import SemiSyncCampaign

SECONDS = 180  # of both, so that they begin first


class SemiSyncCampaignTest(unittest.TestCase):
    def campaign(self, flavour, seed, seconds):
        with Scratch() as scratch:
            campaign = SemiSyncCampaign(scratch, flavour=flavour, seed=seed, seconds=seconds,
                                        stride=20, report=lambda text: print(text, flush=True))
            try:
                campaign.run()
            except Exception as reason:
                raise AssertionError(
                    f"{reason}\nto be repeated: tools/campaign --semi-sync --server "
                    f"{flavour.label} --seed {seed} --rounds 20 --first N, of N = "
                    f"{campaign.described}\n{campaign.vault.tail(40)}") from reason
            print(campaign.summary())
            self.assertGreater(campaign.done, 10)
            self.assertGreater(campaign.commits.count, 200)
            campaign.vault.stop()

    def test_no_commit_that_returned_is_missing_from_the_archive(self):
        self.campaign(MariaDB, seed=1, seconds=110)

    @needs(MySQL)
    def test_nor_with_mysql(self):
        self.campaign(MySQL, seed=2, seconds=70)


if __name__ == "__main__":
    unittest.main()
