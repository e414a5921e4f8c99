"""How many of a world's calls a vendor would have refused, by the way in which it counts.

A vendor keeps one counter a limit, judges a call when it arrives and asks all its counters. The
calls do not depend on the judge as long as none is refused, so all judge the same ones.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumer.lane.state.settings import Limit
from tests.simulation.permits.scenes import Scene
from tests.simulation.vendor_counters import (
    FixedWindow,
    SlidingLog,
    TokenBucket,
    VendorCounter,
    WeightedWindow,
)

SERVERS = 5


@dataclass(frozen=True, slots=True)
class Judge:
    """`apart`: seconds between the clocks of the vendor's servers, which share their counters.
    `alignments`: vendors of this kind that judge each call, alike but for when windows begin."""

    kind: type[VendorCounter]
    apart: float
    alignments: int = 1

    def refused(self, arrived: Sequence[float], limits: Iterable[Limit], seed: str) -> int:
        """Of calls that came at these true times, in order, those that some vendor refused."""
        rng = random.Random(seed)
        clocks = [rng.uniform(0, self.apart) for _ in range(SERVERS)]
        admits = [
            self.kind(limit.calls, limit.period, rng).admit
            for limit in limits
            for _ in range(self.alignments)
        ]
        pick, refused = rng.random, 0
        for at in arrived:
            seen = at + clocks[int(pick() * SERVERS)]
            admitted = [admit(seen) for admit in admits]  # each sees every call
            refused += not all(admitted)
        return refused


COUNTERS: dict[str, Judge] = {
    "fixed": Judge(FixedWindow, 0.0, alignments=4),
    "fixed, servers apart": Judge(FixedWindow, 1.0, alignments=4),
    "sliding log": Judge(SlidingLog, 1.0),
    "weighted windows": Judge(WeightedWindow, 1.0, alignments=4),
    "token bucket": Judge(TokenBucket, 1.0),
}


def used(sent: Sequence[float], scene: Scene) -> tuple[int, float]:
    """Calls, and how many the tightest limit allows, in whole periods after the warm-up."""
    limit = scene.tightest
    begin = sent[min(bisect_left(sent, sent[0] + scene.warm_up), len(sent) - 1)]
    periods = int((sent[-1] - begin) // limit.period)
    until = bisect_left(sent, begin + periods * limit.period)
    return until - bisect_left(sent, begin), float(periods * limit.calls)
