"""What becomes of invitations: by an answer to their call, by expiry, or because they cannot go.

An answer settles its call, sends it back to its window, parks its campaign, or divides it to find
the bad recipients; see `Outcome` for which of them, and `bisection` for how.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import chain

from consumer.lane.accounts import Accounts
from consumer.lane.backoff import full_jitter
from consumer.lane.bisection import Bisection
from consumer.lane.commands import Batch
from consumer.lane.due import Due
from consumer.lane.held import Held
from consumer.lane.ladder import wait_of
from consumer.lane.results import NO_CALL, CallFacts
from consumer.lane.settings import LaneCampaign, LaneSettings
from consumer.lane.shelf import Shelf
from consumer.lane.throttling import Throttling
from consumer.lane.window import Window
from consumer.model import Outcome, Reason, Verdict

MOST_BISECTIONS = 2
"""Refused batches of a campaign that are divided at a time, before its next one is called."""

MOST_MEMORY = 1 / 2
"""Share of the memory that may be divided: who is divided cannot be given up for others."""


class Outcomes:
    """All that ends, waits again, or is put off. `bisections`: refused batches that are divided."""

    def __init__(
        self,
        shelf: Shelf,
        due: Due,
        accounts: Accounts,
        throttling: Throttling,
        rng: random.Random,
    ) -> None:
        self.bisections: list[Bisection] = []
        self._shelf = shelf
        self._due = due
        self._accounts = accounts
        self._throttling = throttling
        self._rng = rng
        self._told: list[Bisection] = []

    @property
    def _settings(self) -> LaneSettings:
        return self._shelf.settings

    def of_call(
        self,
        batch: Batch,
        part_of: Bisection | None,
        outcome: Outcome,
        facts: CallFacts,
        at: float,
    ) -> None:
        """A call was answered: of a whole batch, or of a part of a divided one."""
        vendor = batch.rules.vendor
        # Who stands alone is news: a vendor that falls ill meanwhile costs three of them, not all.
        expected = part_of is not None and outcome.divisible and len(batch.held) > 1
        recovered = self._accounts.answered(
            vendor, outcome, batch.sealed_at, at, expected=expected and outcome.trouble
        )
        if part_of is None:
            self._whole_answered(batch, outcome, facts, at)
        else:
            self._part_answered(part_of, batch, outcome, facts, at)
        if recovered:
            self._revive(vendor, at)
        elif not self._accounts.well(vendor):
            self._dissolve(lambda each: each.rules.vendor == vendor)
        if self.parked(batch.campaign, at):  # or it left the config meanwhile
            self.drop_campaign(batch.campaign, at)

    def parked(self, campaign: str, now: float) -> bool:
        """It cannot go soon: the config does not know it, or the vendor cannot use it."""
        known = campaign in self._settings.campaigns
        return not known or self._shelf.window(campaign).parked_until > now

    def follow(self) -> None:
        """Another config: who is divided goes by its rules."""
        for bisection in self.bisections:
            known = self._settings.campaigns.get(bisection.campaign)
            bisection.rules = known or bisection.rules

    def sweep(self, now: float) -> None:
        """End what expired while it waited."""
        for window in self._shelf.windows.values():
            for held in window.drop_expired(now):
                self.end_held(held, Reason.EXPIRED_WAITING)
        for bisection in list(self.bisections):
            self.sweep_part(bisection, now)

    def sweep_part(self, bisection: Bisection, now: float) -> None:
        """The same for one that is divided, which may end by it."""
        for held in bisection.drop(lambda each: each.expired(now)):
            self.end_held(held, Reason.EXPIRED_WAITING)
        self._end_if_empty(bisection)

    def end_held(self, held: Held, reason: Reason, facts: CallFacts = NO_CALL) -> None:
        """One that was on the shelf is final."""
        self._shelf.forget(held)
        self.end(held, reason, facts)

    def end(self, held: Held, reason: Reason, facts: CallFacts = NO_CALL) -> None:
        """One that never was there is."""
        self._due.end(held, reason, self._settings.campaigns.get(held.campaign), facts)

    def drop_campaign(self, campaign: str, now: float) -> None:
        """It cannot go soon: all of it is put off."""
        self._dissolve(lambda each: each.campaign == campaign)
        self._put_off_all(self._shelf.window(campaign), now)

    def ended_bisections(self) -> list[Bisection]:
        """Those that ended since this was asked last."""
        told, self._told = self._told, []
        return told

    def _whole_answered(self, batch: Batch, outcome: Outcome, facts: CallFacts, at: float) -> None:
        window = self._shelf.window(batch.campaign)
        match _verdict(batch, outcome):
            case Verdict.ACCEPTED:
                window.failures = 0
                self._throttling.accepted()
                self._settle(batch, Reason.ACCEPTED, facts)
            case Verdict.REJECTED if outcome.divisible and len(batch.held) > 1:
                if self._too_many(batch):
                    window.extend(batch.held)
                else:
                    self._divide(batch.rules, batch.held, facts)
            case Verdict.REJECTED:
                window.failures = 0
                self._settle(batch, Reason.VENDOR_REJECTED, facts)
            case Verdict.IN_DOUBT:
                self._settle(batch, Reason.NO_ANSWER, facts)
            case _:  # RETRY: whoever has attempts left waits for the next
                self._put_back(batch, window, outcome, facts, at)
                if outcome.parked:
                    self._park(window, at)

    def _put_back(
        self, batch: Batch, window: Window, outcome: Outcome, facts: CallFacts, at: float
    ) -> None:
        limit = batch.rules.max_attempts
        silent = outcome.verdict is Verdict.IN_DOUBT
        spent = Reason.NO_ANSWER if silent else Reason.ATTEMPTS_EXHAUSTED
        again: list[Held] = []
        ending: list[Held] = []
        for held in batch.held:
            held.attempt += outcome.counts
            if held.attempt >= limit and outcome.counts:
                ending.append(held)
            else:
                again.append(held)
                if outcome.counts:
                    self._due.tries.put(held.offset, held.attempt)
        several = outcome.divisible and len(ending) > 1
        if several and self._accounts.well(batch.rules.vendor):
            self._divide(batch.rules, ending, facts)
        elif several:  # divided when the vendor is well again; until then they are tried one by one
            again += ending
        else:
            for held in ending:
                self.end_held(held, spent, facts)
        window.extend(again)
        if not (outcome.throttled or outcome.relogin or outcome.unattributed):
            self._back_off(batch, window, at)

    def _back_off(self, batch: Batch, window: Window, at: float) -> None:
        """Of calls that were out together, the first to fail says what the others repeat.

        A vendor that is ill has a pause of its own, for all its campaigns.
        """
        if batch.sealed_at >= window.failed_at:
            window.failures, window.failed_at = window.failures + 1, at
        if self._accounts.well(batch.rules.vendor):
            window.not_before = at + full_jitter(window.failures, self._rng)
            window.changed[window.campaign] = None  # it may be earlier than what the first drew

    def _settle(self, batch: Batch, reason: Reason, facts: CallFacts) -> None:
        """Every invitation of the batch ends alike."""
        self._due.end_all(batch.held, reason, batch.rules, facts)
        for held in batch.held:
            self._shelf.forget(held)

    def _park(self, window: Window, now: float) -> None:
        """The vendor cannot use the campaign: it is asked again now and then, by who comes back."""
        self._dissolve(lambda each: each.campaign == window.campaign)
        window.failures = max(1, window.failures)  # 0 if a later call than this was accepted
        window.parked_until = window.not_before = now + wait_of(window.failures - 1)
        self._put_off_all(window, now)

    def _put_off_all(self, window: Window, now: float) -> None:
        for held in window.drop(lambda _each: True):
            self._shelf.forget(held)
            self._due.delay(held, now, wait_of(held.delays))

    def _revive(self, vendor: str, at: float) -> None:
        """The vendor is well again: nobody waits for a backoff of before."""
        for window in self._shelf.windows.values():
            known = self._settings.campaigns.get(window.campaign)
            if known and known.vendor == vendor and window.parked_until <= at:
                window.failures, window.not_before = 0, 0.0
                window.changed[window.campaign] = None

    def _divide(self, rules: LaneCampaign, many: Sequence[Held], facts: CallFacts) -> None:
        """Somebody among them is bad: find out who, with smaller calls."""
        now = self._settings.campaigns.get(rules.name, rules)
        bisection = Bisection(now, list(many), facts=facts)
        self.bisections.append(bisection)
        self._carry_on(bisection)

    def _too_many(self, batch: Batch) -> bool:
        """Whether dividing this one too would leave other campaigns too little memory. It is called
        again as a whole then, after those that are divided."""
        own = sum(each.campaign == batch.campaign for each in self.bisections)
        if own < MOST_BISECTIONS:
            return False
        sizes = [held.size for held in chain(chain.from_iterable(self.bisections), batch.held)]
        bounds = self._settings
        return (
            len(sizes) > bounds.max_held * MOST_MEMORY
            or sum(sizes) > bounds.max_held_bytes * MOST_MEMORY
        )

    def _part_answered(
        self, bisection: Bisection, batch: Batch, outcome: Outcome, facts: CallFacts, at: float
    ) -> None:
        window = self._shelf.window(batch.campaign)
        match _verdict(batch, outcome):
            case Verdict.ACCEPTED:
                window.failures = 0
                self._throttling.accepted()
                self._settle(batch, Reason.ACCEPTED, facts)
                bisection.accepted()
            case Verdict.IN_DOUBT:
                self._settle(batch, Reason.NO_ANSWER, facts)
                bisection.gone()
            case Verdict.RETRY if outcome.trouble and not outcome.divisible:
                bisection.gone()  # no special case any more: it waits, and its attempts count
                self._put_back(batch, window, outcome, facts, at)
            case Verdict.RETRY if not outcome.divisible:
                bisection.again()
                if outcome.parked:
                    self._systematic(bisection, at)
            case verdict:
                if bisection.refused():
                    rejected = verdict is Verdict.REJECTED
                    alone = Reason.VENDOR_REJECTED if rejected else Reason.ATTEMPTS_EXHAUSTED
                    self._settle(batch, alone, facts)
        if bisection.systematic:
            self._systematic(bisection, at)
        self._carry_on(bisection)

    def _carry_on(self, bisection: Bisection) -> None:
        """Until nobody is left, or no call."""
        if bisection.spent:
            for held in bisection.drop(lambda _each: True):
                held.attempt += 1
                self.end_held(held, Reason.BISECT_SPENT, bisection.facts)
        self._end_if_empty(bisection)

    def _systematic(self, bisection: Bisection, at: float) -> None:
        """It is about the campaign, whoever is invited."""
        window = self._shelf.window(bisection.campaign)
        window.failures += 1
        self._park(window, at)

    def _dissolve(self, which: Callable[[Bisection], bool]) -> None:
        """Those who still wait are no special case any more; parts under way end as they end."""
        for bisection in [each for each in self.bisections if which(each)]:
            self._shelf.window(bisection.campaign).extend(bisection.drop(lambda _each: True))
            self._end_if_empty(bisection)

    def _end_if_empty(self, bisection: Bisection) -> None:
        over = not bisection.part and not any(True for _ in bisection)
        if over and bisection in self.bisections:
            self.bisections.remove(bisection)
            self._told.append(bisection)


def _verdict(batch: Batch, outcome: Outcome) -> Verdict:
    if outcome.verdict is Verdict.IN_DOUBT and batch.rules.in_doubt == "resend":
        return Verdict.RETRY
    return outcome.verdict
