"""A world for one lane: a log, a Kafka transaction, a vendor and crashes, all from one seed.

The world keeps its whole history and judges nothing; `test_lane_sim.py` reads it. Time is
virtual: the world jumps to whatever is due next. A crash throws the lane object away between any
two steps; its successor knows only the last committed checkpoint. What is on the wire by then
may reach the vendor or not, and no answer finds its way back.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, Command, Commit, Login, Pause, Resume, Seek, Send
from consumer.lane.state.delay_steps import STEPS, DelayedInvitation
from consumer.lane.state.settings import LATE_ARRIVAL_GRACE, LaneSettings, Limit
from consumer.records.call import Outcome, Verdict
from consumer.records.checkpoint import Checkpoint
from tests.simulation.vendor_counters import SlidingLog
from tests.support.lanes import (
    ACCEPTED,
    EXPIRED_TOKEN,
    NEVER_LEFT,
    NOW,
    REJECTED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    campaign,
    held,
    letter,
    settings,
)

POLL_RECORDS = 8
CRASHES = 6
PARKED = Outcome(Verdict.RETRY, 400, code="E12", counts=False, parked=True)
LONGEST = 20_000
"""Steps after which a world counts as stuck (the longest of 400 took 682)."""


class Crash(Exception):  # noqa: N818 - an event of the simulated world, not an error
    """The process is gone."""


class StuckError(AssertionError):
    """The lane never came to rest."""


@dataclass(frozen=True)
class Record:
    """A record of the lane's topic; `campaign` is None if it cannot be read."""

    offset: int
    arrived: float
    recipient: str
    campaign: str | None
    expires_at: float | None
    origin: int
    attempt: int = 0
    delays: int = 0


@dataclass
class History:
    """All that happened, in order, for the checker."""

    commits: list[Commit] = field(default_factory=list)
    sends: list[tuple[int, Batch]] = field(default_factory=list)  # after how many commits
    accepted: Counter[str] = field(default_factory=Counter)  # invitation id → times
    handovers: list[tuple[int, Checkpoint | None]] = field(default_factory=list)  # clean ones
    refused: int = 0
    put_off: int = 0
    passes: int = 0
    most_spilled: int = 0
    most_held: int = 0
    crashes: int = 0
    pauses: int = 0


