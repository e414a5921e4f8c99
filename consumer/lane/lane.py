"""A lane: everything that shares one quota, as a pure state machine.

Theory of operation. Events come in by method (`arrived`, `answered`, `committed`, …), each with
the time; `tick(now)` returns the commands that follow. The runtime carries them out and feeds
the completions back:

    arrived ─► window ─(permit)─► sealed ─ Commit(intent) ─► Send ─► answered ─ Commit(results)

One commit is out at a time, and it carries all that is due: results of answered batches and
intents of newly sealed ones. Nothing leaves before the commit that records it: neither a call
nor a login. A lane object lives from takeover to loss; its successor starts from the checkpoint.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Mapping, Sequence

from consumer.lane.backoff import full_jitter
from consumer.lane.bits import pack
from consumer.lane.commands import Batch, Command, Commit, Login, Send
from consumer.lane.doubt import Doubt
from consumer.lane.held import Held
from consumer.lane.ladder import PutOff, step_for, wait_of
from consumer.lane.ledger import Ledger
from consumer.lane.limiter import Limiter
from consumer.lane.reading import Mode
from consumer.lane.results import NO_CALL, CallFacts, result_of
from consumer.lane.schedule import IndexPrice, Scheduler, SizeOrLinger, Wait, Why
from consumer.lane.session import Session
from consumer.lane.settings import LATE_ARRIVAL_GRACE, LaneSettings
from consumer.lane.shelf import Shelf
from consumer.lane.tries import Tries
from consumer.lane.window import Window
from consumer.model import (
    Checkpoint,
    DeadLetter,
    InFlight,
    Outcome,
    Owner,
    Reason,
    Result,
    Verdict,
)

SWEEP_EVERY = 30.0
"""Seconds between searches for invitations that expired while they waited."""

LONGEST_DELAY = 3600.0
"""Seconds that one of a crowd is put off at most: the estimate is no promise."""


class Lane:
    """One owner's time with a lane.

    `epoch` is unique to this ownership (the offset of its claim) and part of its batch ids;
    `topic_id` is the invitations topic's. Raises ValueError for a checkpoint nobody wrote.
    """

    def __init__(
        self,
        settings: LaneSettings,
        rng: random.Random,
        now: float,
        *,
        base: int = 0,
        epoch: int = 0,
        topic_id: str | None = None,
        checkpoint: Checkpoint | None = None,
        owners: Sequence[Owner] = (),
        scheduler: Scheduler | None = None,
    ) -> None:
        self.settings = settings
        self.wake_at = now
        self._rng = rng
        self._epoch = epoch
        self._topic_id = topic_id
        self._owners = tuple(owners)
        self._scheduler: Scheduler = scheduler or _scheduler_for(settings)
        restored = checkpoint.in_flight if checkpoint else ()
        self.ledger = (
            Ledger(checkpoint.base, checkpoint.done) if checkpoint is not None else Ledger(base)
        )
        self.shelf = Shelf(settings, self.ledger)
        self._doubt = Doubt(restored, self.ledger.settled)
        self._tried = Tries(checkpoint.tried if checkpoint else ())
        self.limiter = self._restore_limiter(checkpoint, len(restored), now)
        self.sessions = {vendor: Session() for vendor in settings.logins}
        self.in_flight: dict[str, Batch] = {}
        self._intents: dict[str, InFlight] = {}
        self._starting: list[Send | Login] = []
        self._results: list[Result] = []
        self._dead_letters: list[DeadLetter] = []
        self._put_off: list[PutOff] = []
        self._committing: list[Send | Login] | None = None
        self._unrecorded = checkpoint is None  # an assumed quota must outlive a restart
        self._stopping = False
        self._vendor_ill = False
        self._throttles = 0
        self._throttled_at = -math.inf
        self._batches = 0
        self._sweep_at = now + SWEEP_EVERY

    # -- events -------------------------------------------------------------------------------

    def arrived(self, held: Held, now: float) -> None:
        """A record of the lane's topic was read. Settled and repeated ones are passed over."""
        held.attempt = self._tried.get(held.offset, held.attempt)
        if self.ledger.deliver(held.offset):
            doubted = self._doubt.decide(held.offset) if self._doubt else None
            if doubted is not None:
                self._decide_doubt(held, doubted, now)
            else:
                self._place(held, now)
        elif self.shelf.reading.is_noted(held.offset):
            self._again(held, now)

    def postponed(self, held: Held, now: float) -> None:
        """A record that a later version of the program wrote: it may be read after an upgrade.

        One in doubt stays so: only who can read it knows whether its campaign sends it again.
        """
        held.attempt = self._tried.get(held.offset, held.attempt)
        if self.ledger.deliver(held.offset) and held.offset not in self._doubt:
            self._delay(held, now, wait_of(held.delays))

    def unreadable(self, letter: DeadLetter) -> None:
        """A record of the lane's topic that is no invitation: a dead letter settles it."""
        offset = letter.source["offset"]
        if self.ledger.deliver(offset):
            self._doubt.decide(offset)
            self.ledger.settle(offset)
            self._dead_letters.append(letter)

    def answered(
        self, batch_id: str, outcome: Outcome, *, sent_at: float | None, at: float
    ) -> None:
        """A call completed at `at`; `sent_at` is None if nothing of it left this machine."""
        batch = self.in_flight.pop(batch_id)
        del self._intents[batch_id]
        # Recorded even when everyone waits on: else the next owner would be in doubt about them.
        self._unrecorded = True
        silent = outcome.http_status is None and sent_at is not None
        self.limiter.answered(at + LATE_ARRIVAL_GRACE if silent else at)
        window = self.shelf.window(batch.campaign)
        facts = CallFacts.of(batch_id, outcome, batch.sealed_at if sent_at is None else sent_at, at)
        if outcome.throttled:
            self._close(outcome, batch.sealed_at, at)
        if outcome.relogin:
            self._session_of(batch).invalidate(at, batch.sealed_at, self._rng)
        self._vendor_ill = outcome.trouble
        match self._verdict(batch, outcome):
            case Verdict.ACCEPTED:
                self._went_well(window)
                self._settle(batch, Reason.ACCEPTED, facts)
            case Verdict.REJECTED:
                window.failures = 0
                self._settle(batch, Reason.VENDOR_REJECTED, facts)
            case Verdict.IN_DOUBT:
                self._settle(batch, Reason.NO_ANSWER, facts)
            case _:  # RETRY: whoever has attempts left waits for the next
                self._put_back(batch, window, outcome, facts, at)
                if outcome.parked:
                    self._park(window, at)

    def logged_in(self, vendor: str, expires_at: float, at: float) -> None:
        """A login succeeded at `at`."""
        self.limiter.answered(at)
        self.sessions[vendor].opened(at, expires_at)

    def login_failed(self, vendor: str, outcome: Outcome, at: float) -> None:
        """A login was refused or not answered; its permit is spent all the same."""
        silent = outcome.http_status is None
        self.limiter.answered(at + LATE_ARRIVAL_GRACE if silent else at)
        if outcome.throttled:
            self._close(outcome, at, at)
        self.sessions[vendor].refused(at, self._rng)

    def committed(self) -> list[Command]:
        """The commit that was out is definite: what it recorded may leave."""
        leaving = self._committing or []
        self._committing = None
        return list(leaving)

    def reconfigure(
        self, settings: LaneSettings, now: float, *, relogin: Collection[str] = ()
    ) -> None:
        """Another config from now on: who waits follows it, what is in flight ends by the old one.

        Campaigns that it does not know are put off. `relogin`: vendors whose account changed.
        """
        self.settings = settings
        self._scheduler = _scheduler_for(settings)
        self.shelf.reconfigure(settings)
        self.limiter.reconfigure(settings.limits, settings.skew, settings.share, now)
        for vendor in settings.logins:
            session = self.sessions.setdefault(vendor, Session())
            if vendor in relogin:
                session.forget()
        for window in self._all():
            if window.campaign not in settings.campaigns:
                self._put_off_all(window, now)
            elif window.parked_until > now:
                window.parked_until = window.not_before = now  # what was wrong may be mended
        self._unrecorded = True

    def stop(self) -> None:
        """Seal nothing new; what is in flight is answered and committed."""
        self._stopping = True

    # -- decisions ----------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is in flight and nothing is left to commit."""
        logging_in = any(session.logging_in for session in self.sessions.values())
        return not (self.in_flight or self._dirty or logging_in or self._committing is not None)

    @property
    def unpublished(self) -> int:
        """Results that the next commit will carry."""
        return len(self._results)

    @property
    def saturated(self) -> bool:
        """All calls are out and a full batch stands ready: reading on would only fill memory."""
        return len(self.in_flight) >= self.settings.max_in_flight and any(
            window.ready == window.max_batch for window in self.windows.values()
        )

    def wants(self, offset: int) -> bool:
        """Whether a record of the lane's topic is worth parsing; to be asked for each, in order.

        Raises KafkaTrouble if the records do not come in order.
        """
        return self.shelf.reading.wants(offset)

    def at_end(self, offset: int) -> None:
        """The log ends before `offset`; said after the records that came with it."""
        self.shelf.reading.at_end(offset)

    @property
    def windows(self) -> Mapping[str, Window]:
        """Who waits, by campaign."""
        return self.shelf.windows

    @property
    def paused(self) -> bool:
        """Nothing is read: as much is held and noted as may be, and nobody would be helped."""
        return self.shelf.reading.mode is Mode.STOPPED

    def tick(self, now: float) -> list[Command]:
        """All commands that follow from the events so far; sets `wake_at`."""
        self.wake_at = self._sweep_at
        if now >= self._sweep_at:
            self._sweep(now)
        if not self._stopping:
            self._log_in(now)
            self._seal(now)
        commands: list[Command] = []
        if self._committing is None and self._dirty:
            commands.append(self._commit(now))
        stop = self.shelf.full and self._nobody_helped()
        return commands + self.shelf.reading.steer(self.shelf.hungry(), stop=stop)

    @property
    def _dirty(self) -> bool:
        due = self._results or self._starting or self._dead_letters or self._put_off
        return bool(due) or self._unrecorded

    def _commit(self, now: float) -> Commit:
        commit = Commit(self.checkpoint(now), self._results, self._dead_letters, self._put_off)
        self._committing, self._starting = self._starting, []
        self._results, self._dead_letters, self._put_off = [], [], []
        self._unrecorded = False
        return commit

    def checkpoint(self, now: float) -> Checkpoint:
        """The lane's whole state. A login in progress counts as answered at its latest."""
        logins = sum(session.logging_in for session in self.sessions.values())
        return Checkpoint(
            lane=self.settings.name,
            topic_id=self._topic_id,
            base=self.ledger.base,
            done=self.ledger.packed(),
            in_flight=[*self._doubt, *self._intents.values()],
            permit_log=[*self.limiter.log(now), *[self._latest(now)] * logins],
            config_version=self.settings.config_version,
            closed_until=max(0.0, self.limiter.closed_until),
            tried=self._tried.packed(),
            owners=self._owners,
        )

    def _seal(self, now: float) -> None:
        while len(self.in_flight) < self.settings.max_in_flight:
            if not self.limiter.allowed(now):
                self.wake_at = min(self.wake_at, self.limiter.next_at(now))
                return
            windows = list(self._callable(now))
            choice = self._scheduler.choose(windows, now, self.limiter.left(now))
            if isinstance(choice, Wait):
                self.wake_at = min(self.wake_at, choice.until)
                return
            self._seal_window(choice.window, choice.why, now)

    def _seal_window(self, window: Window, why: Why, now: float) -> None:
        fresh = []
        for held in window.take():
            if held.expired(now):
                self._end_held(held, Reason.EXPIRED_WAITING)
            else:
                fresh.append(held)
        if not fresh:
            return
        self.limiter.take(now)
        self._batches += 1
        name = f"{self.settings.name}.{self._epoch}.{self._batches}"
        rules = self.settings.campaigns[window.campaign]
        batch = Batch(name, window.campaign, fresh, now, why, rules)
        self.in_flight[batch.id] = batch
        self._intents[batch.id] = _intent(batch)
        self._starting.append(Send(batch))

    def _log_in(self, now: float) -> None:
        for vendor, session in self.sessions.items():
            if not any(self._vendor(window) == vendor and window.ready for window in self._all()):
                continue
            if not session.wants_login(now):
                if not session.logging_in:
                    self.wake_at = min(self.wake_at, session.next_login())
            elif self.limiter.allowed(now):
                self.limiter.take(now)
                session.logging_in = True
                self._starting.append(Login(vendor, now))
            else:
                self.wake_at = min(self.wake_at, self.limiter.next_at(now))

    def _callable(self, now: float) -> Iterator[Window]:
        for window in self._all():
            vendor = self._vendor(window)
            session = self.sessions.get(vendor) if vendor else None
            if vendor and (session is None or session.usable(now)):
                yield window

    def _sweep(self, now: float) -> None:
        self._sweep_at = self.wake_at = now + SWEEP_EVERY
        for window in self._all():
            for held in window.drop(lambda each: each.expired(now)):
                self._end_held(held, Reason.EXPIRED_WAITING)

    # -- what is read, held, noted, put off -----------------------------------------------------

    def _place(self, held: Held, now: float) -> None:
        """One that was read for the first time: it ends, is put off, or waits here."""
        if held.expired(now):
            self._end(held, Reason.EXPIRED_WAITING)
        elif self._parked(held.campaign, now):
            self._delay(held, now, wait_of(held.delays))
        elif self._crowds(held.campaign):
            self._delay(held, now, self._until_served(held.campaign))
        else:
            self.shelf.put(held)

    def _again(self, held: Held, now: float) -> None:
        """A noted one was read again."""
        reading = self.shelf.reading
        if held.expired(now) or self._parked(held.campaign, now):
            reading.take(held.offset, held.campaign)
            self._place(held, now)
        elif self.shelf.welcome(held.campaign):
            reading.take(held.offset, held.campaign)
            self.shelf.put(held)
        else:
            reading.leave(held.campaign)

    def _parked(self, campaign: str, now: float) -> bool:
        """It cannot go soon: the config does not know it, or the vendor cannot use it."""
        known = campaign in self.settings.campaigns
        return not known or self.shelf.window(campaign).parked_until > now

    def _crowds(self, campaign: str) -> bool:
        """So much of it waits that reading on, for the others' sake, needs it out of the way."""
        some = self.shelf.reading.counts[campaign] > 0
        return self.shelf.full and some and len(self.settings.campaigns) > 1

    def _nobody_helped(self) -> bool:
        """Whether reading on would find only what cannot go either: then lag is the queue."""
        return self._vendor_ill or len(self.settings.campaigns) < 2

    def _until_served(self, campaign: str) -> float:
        """Seconds that those before it take at least, if every permit were theirs."""
        settings, window = self.settings, self.shelf.window(campaign)
        before = self.shelf.reading.counts[campaign] + window.count
        rate = min((each.calls / each.period for each in settings.limits), default=math.inf)
        return min(before / (rate * settings.share * window.max_batch), LONGEST_DELAY)

    def _delay(self, held: Held, now: float, seconds: float) -> None:
        self.ledger.settle(held.offset)
        self._tried.forget(held.offset)
        self._put_off.append(PutOff(held, now + seconds, step_for(seconds)))

    def _park(self, window: Window, now: float) -> None:
        """The vendor cannot use the campaign: it is asked again now and then, by who comes back."""
        window.parked_until = window.not_before = now + wait_of(window.failures - 1)
        self._put_off_all(window, now)

    def _put_off_all(self, window: Window, now: float) -> None:
        for held in window.drop(lambda _each: True):
            self.shelf.forget(held)
            self._delay(held, now, wait_of(held.delays))

    # -- what an answer does ------------------------------------------------------------------

    def _verdict(self, batch: Batch, outcome: Outcome) -> Verdict:
        if outcome.verdict is Verdict.IN_DOUBT and batch.rules.in_doubt == "resend":
            return Verdict.RETRY
        return outcome.verdict

    def _went_well(self, window: Window) -> None:
        window.failures = self._throttles = 0
        session = self.sessions.get(self._vendor(window) or "")
        if session is not None:
            session.proved()

    def _settle(self, batch: Batch, reason: Reason, facts: CallFacts) -> None:
        """Every invitation of the batch ends alike."""
        campaign = batch.rules
        self._results += [
            result_of(held.invitation, reason, campaign, held.attempt + 1, facts)
            for held in batch.held
        ]
        self.ledger.settle_all(held.offset for held in batch.held)
        for held in batch.held:
            self.shelf.forget(held)
            self._tried.forget(held.offset)

    def _put_back(
        self, batch: Batch, window: Window, outcome: Outcome, facts: CallFacts, at: float
    ) -> None:
        limit = batch.rules.max_attempts
        silent = outcome.verdict is Verdict.IN_DOUBT
        spent = Reason.NO_ANSWER if silent else Reason.ATTEMPTS_EXHAUSTED
        again: list[Held] = []
        for held in batch.held:
            held.attempt += outcome.counts
            if held.attempt >= limit and outcome.counts:
                self._end_held(held, spent, facts)
            else:
                self._waits_again(held, again, counts=outcome.counts)
        window.extend(again)
        if not (outcome.throttled or outcome.relogin):
            # Of calls that were out together, the first to fail says what the others repeat.
            if batch.sealed_at >= window.failed_at:
                window.failures, window.failed_at = window.failures + 1, at
            window.not_before = at + full_jitter(window.failures, self._rng)
        if batch.campaign not in self.settings.campaigns:  # it left the config meanwhile
            self._put_off_all(window, at)

    def _waits_again(self, held: Held, again: list[Held], *, counts: bool) -> None:
        again.append(held)
        if counts:
            self._tried.put(held.offset, held.attempt)

    def _close(self, outcome: Outcome, sealed_at: float, at: float) -> None:
        # Of a burst that is refused together, only the first call says something new.
        if sealed_at > self._throttled_at:
            self._throttles += 1
        self._throttled_at = at
        smallest = min((limit.period for limit in self.settings.limits), default=1.0)
        escalating = smallest * 2.0 ** min(max(self._throttles, 1) - 1, 10)
        self.limiter.close_until(at + max(outcome.retry_after or 0.0, escalating))

    def _decide_doubt(self, held: Held, doubted: InFlight, now: float) -> None:
        """A former owner sent it, perhaps: nobody but its campaign's rule sends it again."""
        held.attempt = doubted.attempt
        campaign = self.settings.campaigns.get(doubted.campaign)
        again = campaign is not None and campaign.in_doubt == "resend"
        if campaign and again and held.attempt < campaign.max_attempts and not held.expired(now):
            self._tried.put(held.offset, held.attempt)
            self._place(held, now)
        else:
            self._end(held, Reason.OWNER_LOST, CallFacts(batch=doubted.batch_id))

    def _end_held(self, held: Held, reason: Reason, facts: CallFacts = NO_CALL) -> None:
        self.shelf.forget(held)
        self._end(held, reason, facts)

    def _end(self, held: Held, reason: Reason, facts: CallFacts = NO_CALL) -> None:
        self.ledger.settle(held.offset)
        self._tried.forget(held.offset)
        campaign = self.settings.campaigns.get(held.campaign)
        self._results.append(result_of(held.invitation, reason, campaign, held.attempt, facts))

    # -- small parts --------------------------------------------------------------------------

    def _all(self) -> list[Window]:
        return list(self.windows.values())

    def _vendor(self, window: Window) -> str | None:
        campaign = self.settings.campaigns.get(window.campaign)
        return campaign.vendor if campaign else None

    def _session_of(self, batch: Batch) -> Session:
        return self.sessions.setdefault(batch.rules.vendor, Session())

    def _latest(self, now: float) -> float:
        """When a call that is out now can reach the vendor at the latest."""
        return now + self.settings.call_timeout + LATE_ARRIVAL_GRACE

    def _restore_limiter(self, checkpoint: Checkpoint | None, in_doubt: int, now: float) -> Limiter:
        settings = self.settings
        assume_full = checkpoint is None and settings.first_start_full
        late = self._latest(now)
        limiter = Limiter.restore(
            settings.limits,
            checkpoint.permit_log if checkpoint else (),
            assume_full_at=late if assume_full else None,
            in_doubt_until=[late] * in_doubt,
            skew=settings.skew,
            share=settings.share,
        )
        limiter.close_until(checkpoint.closed_until if checkpoint else 0.0)
        return limiter


def _scheduler_for(settings: LaneSettings) -> Scheduler:
    return IndexPrice() if settings.limits else SizeOrLinger(settings.linger)


def _intent(batch: Batch) -> InFlight:
    offsets = [held.offset for held in batch.held]
    first = min(offsets)
    return InFlight(
        batch_id=batch.id,
        campaign=batch.campaign,
        attempt=batch.attempt,
        sealed_at=batch.sealed_at,
        first=first,
        offsets=pack(offsets, first),
    )
