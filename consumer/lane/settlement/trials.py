"""Trials: customers whose calls were refused alone. Is it the customer, campaign or account?

The customer waits apart from its window, so that it spoils no other customer's call, and is called
alone again. A refusal is *confirmed* once a call of the account that was sealed later is accepted
and the campaign accepted another customer since the first refusal. `CERTAIN` confirmed refusals
reject the customer; one accepted call settles it; otherwise it waits until it expires.

    refused ──later call accepted──► confirmed 1, 2 ──called again──► refused …
       │                                 └── confirmed 3 ──► rejected
       └── pause (4 s … 600 s) ──► called again
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from consumer.lane.account.accounts import Accounts
from consumer.lane.account.circuit_breaker import PACES
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.fitness import Fitness
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import CallFacts
from consumer.lane.state.settings import LaneCampaign, RankedByCampaign
from consumer.records.result import Reason

CERTAIN = 3
"""Confirmed refusals of a customer alone that reject it. At 2 % stray refusals a good customer
meets three in 8 of a million calls."""


@dataclass(slots=True, eq=False)
class Trial(RankedByCampaign):
    """A customer on trial. It waits for permits like a window. Call times are times of sealing."""

    rules: LaneCampaign
    pending: PendingInvitation
    facts: CallFacts
    first_refused: float
    refused_at: float
    confirmed: int = 0
    failures: int = 0
    not_before: float = 0.0
    under_way: bool = False
    judged: bool = False
    """Whether the last refusal was confirmed."""
    max_batch: int = 1
    growth: float = 1.0

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.pending.campaign

    @property
    def ready(self) -> int:
        """One customer, unless its call is in flight."""
        return 0 if self.under_way else 1

    @property
    def oldest(self) -> float:
        """When the customer's invitation arrived."""
        return self.pending.arrived

    def waited(self, now: float) -> float:
        """Return the customer-seconds."""
        return now - self.pending.arrived

    def confirm(self, accepted_at: float, campaign_accepted_at: float, now: float) -> bool:
        """Confirm the last refusal if other calls passed. Return True if it is the last needed."""
        later = accepted_at > self.refused_at and campaign_accepted_at > self.first_refused
        if not later or self.under_way or self.judged:
            return False
        self.confirmed, self.judged, self.not_before = self.confirmed + 1, True, now
        return self.confirmed >= CERTAIN

    def record_refused(self, facts: CallFacts, sealed_at: float) -> None:
        """Record that its call was refused again."""
        self.facts, self.refused_at = facts, sealed_at
        self.under_way = self.judged = False

    def pause(self, at: float, rng: random.Random, trials: int) -> None:
        """Wait longer each time, and longer with more `trials`: while no other call is accepted,
        another attempt tells little and costs a permit."""
        first, longest = PACES["ill"][0], PACES["refused"][1]
        pause = min(longest, first * 2.0 ** min(self.failures, 10) * trials)
        self.not_before = at + rng.uniform(pause / 2, pause)
        self.failures += 1


@dataclass(slots=True)
class Trials:
    """The customers of a lane that are on trial."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    _accounts: Accounts
    _fitness: Fitness
    _rng: random.Random
    _trials: list[Trial] = field(default_factory=list)

    def __iter__(self) -> Iterator[Trial]:
        """Iterate over the present ones; some may end meanwhile."""
        return iter(tuple(self._trials))

    def add(self, call: AnsweredCall) -> None:
        """Put the customer of a refused call on trial."""
        (pending,), sealed_at = call.batch.invitations, call.batch.sealed_at
        first = self._accounts.campaigns[pending.campaign].together.get(pending.offset, sealed_at)
        trial = Trial(call.batch.rules, pending, call.facts, first, sealed_at)
        self._trials.append(trial)
        self._pause(trial, call.at)

    def remove(self, trial: Trial) -> None:
        """End a trial; what becomes of its customer is decided elsewhere."""
        self._trials.remove(trial)

    def ends(self, trial: Trial, call: AnsweredCall) -> bool:
        """Record the answer to a trial's call. Return True if the trial ends by it."""
        trial.under_way = False
        if call.news.refused:
            trial.record_refused(call.facts, call.batch.sealed_at)
            self._pause(trial, call.at)
            return False
        if call.outcome.throttled or call.outcome.relogin:
            trial.not_before = call.at
            return False
        self.remove(trial)
        return True

    def confirm(self, vendor: str, at: float) -> None:
        """Confirm trials by an accepted call: the account did not cause their earlier refusals."""
        proved_at = self._accounts.proved_at(vendor)
        for trial in [trial for trial in self if trial.rules.vendor == vendor]:
            breaker = self._accounts.campaigns[trial.campaign]
            alone = breaker.alone.keys() <= {trial.pending.offset}
            if alone and trial.confirm(proved_at, breaker.accepted_at, at):
                self.remove(trial)
                trial.pending.attempt += 1
                self._outbox.end_buffered(trial.pending, Reason.VENDOR_REJECTED, trial.facts)

    def acquit(self, which: Callable[[Trial], bool]) -> None:
        """End these trials: their invitations wait in their windows again."""
        for trial in self:
            if trial.ready and which(trial):
                self.remove(trial)
                self._buffer.window(trial.campaign).add(trial.pending)

    def end_unfit(self, trial: Trial, now: float) -> bool:
        """End or delay a trial that a rule holds back or that no longer fits, with the facts of its
        last call. Return whether it did."""
        held = self._fitness.held_back(trial.pending, now)
        if held is not None:
            self.remove(trial)
            self._fitness.dismiss(trial.pending, held, now, trial.facts)
        return held is not None

    def _pause(self, trial: Trial, at: float) -> None:
        """Pause a trial. The more trials or open campaigns there are, the longer: together they
        spend few permits."""
        campaigns = self._accounts.open_campaigns(trial.rules.vendor)
        trial.pause(at, self._rng, max(len(self._trials), campaigns))