class LaneWorld:
    """Runs one seed; `lane_type` may be a lane with a defect planted."""

    def __init__(self, seed: int, lane_type: type[Lane] = Lane, *, random_429s: bool = True):
        self.rng = random.Random(seed)
        self.lane_type = lane_type
        self.random_429s = random_429s
        self.settings = self._settings()
        self.records = self._records(self.rng.randrange(5, 160))
        self.end = self.records[-1].offset + 1 + self._gap()
        self.history = History()
        self.checkpoint: Checkpoint | None = None
        self.now = NOW
        self.lane: Lane
        self.epoch = 0
        self.handovers = 0.005
        self._position = 0
        self._draining = False
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._counters = [
            SlidingLog(limit.calls, limit.period, self.rng) for limit in self.settings.limits
        ]
        self._session_ends = 0.0
        self.on_ladder = 0

    # -- making the world ---------------------------------------------------------------------

    def _settings(self) -> LaneSettings:
        rng = self.rng
        tight = (Limit(rng.randint(1, 4), 5.0), Limit(rng.randint(4, 8), 30.0))
        return settings(
            campaign("a", max_batch=rng.randint(1, 6), max_attempts=rng.randint(1, 4)),
            campaign("b", max_batch=rng.randint(1, 20)),
            campaign("again", max_batch=rng.randint(1, 6), in_doubt="resend"),
            campaign("visit", max_batch=rng.randint(1, 3), vendor="radar"),
            limits=tight if rng.random() < 0.6 else (),
            skew=rng.choice([0.0, 2.0]),
            share=rng.choice([0.5, 1.0]),
            first_start_full=rng.random() < 0.5,
            max_in_flight=rng.randint(1, 5),
            linger=rng.choice([0.0, 1.0]),
            max_buffered=rng.randint(1, 30),
            max_spilled=rng.choice([5, 40, 500]),
            call_timeout=10.0,
            logins=frozenset({"radar"}),
        )

    def _gap(self) -> int:
        """Offsets that transaction markers take."""
        return self.rng.choice([0, 0, 0, 1, 1, 2, 9])

    def _records(self, count: int) -> list[Record]:
        rng, offset = self.rng, 0
        made: list[Record] = []
        at = NOW - rng.uniform(0, 20)
        recipients = rng.randint(2, 30)
        for _ in range(count):
            offset += self._gap()
            at += rng.expovariate(rng.choice([0.3, 5.0]))
            name = rng.choices(["a", "b", "again", "visit", "gone", None], [6, 5, 4, 3, 1, 1])[0]
            expires_at = at + rng.uniform(0, 90) if rng.random() < 0.2 else None
            recipient_key = f"r{rng.randrange(recipients)}"
            if name == "gone":  # the config knows it no more, so it comes back until it expires
                expires_at = at + rng.uniform(0, 200)
            made.append(Record(offset, at, recipient_key, name, expires_at, offset))
            offset += 1
        return made

    # -- the runtime --------------------------------------------------------------------------

    def run(self) -> History:
        """Until every record is settled and the lane is at rest. Raises StuckError."""
        self._take_over()
        for _ in range(LONGEST):
            try:
                if self._turn():
                    return self.history
            except Crash:
                self.history.crashes += 1
                self._stay_down(self.rng.uniform(0, 20))
                self._take_over()
        raise StuckError(f"not at rest after {LONGEST} steps")

    def _stay_down(self, seconds: float) -> None:
        """Let time pass between a crash and the next owner."""
        self.now += seconds

    def _take_over(self) -> None:
        self.epoch += 1
        self.lane = self.lane_type(
            self.settings, self.rng, self.now, epoch=self.epoch, checkpoint=self.checkpoint
        )
        self._position = self.lane.settled.base
        self._draining = False

    def _turn(self) -> bool:
        """Everything that is due now, then on to the next moment; True at the very end."""
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[2]()
        self._poll()
        buffer = self.lane.buffer
        self.history.most_held = max(self.history.most_held, buffer.buffered)
        self.history.most_spilled = max(self.history.most_spilled, buffer.read_plan.spilled)
        for command in self.lane.tick(self.now):
            self._carry_out(command)
        everything = self.lane.settled.base >= self.end
        if everything and self.lane.idle and not self._due:
            return True
        if self._draining and self.lane.idle:
            self.history.handovers.append((self.epoch, self.checkpoint))
            self._take_over()
        elif self.rng.random() < self.handovers:
            self._draining = True
            self.lane.stop_sealing()
        self.now = max(self.now, self._next_moment())
        return False

    def _next_moment(self) -> float:
        moments = [self.lane.wake_at, *(due[0] for due in self._due[:1])]
        if not self.lane.paused:
            moments += [each.arrived for each in self.records if each.offset >= self._position][:1]
        return min(moments)

    def _poll(self) -> None:
        if self.lane.paused:
            return
        if self.rng.random() < 0.002:  # a partition lost and regained is read again from the base
            self._position = self.lane.settled.base
        unread = (each for each in self.records if each.offset >= self._position)
        there = list(itertools.takewhile(lambda each: each.arrived <= self.now, unread))
        for record in there[:POLL_RECORDS]:
            self._position = record.offset + 1
            if self.lane.accepts(record.offset):
                self._feed(record)
            self._may_crash()
        self.lane.polled(len(there[:POLL_RECORDS]), POLL_RECORDS, self.now)
        if self._position > self.records[-1].offset:
            self.lane.at_end(self.end)

    def _feed(self, record: Record) -> None:
        if record.campaign is None:
            self.lane.unreadable(letter(record.offset))
            return
        each = held(
            record.origin,
            record.recipient,
            record.campaign,
            arrived=record.arrived,
            expires_at=record.expires_at,
        )
        each.offset, each.attempt, each.delays = record.offset, record.attempt, record.delays
        self.lane.arrived(each, self.now)

    def _carry_out(self, command: Command) -> None:
        self._may_crash()
        match command:
            case Commit():
                self.transact(command)
                self._may_crash()  # definite, and not recorded
                for leaving in self.lane.committed():
                    self._carry_out(leaving)
            case Send(batch):
                self.history.sends.append((len(self.history.commits), batch))
                self._send(batch)
            case Login(vendor, _):
                self._login(vendor)
            case Pause():
                self.history.pauses += 1
            case Seek(offset):
                self.history.passes += offset < self.lane.settled.frontier - 1
                self._position = offset
            case Resume():
                pass

    def transact(self, commit: Commit) -> None:
        """Results and checkpoint become visible together."""
        self.now += self.rng.choice([0.0, 0.01])
        self.history.commits.append(commit)
        self.checkpoint = commit.checkpoint
        for each in commit.delayed:
            self.history.put_off += 1
            self.on_ladder += 1
            # Always the first step: an hour on the delay topics proves no more than a minute.
            self._at(self.now + STEPS["1m"], partial(self._comes_back, each))

    def _comes_back(self, each: DelayedInvitation) -> None:
        """The delay stage writes it to the end of the lane's topic, as it is now."""
        self.on_ladder -= 1
        held, now = each.invitation, self.now
        origin = int(held.invitation["id"][1:])
        back = Record(
            self.end,
            now,
            held.recipient,
            held.campaign,
            held.expires_at,
            origin,
            held.attempt,
            held.delays + 1,
        )
        self.records.append(back)
        self.end += 1 + self._gap()

    def _may_crash(self) -> None:
        if self.history.crashes < CRASHES and self.rng.random() < 0.015:
            raise Crash

    # -- the wire and the vendor --------------------------------------------------------------

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), what))

    def _send(self, batch: Batch) -> None:
        epoch, sent_at = self.epoch, self.now

        def answer(outcome: Outcome) -> None:
            if self.epoch == epoch:  # no former owner's answer
                left = None if outcome is NEVER_LEFT else sent_at
                self.lane.answered(batch.id, outcome, sent_at=left, at=self.now)
                self._may_crash()

        self._exchange(answer, lambda: self._judge(batch))

    def _login(self, vendor: str) -> None:
        epoch = self.epoch

        def answer(outcome: Outcome) -> None:
            if self.epoch != epoch:
                return
            if outcome.verdict is Verdict.ACCEPTED:
                self.lane.logged_in(vendor, self._session_ends, self.now)
            else:
                self.lane.login_failed(vendor, outcome, self.now)
            self._may_crash()

        self._exchange(answer, self._judge_login)

    def _exchange(self, answer: Callable[[Outcome], None], judge: Callable[[], Outcome]) -> None:
        """One request: it fails before it leaves, arrives late or never, or is answered."""
        rng, now, timeout, epoch = self.rng, self.now, self.settings.call_timeout, self.epoch
        fate = rng.random()
        lives = rng.random() < 0.5  # if its sender crashes while the request is on its way
        if fate < 0.04:
            self._at(now + rng.uniform(0, 2), lambda: answer(NEVER_LEFT))
            return
        silent = fate < 0.12
        latest = timeout + LATE_ARRIVAL_GRACE if silent else timeout
        latency = min(rng.lognormvariate(-0.5, 1.2), latest)

        def arrive() -> None:
            if self.epoch != epoch and not lives:
                return
            outcome = judge()
            if not silent:
                self._at(now + latency, lambda: answer(outcome))

        if not silent or rng.random() < 0.5:
            self._at(now + latency * rng.random(), arrive)
        if silent:
            self._at(now + timeout, lambda: answer(SILENCE))

    def _judge(self, batch: Batch) -> Outcome:
        outcome = self._over_quota() or self._verdict(batch)
        if outcome.verdict is Verdict.ACCEPTED or (
            outcome.verdict is Verdict.IN_DOUBT and self.rng.random() < 0.5
        ):
            self.history.accepted.update(each.invitation["id"] for each in batch.invitations)
        return outcome

    def _judge_login(self) -> Outcome:
        if refusal := self._over_quota():
            return refusal
        if self.rng.random() < 0.2:
            return TROUBLE
        self._session_ends = self.now + self.rng.uniform(20, 300)
        return ACCEPTED

    def _over_quota(self) -> Outcome | None:
        """Every limit's log sees every call; one is enough to refuse it."""
        admitted = [counter.admit(self.now) for counter in self._counters]
        if not all(admitted):
            self.history.refused += 1
            return THROTTLED
        if self.random_429s and self.rng.random() < 0.05:
            wait = self.rng.choice([None, 0.0, 7.0])
            return Outcome(Verdict.RETRY, 429, counts=False, throttled=True, retry_after=wait)
        return None

    def _verdict(self, batch: Batch) -> Outcome:
        if batch.campaign == "b" and self.rng.random() < 0.1:
            return PARKED
        if batch.campaign == "visit" and (
            self.now >= self._session_ends or self.rng.random() < 0.05
        ):
            return EXPIRED_TOKEN
        return self.rng.choices(
            [ACCEPTED, REJECTED, TROUBLE, Outcome(Verdict.IN_DOUBT, 504)], [70, 8, 14, 8]
        )[0]
