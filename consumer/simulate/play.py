"""Plays arrivals through a lane against a vendor's quota, on a virtual clock.

Only the clock, the network and the vendor are simulated: windows, permits, scheduler and settled
offsets are the program's own. The vendor counts with the strictest counter (weighted windows).
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from consumer.lane.dispatch.scheduler import Scheduler
from consumer.lane.lane import Lane
from consumer.lane.quota.bursts import Bursts
from consumer.lane.state.commands import Commit, Login, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneSettings
from consumer.records.call import Outcome, Verdict
from consumer.records.result import Reason
from consumer.sandbox.throttle import Limit as VendorLimit
from consumer.sandbox.throttle import Throttle
from consumer.simulate.figures import Played
from consumer.simulate.traffic import Arrival

LATENCY = 0.3
LATENCY_SIGMA = 0.4
"""A call's seconds are lognormal around `LATENCY`; after half of them the vendor counts it."""

TOKEN_LIFE = 3600.0
"""Seconds for which a vendor's login is valid."""

ACCEPTED = Outcome(Verdict.ACCEPTED, http_status=200)
THROTTLED = Outcome(Verdict.RETRY, http_status=429, counts=False, throttled=True)


class Network:
    """The duration of calls, and the vendor's count of them."""

    def __init__(self, settings: LaneSettings, rng: random.Random, latency: float) -> None:
        limits = [VendorLimit(limit.calls, limit.period) for limit in settings.limits]
        self._vendor = Throttle(limits, algorithm="weighted", offset=rng.random())
        self._rng = rng
        self._latency = math.log(latency)

    def call(self, now: float) -> tuple[float, bool]:
        """Return when a call that leaves at `now` is answered, and whether the quota allows it."""
        seconds = self._rng.lognormvariate(self._latency, LATENCY_SIGMA)
        return now + seconds, self._vendor.allow(now + seconds / 2)


def deliver_answer(
    lane: Lane, command: Send | Login, *, allowed: bool, sent_at: float, at: float
) -> None:
    """Tell a lane how its call or login ended: the vendor takes what its quota allows."""
    outcome = ACCEPTED if allowed else THROTTLED
    if isinstance(command, Send):
        lane.answered(command.batch.id, outcome, sent_at=sent_at, at=at)
    elif allowed:
        lane.logged_in(command.vendor, at + TOKEN_LIFE, at)
    else:
        lane.login_failed(command.vendor, outcome, at)


@dataclass(slots=True)
class Play:
    """One run over `arrivals` in the order of time; ends when all are sent.

    `apart`: seconds between two ticks for new arrivals while permits are available (0: at each).
    `bursts`: those that permits are kept for, instead of the lane's.
    """

    settings: LaneSettings
    arrivals: Iterable[Arrival]
    rng: random.Random
    played: Played
    scheduler: Scheduler | None = None
    latency: float = LATENCY
    apart: float = 0.0
    bursts: Bursts | None = None
    _answers: list[tuple[float, int, Send | Login, bool]] = field(default_factory=list)
    _arrived: int = 0
    _called: int = 0
    _look_at: float = 0.0

    def run(self) -> Played:
        """Play to the end."""
        network = Network(self.settings, self.rng, self.latency)
        lane = Lane(_unaddressed(self.settings), self.rng, 0.0, scheduler=self.scheduler)
        lane.quota.bursts = self.bursts or lane.quota.bursts
        coming = iter(self.arrivals)
        following = next(coming, None)
        while following or self._answers or lane.buffer.buffered:
            now = self._next_event_time(following)
            self.played.take_samples(now, lambda when: _lane_state(lane, when))
            if now >= self.played.backlog_at:
                self.played.record_onset(lane.limiter, self.settings.limits)
            came = False
            while following and following.time <= now:
                lane.arrived(self._pending(following), following.time)
                following, came = next(coming, None), True
            if came and lane.limiter.allowed(now):  # without a permit, an arrival needs no tick
                self._look_at = min(self._look_at, now + self.apart)
            if self._deliver_answers(lane, now) or now >= self._look_at:
                for command in self._tick_lane(lane, now):
                    self._start_call(command, network, now)
                self._look_at = lane.wake_at
        return self.played

    def _next_event_time(self, following: Arrival | None) -> float:
        """Return the time of the next event: an arrival, an answer, or the lane's own wake-up."""
        now = self._look_at
        if following and following.time < now:
            now = following.time
        return min(now, self._answers[0][0]) if self._answers else now

    def _deliver_answers(self, lane: Lane, now: float) -> bool:
        """Pass all answers that are due to the lane; return whether there were any."""
        any_came = False
        while self._answers and self._answers[0][0] <= now:
            any_came = True
            at, _, command, allowed = heapq.heappop(self._answers)
            deliver_answer(lane, command, allowed=allowed, sent_at=at, at=at)
        return any_came

    def _tick_lane(self, lane: Lane, now: float) -> Iterator[Send | Login]:
        for command in lane.tick(now):
            if isinstance(command, Commit):
                reasons = [ended.reason for ended in command.results]
                self.played.expired += reasons.count(Reason.EXPIRED_WAITING)
                for leaving in lane.committed():
                    if isinstance(leaving, Send | Login):
                        yield leaving

    def _start_call(self, command: Send | Login, network: Network, now: float) -> None:
        at, allowed = network.call(now)
        self._called += 1
        heapq.heappush(self._answers, (at, self._called, command, allowed))
        if isinstance(command, Send):
            arrived = (pending.arrived for pending in command.batch.invitations)
            self.played.called(command.batch.campaign, arrived, now, allowed=allowed)
        else:
            self.played.logins += 1
            self.played.throttled += not allowed

    def _pending(self, arrival: Arrival) -> PendingInvitation:
        self._arrived += 1
        when, campaign, recipient, expire_after = arrival
        return PendingInvitation(
            self._arrived,
            b"",
            when,
            sys.intern(campaign),
            recipient or str(self._arrived),
            None if expire_after is None else when + expire_after,
        )


def _unaddressed(settings: LaneSettings) -> LaneSettings:
    """Return campaigns without a spec: simulated invitations have no address and no data."""
    campaigns = {name: replace(one, spec=None) for name, one in settings.campaigns.items()}
    return replace(settings, campaigns=campaigns)


def _lane_state(lane: Lane, when: float) -> tuple[float, int]:
    """Return the share of the quota left, and the number of waiting invitations."""
    return lane.limiter.share_left(when), sum(window.count for window in lane.windows.values())
