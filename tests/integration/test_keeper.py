"""The keeper dies, alone or with everything: nothing is lost and nobody else has to stop."""

import time
import unittest

from tests.integration.lab import evidence, skip
from tests.integration.lab.processes import wait_until
from tests.integration.lab.stage import SOURCE, Stage
from tests.integration.lab.traffic import MEBIBYTE, Traffic

QUICK = True


class KeeperTest(unittest.TestCase):
    def prove(self, stage):
        """All that the server wrote is archived, byte for byte, without gap or defect."""
        names = stage.archive(timeout=90)
        stage.vault.verb("verify")
        stage.vault.verb("restore", SOURCE, "--to", "proof")
        evidence.compare_restore(stage.server, stage.vault.export / "proof", names)
        self.assertIn(" 0 gaps", stage.vault.verb("list", SOURCE))

    def test_a_puller_goes_on_with_its_segment_while_keepers_die(self):
        with Stage() as stage:
            stage.vault.start()
            wait_until(lambda: stage.vault.source_status(SOURCE).get("state") == "streaming", 30,
                       stage.vault.tail)
            pullers = stage.vault.pids("binvault-pull")
            traffic = Traffic(stage.server, seed=11, seconds=9, clients=2, largest=4 * MEBIBYTE)
            traffic.start()
            for _ in range(4):
                time.sleep(1.8)
                wait_until(lambda: stage.vault.kill("binvault-keeper"), 10, "a keeper is killed")
            traffic.wait()
            self.prove(stage)
            self.assertEqual(stage.vault.pids("binvault-pull"), pullers)
            self.assertNotIn("recovered", stage.vault.verb("list", SOURCE))

    def test_a_power_cut_loses_nothing_that_was_acknowledged(self):
        skip.require_loop("xfs")
        with Stage(kind="xfs", size=600 * MEBIBYTE, worm="required") as stage:
            traffic = Traffic(stage.server, seed=12, seconds=8, clients=2, largest=4 * MEBIBYTE)
            traffic.start()
            for _ in range(3):
                stage.vault.start()
                time.sleep(2.5)
                covered = stage.vault.source_status(SOURCE)["covered"]
                stage.vault.kill9()
                stage.file_system.power_cut()
                self.assert_holds(stage, covered)
            traffic.wait()
            stage.vault.start()
            self.prove(stage)
            self.assertEqual(stage.vault.run_verb("status").returncode, 0)

    def assert_holds(self, stage, covered):
        """What status called covered is still covered after the restart."""
        stage.vault.start()

        def position():
            now = stage.vault.source_status(SOURCE).get("covered", {})
            return now.get("file", ""), int(now.get("position", 0))

        wait_until(lambda: position() >= (covered["file"], int(covered["position"])), 30,
                   lambda: f"{covered} is covered again: {position()}\n{stage.vault.tail()}")
        stage.vault.stop()

    def test_two_keepers_do_not_run_on_one_archive(self):
        with Stage() as stage:
            stage.vault.start()
            wait_until(lambda: stage.vault.source_status(SOURCE).get("state") == "streaming", 30,
                       stage.vault.tail)
            second = stage.vault.run_verb("run", timeout=20)
            self.assertNotEqual(second.returncode, 0)
            self.assertIn("already", second.stderr)
            self.assertTrue(stage.vault.running())

    def test_an_orderly_stop_leaves_nothing_open_and_nothing_unsigned(self):
        with Stage() as stage:
            stage.vault.start()
            stage.server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT)")
            stage.vault.wait_covered(SOURCE, stage.server)
            wait_until(lambda: stage.vault.status()["keys"]["hsm"] == "ok", 30, stage.vault.tail)
            self.assertEqual(stage.vault.stop(), 0)
            status = stage.vault.run_verb("status")
            self.assertEqual(status.returncode, 5)
            self.assertIn("open or pending: 0", status.stdout)
            self.assertIn("0 leaves unsigned", status.stdout)


if __name__ == "__main__":
    unittest.main()
