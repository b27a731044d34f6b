"""The fault campaign, as long as a check can afford: SIGKILL at random moments under load."""

import unittest

from tests.integration.lab.campaign import Campaign
from tests.integration.lab.scratch import Scratch

SECONDS = 100


class CampaignTest(unittest.TestCase):
    def test_nothing_is_lost_or_doubled_whoever_is_killed(self):
        with Scratch() as scratch:
            campaign = Campaign(scratch, seed=2, seconds=SECONDS, stride=20,
                                report=lambda text: print(text, flush=True))
            campaign.run()
            print(campaign.summary())
            self.assertGreaterEqual(campaign.inspections, 2)
            self.assertGreater(campaign.done, 20)
            campaign.vault.stop()


if __name__ == "__main__":
    unittest.main()
