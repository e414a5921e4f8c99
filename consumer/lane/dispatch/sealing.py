"""Sealing: batches in flight from their permit to their answer, and logins, each with a permit.

The windows that may be called are offered to the scheduler (`scheduler.py`), which chooses.

Search budget. Probes of an open campaign, trials, and parts of a batch whose refusal names no cause
serve that campaign alone. Five failing campaigns of twenty took 54 of the first 76 permits, and the
others waited 1.4 times as long as alone. So each call of a healthy campaign earns `SHARE` of a
search, up to `AT_ONCE`, and a search costs one. With S = 1/7 a healthy campaign waits at most
1 + S = 1.14 times as long as alone, in the long run. The budget binds only while a healthy campaign
is due, or waits for a scarce quota; otherwise a search delays no other campaign.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.dispatch.contact_seal import ContactSeal, SealQuestion
from consumer.lane.dispatch.due_index import DueIndex
from consumer.lane.dispatch.inflow import Inflow
from consumer.lane.dispatch.scheduler import IndexPrice, Scheduler, SizeOrLinger, Wait, Waiting
from consumer.lane.offsets.bitmap import (
    IN_FLIGHT_BYTES,
    IN_FLIGHT_MARKS,
    IN_FLIGHT_REACH,
    extent,
    pack,
)
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.quota.quota import Quota
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.bisections import MOST_BISECTIONS
from consumer.lane.settlement.settlement import Settlement
from consumer.lane.settlement.trials import Trial
from consumer.lane.state.commands import Batch, Login, SealReason, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.records.checkpoint import InFlight

SHARE = 1 / 7
AT_ONCE = 3.0
"""Searches that may be saved up: the first answers tell most."""

SCARCE = 0.5
"""Share of the quota left below which the quota is scarce: each permit is missed."""


class SearchBudget:
    """Balance of earned searches."""

    def __init__(self) -> None:
        self._earned = AT_ONCE

    @property
    def allows_search(self) -> bool:
        """Whether a search may go before a healthy campaign that waits."""
        return self._earned > 1 - 1e-9  # seven sevenths, as a float adds them

    def allow(self) -> None:
        """Let one search go: an operator or another config asks for it."""
        self._earned = max(1.0, self._earned)

    def record_call(self, *, search: bool) -> None:
        """Record that a call was sealed."""
        change = -1.0 if search else SHARE
        self._earned = min(AT_ONCE, max(0.0, self._earned + change))


class Sealing:
    """Batches from sealing to answer: `in_flight`, and their `intents` for the checkpoint.
    `starting`: calls and logins that leave with the next commit. `inflow`: what is about to be
    read; None under a quota."""

    def __init__(
        self,
        epoch: int,
        buffer: InvitationBuffer,
        quota: Quota,
        accounts: Accounts,
        settlement: Settlement,
        in_doubt: InDoubtBatches,
        rng: random.Random,
        scheduler: Scheduler | None = None,
    ) -> None:
        self.in_flight: dict[str, Batch] = {}
        self.intents: dict[str, InFlight] = {}
        self.starting: list[Send | Login] = []
        self._epoch = epoch
        self._buffer = buffer
        self._quota, self._limiter = quota, quota.limiter
        self._accounts = accounts
        self._settlement = settlement
        self._in_doubt = in_doubt
        self._rng = rng
        self._parts: dict[str, Bisection | Trial] = {}
        self._extents: dict[str, tuple[int, int]] = {}
        self._probe_at = math.inf
        self._budget = SearchBudget()
        self._batches = 0
        self.contact_seal = ContactSeal(settlement)
        self.inflow: Inflow | None = None
        self._use_scheduler(scheduler or self._scheduler_of_settings())

    def reconfigure(self) -> None:
        """Apply the config that the buffer has already taken over."""
        self._use_scheduler(self._scheduler_of_settings())
        self._buffer.mark_all_changed()

    def allow_search(self) -> None:
        """Let the next search go before healthy campaigns that wait."""
        self._budget.allow()

    def remove_ended(self, batch_id: str) -> tuple[Batch, Bisection | Trial | None]:
        """Remove and return a batch whose call ended, with its bisection or trial if any."""
        del self.intents[batch_id]
        self._extents.pop(batch_id, None)
        return self.in_flight.pop(batch_id), self._parts.pop(batch_id, None)

    def seal(self, now: float) -> float:
        """Seal all that may be called now. Return when to try again at the latest."""
        again_at = self._follow_inflow(now)
        waits_until = self._leave_when_granted(now)
        if waits_until is not None:
            return waits_until
        delayed = self._settlement.delayed
        while len(self.in_flight) < self._buffer.settings.max_in_flight and self._has_room():
            if self._settlement.delays_enough(delayed):
                return now
            if not self._limiter.allowed(now):
                return self._limiter.next_at(now)
            left, worth = self._quota.level(now)
            price = self._scheduler.price(left, worth)
            found = self._candidates(now, left, price)
            choice = self._scheduler.choose(found, now, left, worth)
            if isinstance(choice, Wait):
                return min(choice.until, self._due_index.next_at, self._probe_at, again_at)
            self._seal_chosen(choice.window, choice.why, now)
            if not self.contact_seal.lets_choose(now):
                return math.inf
        return math.inf

    def _leave_when_granted(self, now: float) -> float | None:
        """Have the call leave that the contact store granted, if a permit is free. Return None if
        another one may be chosen, else when to try again at the latest."""
        question = self.contact_seal.open
        if question is None:
            retry_at = self.contact_seal.retry_at
            return retry_at if now < retry_at else None
        if not question.granted:
            return math.inf
        if now >= question.ends_at or not self._may_leave(question, now):
            self.contact_seal.put_back(now)
        elif self._limiter.allowed(now):
            self.contact_seal.open = None
            self._leave(question, now)
        else:
            return min(self._limiter.next_at(now), question.ends_at)
        return None

    def _may_leave(self, question: SealQuestion, now: float) -> bool:
        """Return whether campaign and account are still as they were when the call was chosen, and
        no rule holds its invitations back by now: quiet hours may have begun. Another config may
        have given the campaign another channel: its invitations must be checked once more."""
        held_back = self._settlement.hold_back.at_sealing
        if any(held_back(pending, now) is not None for pending in question.invitations):
            return False
        campaign, vendor, accounts = question.campaign, question.rules.vendor, self._accounts
        known = self._buffer.settings.campaigns.get(campaign)
        if known != question.rules or self._settlement.parking.is_parked(campaign, now):
            return False
        if question.part_of is not None or question.why is SealReason.PROBE:
            return accounts.usable(vendor, now)
        return accounts.open_for_all(vendor, now) and not accounts.one_only(vendor, campaign)

    def _follow_inflow(self, now: float) -> float:
        """Compute all windows again when inflow begins or ends. Return when it may end."""
        if self.inflow is None:
            return math.inf
        if self.inflow.update(now):
            self._buffer.mark_all_changed()
        return self.inflow.until if self.inflow.until > now else math.inf

    def _has_room(self) -> bool:
        """Return whether the checkpoint can name one more call. Without calls it always can.
        Batches in doubt take room until their invitations are read again."""
        if not self.intents:
            return True
        named = [*self.intents.values(), *self._in_doubt]
        marks, reaches = zip(*map(self._extent, named), strict=True)
        return (
            sum(len(intent.offsets) for intent in named) < IN_FLIGHT_BYTES
            and sum(marks) < IN_FLIGHT_MARKS
            and sum(reaches) < IN_FLIGHT_REACH
        )

    def _extent(self, intent: InFlight) -> tuple[int, int]:
        """Return how many invitations and offsets a bitmap spans. It is inflated once."""
        if intent.batch_id not in self._extents:
            self._extents[intent.batch_id] = extent(intent.offsets)
        return self._extents[intent.batch_id]

    def log_in(self, now: float) -> float:
        """Start the logins that calls need. Return when to try again at the latest."""
        earliest = self._accounts.next_login()
        if earliest > now:
            return earliest
        windows = self._buffer.windows.values()
        wanted = {self._buffer.vendor_of(window.campaign) for window in windows if window.ready}
        searches = (*self._settlement.bisections, *self._settlement.trials)
        wanted |= {search.rules.vendor for search in searches}
        wake_at = math.inf
        for vendor, when in self._accounts.logins({vendor for vendor in wanted if vendor}, now):
            if when > now:
                wake_at = min(wake_at, when)
            elif self._limiter.allowed(now):
                self._limiter.take_permit(now)
                self._accounts.sessions[vendor].logging_in = True
                self.starting.append(Login(vendor, now))
            else:
                wake_at = min(wake_at, self._limiter.next_at(now))
        return wake_at

    def _candidates(self, now: float, left: float, price: float) -> Iterator[Waiting]:
        """Yield what may be due and may be called now, given a permit. A campaign finds its bad
        recipients before its next batches are called: they would be refused for the same ones."""
        dividing = Counter(bisection.campaign for bisection in self._settlement.bisections)
        changed = [self._buffer.windows[name] for name in self._buffer.changed]
        self._buffer.changed.clear()
        self._due_index.update(price, changed)
        accounts = self._accounts
        vendors = self._due_index.vendors
        usable = [vendor for vendor in vendors if accounts.open_for_all(vendor, now)]

        def able(window: Window) -> bool:
            free = dividing[window.campaign] < MOST_BISECTIONS
            return free and accounts.may_call(window.campaign)

        search = self._budget.allows_search or not self._healthy_waits(
            usable, able, now, price, scarce=left < SCARCE
        )

        def allowed(window: Window) -> bool:
            return able(window) and (search or accounts.campaigns[window.campaign].closed)

        yield from self._due_index.candidates(usable, allowed, now)
        self._probe_at = math.inf
        for vendor in vendors:
            yield from self._probes(vendor, now, price)
        for bisection in self._settlement.bisections:
            held_back = bisection.unattributed and not search
            if accounts.open_for_all(bisection.rules.vendor, now) and not held_back:
                yield bisection
        for trial in self._settlement.trials if search else ():
            if accounts.usable(trial.rules.vendor, now):
                yield trial

    def _healthy_waits(
        self,
        vendors: Collection[str],
        able: Callable[[Window], bool],
        now: float,
        price: float,
        *,
        scarce: bool,
    ) -> bool:
        """Return whether a search would delay a campaign of these accounts whose breaker is closed:
        one is due now, or waits while the quota is scarce and each permit that is spent raises the
        price of the next."""
        return any(
            window.ready
            and self._buffer.vendor_of(window.campaign) in vendors
            and self._accounts.campaigns[window.campaign].closed
            and able(window)
            and (self._scheduler.due(window, price) <= now or (scarce and window.not_before <= now))
            for window in self._buffer.windows.values()
        )

    def _probes(self, vendor: str, now: float, price: float) -> Iterator[Waiting]:
        """Yield the window that probes an account whose breaker is open. Of the due windows,
        urgent ones come first, then campaigns not tried since it opened, then the one tried longest
        ago."""
        breaker = self._accounts.breakers[vendor]
        if breaker.closed or breaker.probing or not self._accounts.usable(vendor, now):
            return
        found = list[tuple[bool, bool, float, float, Window]]()
        for window in self._buffer.windows_of(vendor):
            if not window.ready:
                continue
            due = max(self._scheduler.due(window, price), breaker.probe_time(window.campaign))
            if due > now:
                self._probe_at = min(self._probe_at, due)
            else:
                tried = window.campaign in breaker.tested
                found.append((not window.urgent, tried, window.tried_at, window.oldest, window))
        if found:
            yield min(found, key=lambda candidate: candidate[:4])[4]

    def _seal_chosen(self, waiting: Waiting, why: SealReason, now: float) -> None:
        """Seal the chosen window, part or trial; end its invitations that expired meanwhile."""
        if isinstance(waiting, Bisection):
            self._settlement.bisections.end_unfit(waiting, now)
            if waiting.ready:
                self._seal_batch(waiting.take(), waiting.campaign, SealReason.PART, now, waiting)
        elif isinstance(waiting, Trial):
            self._seal_trial(waiting, now)
        else:
            assert isinstance(waiting, Window)  # noqa: S101 - nothing else waits
            self._seal_window(waiting, why, now)

    def _seal_trial(self, trial: Trial, now: float) -> None:
        if self._settlement.trials.end_unfit(trial, now):
            return
        trial.under_way = True
        self._seal_batch([trial.pending], trial.campaign, SealReason.PROBE, now, trial)

    def _seal_window(self, window: Window, why: SealReason, now: float) -> None:
        vendor = self._buffer.settings.campaigns[window.campaign].vendor
        probe = self._accounts.one_only(vendor, window.campaign)
        taken = window.take_probe(self._rng) if probe else window.take()
        window.record_call(now)
        fresh = self._settlement.fitness.fit(taken, window, now)
        if fresh:
            self._seal_batch(fresh, window.campaign, SealReason.PROBE if probe else why, now)

    def _seal_batch(
        self,
        fresh: Sequence[PendingInvitation],
        campaign: str,
        why: SealReason,
        now: float,
        part_of: Bisection | Trial | None = None,
    ) -> None:
        """Seal a call; the contact store is asked first if there are contact rules."""
        rules = self._buffer.settings.campaigns[campaign]
        if self._settlement.reservations.needed:
            self.contact_seal.ask(SealQuestion(fresh, rules, why, now, part_of))
        else:
            self._leave(SealQuestion(fresh, rules, why, math.inf, part_of), now)

    def _leave(self, question: SealQuestion, now: float) -> None:
        """Take a permit and record the intent of a call."""
        self._limiter.take_permit(now)
        self._batches += 1
        rules, fresh, part_of = question.rules, question.invitations, question.part_of
        name = f"{self._buffer.settings.name}.{self._epoch}.{self._batches}"
        batch = Batch(name, rules.name, fresh, now, question.why, rules, question.asked_at)
        self.in_flight[batch.id] = batch
        self.intents[batch.id] = _intent(batch)
        self.starting.append(Send(batch))
        self._budget.record_call(search=self._is_search(batch, part_of))
        self._accounts.left(batch, part=part_of is not None)
        if part_of is not None:
            self._parts[batch.id] = part_of

    def _is_search(self, batch: Batch, part_of: Bisection | Trial | None) -> bool:
        """Return whether the call tests a failing campaign of a healthy account."""
        if isinstance(part_of, Bisection):
            return part_of.unattributed
        if part_of is not None:
            return True
        own = self._accounts.campaigns[batch.campaign]
        return self._accounts.well(batch.rules.vendor) and not own.closed

    def _use_scheduler(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._due_index = DueIndex(scheduler, self._buffer.vendor_of)

    def _scheduler_of_settings(self) -> Scheduler:
        settings = self._buffer.settings
        if settings.limits:
            self.inflow = None
            return IndexPrice()
        self.inflow = self.inflow or Inflow(self._buffer, self._accounts)
        return SizeOrLinger(settings.linger, self.inflow.full_by)


def _intent(batch: Batch) -> InFlight:
    offsets = [pending.offset for pending in batch.invitations]
    first = min(offsets)
    return InFlight(
        batch_id=batch.id,
        campaign=batch.campaign,
        attempt=batch.attempt,
        sealed_at=batch.sealed_at,
        first=first,
        offsets=pack(offsets, first),
    )
