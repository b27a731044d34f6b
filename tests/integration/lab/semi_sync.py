"""Rounds of SIGKILL with semi-sync: no transaction whose COMMIT returned is missing from the archive.

As in `campaign`, but every commit waits for the archive (AFTER_SYNC, a time-out of a day, no
fall-back while there is no replica), and the server is killed as well, alone or with the vault. After
every kill, before anything is started again, what has returned is looked up on the volume itself
(`archive`): had the server's machine been lost at that moment, nobody would lack a transaction that
was promised to somebody. The commits must then go on. Each inspection asks also that the server
after its recoveries and the archive hold the same transactions, that no generation has begun, and
that the server has never given up waiting.

Moment, victims and order of a round depend on the seed and the round's number alone: `first` begins
with a later round, to repeat one.
"""

import json
import random
import time

from .archive import Archive
from .campaign import DAEMON, SOURCE, Campaign
from .commits import Commits, names
from .processes import wait_until

DAY_MSEC = 86_400_000
GAVE_UP = ("Timeout waiting for reply of binlog", "replication switched OFF")
VICTIMS = {
    "puller": 5, "keeper": 4, "hsm": 2, "puller and keeper": 2, "vault": 3, "power": 2,
    "server": 4, "server and puller": 2, "server and vault": 4, "server and power": 2,
}


class SemiSyncCampaign(Campaign):
    """`largest` has no meaning here; `first` is the number of the first round."""

    victims = VICTIMS
    # Who waited for frame-delay would be found out: hardly a commit would return in a round.
    options = {**Campaign.options, "frame-delay": "2s"}
    defaults = {"semi-sync": "yes"}

    def __init__(self, scratch, first=1, **options):
        super().__init__(scratch, **options)
        self._first = first
        self.described = "before the first round"
        self.archive = Archive(self.vault.volume, self.vault.token)
        self._archived = set()
        self.commits = Commits(self.server, seed=self.seed)
        # Not before the archive's account was made: nobody would have acknowledged that.
        self.server.semi_sync = True
        self.server.set_options(f"--rpl-semi-sync-{self.server.semi_sync_role}-timeout={DAY_MSEC}")
        self.server.restart()
        self.commits.prepare()

    # -- rounds ----------------------------------------------------------------------------------
    def _start_traffic(self):
        self.commits.start()

    def _stop_traffic(self):
        self.commits.stop()

    def _round(self):
        self.done += 1
        number = self._first + self.done - 1
        self.random = random.Random(f"{self.seed}.{number}")
        victims = self._choose()
        moment = self.random.uniform(0.02, 1.0)
        self.described = f"round {number}: {victims} after {moment:.3f} s"
        self.kills[victims] += 1
        time.sleep(moment)
        self._check_waiting()
        before = self._covered()
        ended = victims.split(" and ")
        self.random.shuffle(ended)
        for victim in ended:
            self._kill(victim)
            time.sleep(self.random.choice([0, 0, 0.001, 0.02]))
        self._check_returned(power="power" in ended)
        self._start_again(ended, before)
        # Some rounds strike while the last one is still being recovered from.
        if self.random.random() < 0.7:
            self._check_commits_go_on()
        self.commits.check()

    def _kill(self, victim):
        if victim == "server":
            self.server.kill9()
        elif victim in ("vault", "power"):
            self._end_everything(victim == "power")
        else:
            self.vault.kill(DAEMON[victim])

    def _start_again(self, ended, before):
        vault = {"vault", "power"} & set(ended)
        starts = [self.server.start] if "server" in ended else []
        starts += [self.vault.start] if vault else []
        self.random.shuffle(starts)
        for start in starts:
            time.sleep(self.random.choice([0, 0, self.random.uniform(0, 0.5)]))
            start()
        if vault:
            self._check_place(before)

    # -- what must hold --------------------------------------------------------------------------
    def _check_returned(self, power=False):
        """What has returned is on the volume."""
        returned = self.commits.take_returned()
        if power:
            self.archive.forget_open()
        for transactions in self.archive.advance():
            self._archived |= names(transactions)
        missing = sorted(set(returned) - self._archived)
        if missing:
            raise AssertionError(f"{len(missing)} of {len(returned)} transactions whose COMMIT had "
                                 f"returned are not in the archive, the first is {missing[0]}")

    def _check_commits_go_on(self):
        count = self.commits.count

        def go_on():
            self.commits.check()
            return self.commits.count >= count + 10

        wait_until(go_on, 90, lambda: (
            f"commits return: {self.vault.source_status(SOURCE)}\n{self._semi_sync_status()}"),
            interval=0.01)

    def _check_waiting(self):
        """The server has let no commit go without an acknowledgement."""
        status = self._semi_sync_status()
        given_up = [value for name, value in status.items() if name.endswith("_no_tx")]
        if given_up != ["0"]:
            raise AssertionError(f"the server did not wait: {status}")

    def _semi_sync_status(self):
        return dict(self.server.sql("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'"))

    def inspect(self, final=True):
        super().inspect(final)
        self._check_waiting()
        self._check_returned()
        committed = self.commits.committed()
        if committed != self._archived:
            raise AssertionError(
                f"only the server has {sorted(committed - self._archived)[:3]}, "
                f"only the archive has {sorted(self._archived - committed)[:3]}")
        for line in self.server.whole_log().splitlines():
            if any(words in line for words in GAVE_UP):
                raise AssertionError(f"the server gave up waiting: {line}")
        if generations := self.archive.leaves("generation"):
            raise AssertionError(f"a generation has begun: {generations[0]}")
        self.report(f"{self.commits.count} commits returned, all archived; {len(committed)} in "
                    "the server and the archive")

    def summary(self):
        return json.dumps({**json.loads(super().summary()), "returned": self.commits.count,
                           "archived": len(self._archived)})
