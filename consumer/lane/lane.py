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
from collections.abc import Iterator

from consumer.lane.backoff import full_jitter
from consumer.lane.commands import Batch, Command, Commit, Login, Pause, Resume, Send
from consumer.lane.doubt import Doubt
from consumer.lane.ledger import Ledger, pack, unpack
from consumer.lane.limiter import Limiter
from consumer.lane.results import NO_CALL, CallFacts, result_of
from consumer.lane.schedule import IndexPrice, Scheduler, SizeOrLinger, Wait, Why
from consumer.lane.session import Session
from consumer.lane.settings import LATE_ARRIVAL_GRACE, LaneSettings
from consumer.lane.window import Held, Window
from consumer.model import Checkpoint, DeadLetter, InFlight, Outcome, Reason, Result, Verdict

SWEEP_EVERY = 30.0
"""Seconds between searches for invitations that expired while they waited."""

RESUME_BELOW = 0.8
"""Share of `max_held` at which a paused lane reads on."""


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
        scheduler: Scheduler | None = None,
    ) -> None:
        self.settings = settings
        self.wake_at = now
        self._rng = rng
        self._epoch = epoch
        self._topic_id = topic_id
        default = IndexPrice() if settings.limits else SizeOrLinger(settings.linger)
        self._scheduler: Scheduler = scheduler or default
        restored = checkpoint.in_flight if checkpoint else ()
        start = checkpoint.base if checkpoint else base
        self.ledger = Ledger(start, unpack(checkpoint.done, start) if checkpoint else ())
        self._doubt = Doubt(restored, self.ledger.settled)
        self.limiter = self._restore_limiter(checkpoint, len(restored), now)
        self.windows: dict[str, Window] = {}
        self.sessions = {vendor: Session() for vendor in settings.logins}
        self.in_flight: dict[str, Batch] = {}
        self._intents: dict[str, InFlight] = {}
        self._starting: list[Send | Login] = []
        self._results: list[Result] = []
        self._dead_letters: list[DeadLetter] = []
        self._committing: list[Send | Login] | None = None
        self._unrecorded = checkpoint is None  # an assumed quota must outlive a restart
        self._stopping = False
        self.paused = False
        self._throttles = 0
        self._throttled_at = -math.inf
        self._batches = 0
        self._sweep_at = now + SWEEP_EVERY
        self.held = 0
        self.held_bytes = 0

    # -- events -------------------------------------------------------------------------------

    def arrived(self, held: Held, now: float) -> None:
        """A record of the lane's topic was read. Settled and repeated ones are passed over."""
        if not self.ledger.deliver(held.offset):
            return
        self.held += 1
        self.held_bytes += held.size
        doubted = self._doubt.decide(held.offset) if self._doubt else None
        if doubted is not None:
            self._decide_doubt(held, doubted)
        elif _expired(held, now):
            self._end(held, Reason.EXPIRED_WAITING)
        else:
            self._window(held.invitation["campaign"]).add(held)

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
        window = self._window(batch.campaign)
        facts = CallFacts.of(batch_id, outcome, batch.sealed_at if sent_at is None else sent_at, at)
        if outcome.throttled:
            self._close(outcome, batch.sealed_at, at)
        if outcome.relogin:
            self._session_of(batch.campaign).invalidate(at, batch.sealed_at, self._rng)
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
    def saturated(self) -> bool:
        """All calls are out and a full batch stands ready: reading on would only fill memory."""
        return len(self.in_flight) >= self.settings.max_in_flight and any(
            window.ready == window.max_batch for window in self.windows.values()
        )

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
        return commands + self._flow()

    @property
    def _dirty(self) -> bool:
        return bool(self._results or self._starting or self._dead_letters or self._unrecorded)

    def _commit(self, now: float) -> Commit:
        commit = Commit(self.checkpoint(now), self._results, self._dead_letters)
        self._committing, self._starting = self._starting, []
        self._results, self._dead_letters = [], []
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
            if _expired(held, now):
                self._end(held, Reason.EXPIRED_WAITING)
            else:
                fresh.append(held)
        if not fresh:
            return
        self.limiter.take(now)
        self._batches += 1
        batch = Batch(
            f"{self.settings.name}.{self._epoch}.{self._batches}", window.campaign, fresh, now, why
        )
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
                self._starting.append(Login(vendor))
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
            for held in window.drop(lambda each: _expired(each, now)):
                self._end(held, Reason.EXPIRED_WAITING)

    def _flow(self) -> list[Command]:
        if not self.paused and self.held >= self.settings.max_held:
            self.paused = True
            return [Pause()]
        if self.paused and self.held <= self.settings.max_held * RESUME_BELOW:
            self.paused = False
            return [Resume()]
        return []

    # -- what an answer does ------------------------------------------------------------------

    def _verdict(self, batch: Batch, outcome: Outcome) -> Verdict:
        campaign = self.settings.campaigns[batch.campaign]
        if outcome.verdict is Verdict.IN_DOUBT and campaign.in_doubt == "resend":
            return Verdict.RETRY
        return outcome.verdict

    def _went_well(self, window: Window) -> None:
        window.failures = self._throttles = 0
        session = self.sessions.get(self._vendor(window) or "")
        if session is not None:
            session.proved()

    def _settle(self, batch: Batch, reason: Reason, facts: CallFacts) -> None:
        """Every invitation of the batch ends alike."""
        campaign = self.settings.campaigns[batch.campaign]
        self._results += [
            result_of(held.invitation, reason, campaign, held.attempt + 1, facts)
            for held in batch.held
        ]
        self.ledger.settle_all(held.offset for held in batch.held)
        self.held -= len(batch.held)
        self.held_bytes -= sum(held.size for held in batch.held)

    def _put_back(
        self, batch: Batch, window: Window, outcome: Outcome, facts: CallFacts, at: float
    ) -> None:
        limit = self.settings.campaigns[batch.campaign].max_attempts
        silent = outcome.verdict is Verdict.IN_DOUBT
        spent = Reason.NO_ANSWER if silent else Reason.ATTEMPTS_EXHAUSTED
        again = []
        for held in batch.held:
            held.attempt += outcome.counts
            if held.attempt >= limit and outcome.counts:
                self._end(held, spent, facts, held.attempt)
            else:
                again.append(held)
        window.extend(again)
        if not (outcome.throttled or outcome.relogin):
            window.failures += 1
            window.not_before = at + full_jitter(window.failures, self._rng)

    def _close(self, outcome: Outcome, sealed_at: float, at: float) -> None:
        # Of a burst that is refused together, only the first call says something new.
        if sealed_at > self._throttled_at:
            self._throttles += 1
        self._throttled_at = at
        smallest = min((limit.period for limit in self.settings.limits), default=1.0)
        escalating = smallest * 2.0 ** min(max(self._throttles, 1) - 1, 10)
        self.limiter.close_until(at + max(outcome.retry_after or 0.0, escalating))

    def _decide_doubt(self, held: Held, doubted: InFlight) -> None:
        campaign = self.settings.campaigns.get(doubted.campaign)
        held.attempt = doubted.attempt
        if campaign is not None and campaign.in_doubt == "resend":
            self._window(doubted.campaign).add(held)
        else:
            self._end(held, Reason.OWNER_LOST, CallFacts(batch=doubted.batch_id), held.attempt)

    def _end(
        self, held: Held, reason: Reason, facts: CallFacts = NO_CALL, attempt: int | None = None
    ) -> None:
        self.held -= 1
        self.held_bytes -= held.size
        self.ledger.settle(held.offset)
        campaign = self.settings.campaigns.get(held.invitation["campaign"])
        tried = held.attempt if attempt is None else attempt
        self._results.append(result_of(held.invitation, reason, campaign, tried, facts))

    # -- small parts --------------------------------------------------------------------------

    def _window(self, name: str) -> Window:
        """The campaign's window; one that the config knows no more waits, and never calls."""
        window = self.windows.get(name)
        if window is None:
            known = self.settings.campaigns.get(name)
            size, wait, weight = (
                (known.max_batch, known.max_wait, known.weight) if known else (1, math.inf, 1.0)
            )
            window = self.windows[name] = Window(name, size, wait, weight)
        return window

    def _all(self) -> list[Window]:
        return list(self.windows.values())

    def _vendor(self, window: Window) -> str | None:
        campaign = self.settings.campaigns.get(window.campaign)
        return campaign.vendor if campaign else None

    def _session_of(self, campaign: str) -> Session:
        return self.sessions[self.settings.campaigns[campaign].vendor]

    def _latest(self, now: float) -> float:
        """When a call that is out now can reach the vendor at the latest."""
        return now + self.settings.call_timeout + LATE_ARRIVAL_GRACE

    def _restore_limiter(self, checkpoint: Checkpoint | None, in_doubt: int, now: float) -> Limiter:
        settings = self.settings
        assume_full = checkpoint is None and settings.first_start_full
        late = self._latest(now)
        return Limiter.restore(
            settings.limits,
            checkpoint.permit_log if checkpoint else (),
            assume_full_at=late if assume_full else None,
            in_doubt_until=[late] * in_doubt,
            skew=settings.skew,
            share=settings.share,
        )


def _expired(held: Held, now: float) -> bool:
    expires_at = held.invitation["expires_at"]
    return expires_at is not None and now >= expires_at


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
