"""Synthetic arrivals: Poisson streams whose rates follow Zipf's law."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import accumulate

from consumer.lane.limiter import Limit

EXPONENT = 1.1
"""Of Zipf's law: a few large campaigns and many small ones."""


def zipf_rates(campaigns: int, rate: float) -> list[float]:
    """`campaigns` arrival rates that sum to `rate` (invitations per second)."""
    shares = [1.0 / rank**EXPONENT for rank in range(1, campaigns + 1)]
    return [rate * share / sum(shares) for share in shares]


def poisson(
    rates: Sequence[float], seconds: float, rng: random.Random
) -> Iterator[tuple[float, int]]:
    """(time, campaign number) of all arrivals in `seconds`, in order of time."""
    total, cumulative = sum(rates), list(accumulate(rates))
    numbers = range(len(rates))
    now = rng.expovariate(total)
    while now < seconds:
        yield now, rng.choices(numbers, cum_weights=cumulative)[0]
        now += rng.expovariate(total)


def bound(rates: Sequence[float], limits: Sequence[Limit]) -> float:
    """The least mean wait in the long run, seconds: (Σ√λ)² / (2·R·Σλ).

    R, the permit rate, is the smallest calls per second of all limits. Without limits it is 0.
    """
    if not limits:
        return 0.0
    permits = min(limit.calls / limit.period for limit in limits)
    return sum(math.sqrt(rate) for rate in rates) ** 2 / (2.0 * permits * sum(rates))
