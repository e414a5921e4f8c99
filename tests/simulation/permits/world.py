"""A greedy caller with a backlog that never ends, through restarts and moves, from a seed.

Time is virtual and true; each owner's clock is up to a second ahead of it. A new owner
knows the last committed checkpoint and nothing else: one is committed before each call leaves,
and one a moment after each answer. What a lost owner had on the wire arrives all the same.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from consumer.lane.quota.limiter import Limiter
from tests.simulation.permits.scenes import FRESH, GRACE, NETWORKS, TIMEOUT, Practice, Scene

START = 1_763_800_000.0
CLOCKS_APART = 1.0
"""Seconds: half of the limiter's skew; the other half is for the vendor's servers."""

LONGEST_ABSENCE = 20.0
"""Seconds from a loss to the takeover."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the checkpoint knows: stamps (the owner's clock) and how many batches were out."""

    log: list[float]
    in_flight: int


class PermitsWorld:
    """One lane's calls: when each left (`sent`) and met the vendor (`arrived`), in true time."""

    def __init__(self, seed: int | str, scene: Scene, practice: Practice | None = None) -> None:
        self.rng = random.Random(seed)
        self.scene = scene
        self.practice = practice or Practice()
        self.now = START
        self.sent: list[float] = []
        self.arrived: list[float] = []
        self.takeovers = 0
        self._latency = NETWORKS[scene.latency]
        self._events: list[tuple[float, int, Callable[..., None], tuple[float, ...]]] = []
        self._order = itertools.count()
        self._gate = self._new()
        self._clock = 0.0
        self._epoch = 0
        self._here, self._moving = True, False
        self._in_flight = self._logins_out = self._logins_due = 0
        self._saved: Saved | None = None
        self._at(self.rng.uniform(10, 200), self._checkpoint_lost)
        self._at(self.rng.expovariate(1 / scene.logins), self._login_due)

    def run(self, calls: int) -> None:
        """Until so many calls have left in all."""
        while len(self.sent) < calls:
            opens = self._opens()
            at, _, what, about = self._events[0]
            if at <= opens - self._clock:
                heapq.heappop(self._events)
                self.now = max(self.now, at)
                what(*about)
            else:
                self.now = max(self.now, opens - self._clock)
                self._leave(opens)

    # -- calls --------------------------------------------------------------------------------

    def _opens(self) -> float:
        """When the owner calls next, by its clock."""
        if not self._here or self._moving:
            return math.inf
        return self._gate.next_at(self.now + self._clock)

    def _leave(self, decided: float) -> None:
        """A call or login, decided at the owner's `decided`: the checkpoint names it first."""
        login = self._logins_due > 0
        self._logins_due -= login
        if not login or self.practice.logins_count:
            self._gate.take_permit(decided)
            self._logins_out += login
            self._in_flight += not login
        self._save(decided)
        leaves = self.now + self._until_committed()
        latency = self._latency(self.rng)
        self.sent.append(self.now)
        self.arrived.append(leaves + min(latency * self.rng.random(), TIMEOUT + GRACE))
        ended = leaves + min(latency, TIMEOUT)
        stamp = ended + self.practice.grace if latency > TIMEOUT else ended
        self._until(ended, self._answered, self._epoch, stamp, login)

    def _until_committed(self) -> float:
        """Seconds; now and then Kafka takes its time."""
        return self.rng.uniform(0.0, FRESH if self.rng.random() < 0.001 else 0.05)

    def _answered(self, epoch: float, stamp: float, login: float) -> None:
        if epoch != self._epoch:
            return  # its owner is gone
        if login and not self.practice.logins_count:
            return
        self._gate.call_ended(stamp + self._clock)
        self._logins_out -= bool(login)
        self._in_flight -= not login
        if self._moving and not self._in_flight + self._logins_out:
            self._moved()
        else:
            self._at(self._until_committed(), self._committed, epoch)

    def _login_due(self) -> None:
        self._logins_due += 1
        self._at(self.rng.expovariate(1 / self.scene.logins), self._login_due)

    # -- owners -------------------------------------------------------------------------------

    def _committed(self, epoch: float) -> None:
        if epoch == self._epoch:
            self._save(self.now + self._clock)

    def _save(self, now: float) -> None:
        latest = now + TIMEOUT + GRACE
        log = [*self._gate.stamps(now), *[latest] * self._logins_out]
        self._saved = Saved(log, self._in_flight)

    def _checkpoint_lost(self) -> None:
        self._saved = None
        self._gone()

    def _lost(self) -> None:
        """Half of the owners crash; the others wait for what is out and hand over."""
        if self.rng.random() < 0.5:
            self._gone()
        elif self._in_flight + self._logins_out:
            self._moving = True
        else:
            self._moved()

    def _moved(self) -> None:
        self._save(self.now + self._clock)
        self._gone()

    def _gone(self) -> None:
        self._epoch += 1
        self._here = self._moving = False
        self._at(self.rng.uniform(0, LONGEST_ABSENCE), self._take_over)

    def _take_over(self) -> None:
        self.takeovers += 1
        self._clock = self.rng.uniform(0, CLOCKS_APART)
        self._in_flight = self._logins_out = 0
        self._gate = self._restored(self.now + self._clock)
        self._here = True
        self._save(self.now + self._clock)  # as the first commit of a takeover does
        self._at(self.rng.expovariate(1 / self.scene.losses), self._lost)

    def _restored(self, now: float) -> Limiter:
        practice, saved = self.practice, self._saved
        if saved is None:
            return self._new(now + TIMEOUT + GRACE if practice.assumes_full else None)
        doubts = [] if practice.doubt is None else [now + practice.doubt] * saved.in_flight
        log = saved.log if practice.keeps_log else []
        return practice.limiter.restore(self.scene.limits, [*log, *doubts], skew=practice.skew)

    def _new(self, full_at: float | None = None) -> Limiter:
        return self.practice.limiter.restore(
            self.scene.limits, (), assume_full_at=full_at, skew=self.practice.skew
        )

    # -- time ---------------------------------------------------------------------------------

    def _at(self, seconds: float, what: Callable[..., None], *about: float) -> None:
        self._until(self.now + seconds, what, *about)

    def _until(self, time: float, what: Callable[..., None], *about: float) -> None:
        heapq.heappush(self._events, (time, next(self._order), what, about))
