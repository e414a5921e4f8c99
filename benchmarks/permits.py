"""Somebody else on our quota: 429s an hour with limits that give way, and without.

    .venv/bin/python -m benchmarks.permits [--hours 6] [--worlds 4]

A greedy lane under the four documented limits, alone for two hours, then beside a second caller
for `--hours`, then alone again for six. The second caller takes a part of the quota evenly and
ignores its own 429s. Virtual time; the vendor says `Date` and no `Retry-After`. `ours`: what we
got of the quota while it was there; `recovered`: from its leaving until all limits are ours.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from consumer.lane.quota.backoff import QuotaBackoff
from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import Limit
from consumer.records.call import Outcome, Verdict
from tests.simulation.vendor_counters import FixedWindow, SlidingLog, VendorCounter, WeightedWindow

LIMITS = (Limit(20, 5), Limit(40, 25), Limit(80, 125), Limit(160, 625))
QUOTA = 160 / 625
START, HOUR = 1_763_800_000.0, 3600.0
ALONE, AFTERWARDS = 2 * HOUR, 6 * HOUR
COUNTERS: dict[str, type[VendorCounter]] = {
    "sliding log": SlidingLog,
    "fixed": FixedWindow,
    "weighted": WeightedWindow,
}


class Stubborn(QuotaBackoff):
    """Waits after a 429 as the other does, and then uses all of the limits again."""

    def refused(self, outcome: Outcome, sealed_at: float, at: float) -> float:
        """As the other's, but for the part."""
        until = super().refused(outcome, sealed_at, at)
        self.quota_fraction = 1.0
        return until


@dataclass(slots=True)
class World:
    """One lane, one vendor, and between `begins` and `ends` somebody else."""

    throttling: QuotaBackoff
    counters: list[VendorCounter]
    rng: random.Random
    taken: float
    begins: float
    ends: float
    now: float = START
    recovered: float = 0.0
    tally: Counter[tuple[str, bool, bool]] = field(default_factory=Counter)
    """(who, with company, refused) → calls."""
    limiter: Limiter = field(default_factory=lambda: Limiter(LIMITS))
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def run(self, until: float) -> None:
        """To the end."""
        self._at(self.begins, self._other_calls)
        while self.now < until:
            self._recover()
            opens = self.limiter.next_at(self.now)
            if self._events and self._events[0][0] <= opens:
                self.now, _, happens = heapq.heappop(self._events)
                happens()
            else:
                self.now = min(opens, until)
                self._call()

    def _recover(self) -> None:
        if self.throttling.recover(self.now):
            self.limiter.set_share(self.throttling.quota_fraction)
            if self.now >= self.ends and self.throttling.quota_fraction == 1.0:
                self.recovered = self.now - self.ends

    def _call(self) -> None:
        if self.limiter.allowed(self.now):
            self.limiter.take_permit(self.now)
            sealed_at, latency = self.now, self.rng.lognormvariate(-0.7, 1.0)
            self._at(self.now + latency * 0.5, lambda: self._arrives(sealed_at, latency))

    def _arrives(self, sealed_at: float, latency: float) -> None:
        refused = self._refused("we")
        date = float(math.floor(self.now))
        self._at(sealed_at + latency, lambda: self._answered(sealed_at, date, refused=refused))

    def _answered(self, sealed_at: float, date: float, *, refused: bool) -> None:
        self.limiter.call_ended(self.now)
        if not refused:
            self.throttling.accepted()
            return
        outcome = Outcome(Verdict.RETRY, 429, counts=False, throttled=True, vendor_time=date)
        self.limiter.close_until(self.throttling.refused(outcome, sealed_at, self.now))
        self.limiter.set_share(self.throttling.quota_fraction)

    def _other_calls(self) -> None:
        self._refused("they")
        again = self.now + self.rng.expovariate(QUOTA * self.taken)
        if again < self.ends:
            self._at(again, self._other_calls)

    def _refused(self, who: str) -> bool:
        refused = not all([counter.admit(self.now) for counter in self.counters])  # noqa: C419
        self.tally[who, self.begins <= self.now < self.ends, refused] += 1
        return refused

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), happens))


def main() -> None:
    """A row for each counter, part taken, and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=6.0, help="of company")
    parser.add_argument("--worlds", type=int, default=4, help="for each row")
    options = parser.parse_args()
    table = Table(
        "counter", "they take", "limits", "429s/h", "ours", "their 429s/h", "recovered, h"
    )
    table.add_column("429s alone")
    for counter, taken in itertools.product(COUNTERS, (0.05, 0.3, 1.0)):
        for name, way in (("stay", Stubborn), ("give way", QuotaBackoff)):
            worlds = [_world(counter, taken, way, options.hours, n) for n in range(options.worlds)]
            table.add_row(counter, f"{taken:.0%}", name, *_figures(worlds, options.hours))
    Console(width=100).print(table)


def _world(counter: str, taken: float, way: type[QuotaBackoff], hours: float, number: int) -> World:
    rng = random.Random(f"{counter} {taken} {number}")
    counters = [COUNTERS[counter](limit.calls, limit.period, rng) for limit in LIMITS]
    begins = START + ALONE
    world = World(way(LIMITS), counters, rng, taken, begins, begins + hours * HOUR)
    world.run(world.ends + AFTERWARDS)
    return world


def _figures(worlds: list[World], hours: float) -> list[str]:
    together = sum((world.tally for world in worlds), Counter[tuple[str, bool, bool]]())
    time = hours * len(worlds)
    ours = together["we", True, False] / (time * HOUR * QUOTA)
    recovered = sum(world.recovered for world in worlds) / len(worlds) / HOUR
    return [
        f"{together['we', True, True] / time:.1f}",
        f"{ours:.0%}",
        f"{together['they', True, True] / time:.1f}",
        f"{recovered:.1f}" if recovered else "–",
        str(together["we", False, True]),
    ]


if __name__ == "__main__":
    main()
