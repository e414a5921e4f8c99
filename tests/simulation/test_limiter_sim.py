"""The limiter against vendors' counters that it knows nothing of, with slow networks, from seeds.

A greedy caller with a standing backlog calls whenever a permit is there. A call's latency falls
at random into a part before it meets the vendor and a part after; each of the vendor's servers
has its own clock. `SIM_CALLS` sets how many calls every counter sees in all (default 20,000).
"""

from __future__ import annotations

import heapq
import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from consumer.lane.limiter import Limit, Limiter
from tests.simulation.vendor_counters import KINDS, SlidingLog, VendorCounter, WeightedWindow

LIMITS = (Limit(20, 5), Limit(40, 25), Limit(80, 125), Limit(160, 625))
QUOTA_RATE = 160 / 625
SIM_CALLS = int(os.environ.get("SIM_CALLS", "20000"))
START = 1_763_800_000.0
WARM_UP = 2 * 625.0
TIMEOUT, GRACE = 30.0, 5.0
SERVERS, MAX_CLOCK_SKEW = 5, 1.0
ALIGNMENTS = 4

Latency = Callable[[random.Random], float]
LATENCIES: dict[str, Latency] = {
    "uniform": lambda rng: rng.uniform(0.05, 2.0),
    "lognormal": lambda rng: rng.lognormvariate(-0.7, 1.0),
    "heavy-tailed": lambda rng: 0.5 * rng.paretovariate(1.0),
}


class Gate(Protocol):
    """What the greedy caller needs of a limiter."""

    def next_at(self, now: float) -> float: ...
    def take(self, now: float) -> None: ...
    def answered(self, at: float) -> None: ...


@dataclass
class Caller:
    """A backlog that never ends: `sent` and `arrived` (at the vendor, true time) per call."""

    gate: Gate
    latency: Latency
    rng: random.Random
    now: float = START
    sent: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    answers: list[tuple[float, float]] = field(default_factory=list)

    def run(self, calls: int) -> None:
        """Until so many more calls are sent."""
        goal = len(self.sent) + calls
        while len(self.sent) < goal:
            opens = self.gate.next_at(self.now)
            if opens <= self.now:
                self.gate.take(self.now)
                self._send()
            elif self.answers and self.answers[0][0] <= opens:
                self.now, stamp = heapq.heappop(self.answers)
                self.gate.answered(stamp)
            else:
                self.now = opens

    def _send(self) -> None:
        latency = self.latency(self.rng)
        on_the_way = min(latency * self.rng.random(), TIMEOUT + GRACE)
        self.sent.append(self.now)
        self.arrived.append(self.now + on_the_way)
        if latency > TIMEOUT:
            answer = (self.now + TIMEOUT, self.now + TIMEOUT + GRACE)
        else:
            answer = (self.now + latency, self.now + latency)
        heapq.heappush(self.answers, answer)

    def utilisation(self) -> float:
        """Share of the quota's long-run rate that was used after the first burst."""
        steady = [at for at in self.sent if at >= START + WARM_UP]
        return (len(steady) - 1) / (steady[-1] - steady[0]) / QUOTA_RATE


def refusals(kind: type[VendorCounter], arrived: list[float], rng: random.Random) -> int:
    """Calls that a vendor refuses whose counters (one a limit, any alignment) are of a kind."""
    clocks = [rng.uniform(0, MAX_CLOCK_SKEW) for _ in range(SERVERS)]
    counters = [kind(limit.calls, limit.period, rng) for limit in LIMITS for _ in range(ALIGNMENTS)]
    refused = 0
    for at in sorted(arrived):
        seen = at + rng.choice(clocks)
        admitted = [counter.admit(seen) for counter in counters]  # each sees every call
        refused += not all(admitted)
    return refused


class SendStamped(Limiter):
    """The mistake: a call's stamp is the time at which it left."""

    def take(self, now: float) -> None:
        super().take(now)
        super().answered(now)

    def answered(self, at: float) -> None:
        pass


class PlainSlidingLog:
    """The other mistake: response-stamped, but no more than `calls` in any period is all."""

    def __init__(self) -> None:
        self._stamps: list[float] = []
        self._in_flight = 0

    def next_at(self, now: float) -> float:
        opens = now
        for limit in LIMITS:
            spare = limit.calls - self._in_flight
            if spare <= 0:
                return math.inf
            if len(self._stamps) >= spare:
                opens = max(opens, self._stamps[-spare] + limit.period + 2.0 + 1e-6)
        return opens

    def take(self, _now: float) -> None:
        self._in_flight += 1

    def answered(self, at: float) -> None:
        self._in_flight -= 1
        self._stamps = sorted([*self._stamps[-200:], at])


@pytest.mark.parametrize("name", LATENCIES)
def test_no_counter_refuses_a_call_and_the_quota_is_used(name: str) -> None:
    """Zero refusals by any counter, at 97 % or more of the quota's long-run rate."""
    caller = Caller(Limiter(LIMITS), LATENCIES[name], random.Random(f"calls {name}"))
    caller.run(SIM_CALLS // len(LATENCIES))
    rng = random.Random(f"vendor {name}")
    refused = {kind.__name__: refusals(kind, caller.arrived, rng) for kind in KINDS}
    assert not any(refused.values()), refused
    assert caller.utilisation() >= 0.97


def test_a_new_owner_that_continues_the_log_is_never_refused() -> None:
    """Takeovers with calls on the wire: the log goes on and what is in doubt arrives at worst."""
    caller = Caller(Limiter(LIMITS), LATENCIES["heavy-tailed"], random.Random("takeover"))
    for _ in range(40):
        caller.run(caller.rng.randrange(20, 60))
        assert isinstance(caller.gate, Limiter)
        latest = caller.now + TIMEOUT + GRACE
        log = caller.gate.log(caller.now)
        in_doubt = [latest] * len(caller.answers)
        caller.gate = Limiter.restore(LIMITS, log, in_doubt_until=in_doubt)
        caller.answers.clear()
    rng = random.Random("vendor of takeovers")
    assert {kind: refusals(kind, caller.arrived, rng) for kind in KINDS} == dict.fromkeys(KINDS, 0)


def test_stamping_calls_when_they_leave_is_refused() -> None:
    """Under heavy tails an old slow call and a new fast one arrive closer than they left."""
    caller = Caller(SendStamped(LIMITS), LATENCIES["heavy-tailed"], random.Random("send-stamped"))
    caller.run(5_000)
    rng = random.Random("vendor of send-stamped")
    assert sum(refusals(kind, caller.arrived, rng) for kind in KINDS) > 0


def test_a_plain_sliding_log_is_refused_by_the_weighted_counter_only() -> None:
    """What suits a sliding log is too much for a counter that weighs the last window."""
    caller = Caller(PlainSlidingLog(), LATENCIES["uniform"], random.Random("plain"))
    caller.run(5_000)
    rng = random.Random("vendor of plain")
    assert refusals(SlidingLog, caller.arrived, rng) == 0
    assert refusals(WeightedWindow, caller.arrived, rng) > 0
