"""Plays arrivals through a lane against a vendor's quota, on a virtual clock.

Only the clock, the network and the vendor are made up: windows, permits, scheduler and ledger are
the program's own. The vendor counts with the strictest counter there is (weighted windows).
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from consumer.lane.commands import Commit, Send
from consumer.lane.held import Held
from consumer.lane.lane import Lane
from consumer.lane.schedule import Scheduler
from consumer.lane.settings import LaneSettings
from consumer.model import Invitation, Outcome, Verdict
from consumer.sandbox.throttle import Limit as VendorLimit
from consumer.sandbox.throttle import Throttle

LATENCY_MEDIAN = 0.3
LATENCY_SIGMA = 0.4
"""A call's seconds are lognormal; half of them pass before the vendor counts it."""

ACCEPTED = Outcome(Verdict.ACCEPTED, http_status=200)
THROTTLED = Outcome(Verdict.RETRY, http_status=429, counts=False, throttled=True)


@dataclass(slots=True)
class Played:
    """What came of it. `waits`: seconds from arrival to the call's leaving, after the warm-up."""

    waits: list[float] = field(default_factory=list)
    calls: int = 0
    customers: int = 0
    throttled: int = 0


@dataclass(slots=True)
class Play:
    """One run over `arrivals` (time, campaign name), in order of time; ends when all are sent."""

    settings: LaneSettings
    arrivals: Iterable[tuple[float, str]]
    rng: random.Random
    warm_up: float = 0.0
    scheduler: Scheduler | None = None
    played: Played = field(default_factory=Played)
    _answers: list[tuple[float, str, Outcome]] = field(default_factory=list)
    _arrived: int = 0

    def run(self) -> Played:
        """Play to the end."""
        limits = [VendorLimit(limit.calls, limit.period) for limit in self.settings.limits]
        vendor = Throttle(limits, algorithm="weighted", offset=self.rng.random())
        lane = Lane(self.settings, self.rng, 0.0, scheduler=self.scheduler)
        coming = iter(self.arrivals)
        following = next(coming, None)
        while following or self._answers or lane.shelf.held:
            now = self._next(lane, following)
            while following and following[0] <= now:
                lane.arrived(self._held(*following), following[0])
                following = next(coming, None)
            self._answer(lane, now)
            for send in self._tick(lane, now):
                self._call(send, vendor, now)
        return self.played

    def _next(self, lane: Lane, following: tuple[float, str] | None) -> float:
        """When something happens next: an arrival, an answer, or the lane's own wish."""
        times = [lane.wake_at]
        times += [following[0]] if following else []
        times += [self._answers[0][0]] if self._answers else []
        return min(times)

    def _answer(self, lane: Lane, now: float) -> None:
        while self._answers and self._answers[0][0] <= now:
            at, batch, outcome = heapq.heappop(self._answers)
            lane.answered(batch, outcome, sent_at=at, at=at)

    @staticmethod
    def _tick(lane: Lane, now: float) -> Iterator[Send]:
        for command in lane.tick(now):
            if isinstance(command, Commit):
                yield from (each for each in lane.committed() if isinstance(each, Send))

    def _call(self, send: Send, vendor: Throttle, now: float) -> None:
        seconds = self.rng.lognormvariate(math.log(LATENCY_MEDIAN), LATENCY_SIGMA)
        allowed = vendor.allow(now + seconds / 2)
        heapq.heappush(
            self._answers, (now + seconds, send.batch.id, ACCEPTED if allowed else THROTTLED)
        )
        played = self.played
        played.calls += 1
        played.throttled += not allowed
        if allowed:
            played.customers += len(send.batch.held)
            played.waits += [
                now - held.arrived for held in send.batch.held if held.arrived >= self.warm_up
            ]

    def _held(self, when: float, campaign: str) -> Held:
        self._arrived += 1
        name = str(self._arrived)
        return Held.of(self._arrived, _invitation(name, campaign), when)


def _invitation(name: str, campaign: str) -> Invitation:
    """As little as a lane needs: everybody is somebody else."""
    return {
        "version": 1,
        "id": name,
        "event_id": name,
        "event_time": "",
        "routed_at": "",
        "expires_at": None,
        "route": "",
        "campaign": campaign,
        "pseudonym": name,
        "address": {},
        "data": {},
        "config_version": "",
        "source": {"topic": "", "partition": 0, "offset": 0},
    }
