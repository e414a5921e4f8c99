"""Arrivals: when which campaign gets a customer. Synthetic: Poisson streams under Zipf's law.

A source is an iterator of `Arrival` in the order of time; `faster` and `with_backlog` turn a source
into another one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, repeat
from typing import NamedTuple

from consumer.lane.state.settings import Limit

EXPONENT = 1.1
"""Exponent of Zipf's law: a few large campaigns and many small ones."""


class Arrival(NamedTuple):
    """A customer comes to a campaign at `time` (seconds).

    `recipient`: two invitations of one recipient never share a call; "": equals no other.
    `expire_after`: seconds until it is too late to send it, None for never.
    """

    time: float
    campaign: str
    recipient: str = ""
    expire_after: float | None = None


def zipf_rates(campaigns: int, rate: float) -> list[float]:
    """Return `campaigns` arrival rates that sum to `rate` (invitations per second)."""
    shares = [1.0 / rank**EXPONENT for rank in range(1, campaigns + 1)]
    return [rate * share / sum(shares) for share in shares]


def poisson(
    rates: Sequence[float], seconds: float, rng: random.Random
) -> Iterator[tuple[float, int]]:
    """Yield (time, campaign number) of all arrivals in `seconds`, in order of time."""
    total, cumulative = sum(rates), list(accumulate(rates))
    numbers = range(len(rates))
    now = rng.expovariate(total)
    while now < seconds:
        yield now, rng.choices(numbers, cum_weights=cumulative)[0]
        now += rng.expovariate(total)


def faster(
    arrivals: Iterable[Arrival], speed: float, begin: float | None = None
) -> Iterator[Arrival]:
    """Play arrivals `speed` times as fast; `begin` (by default the first arrival) is time 0.

    `expire_after` is not scaled.
    """
    for arrival in arrivals:
        begin = arrival.time if begin is None else begin
        yield arrival._replace(time=(arrival.time - begin) / speed)


def with_backlog(
    arrivals: Iterable[Arrival], backlog: Mapping[str, int], at: float, every: float = math.inf
) -> Iterator[Arrival]:
    """Add so many more customers to each campaign, which all come at `at`, and again `every` so
    many seconds while there are others."""
    following, more = at, True
    for arrival in arrivals:
        while following < arrival.time:
            yield from _at_once(backlog, following)
            following, more = following + every, False
        yield arrival
    if more:
        yield from _at_once(backlog, following)


def _at_once(backlog: Mapping[str, int], at: float) -> Iterator[Arrival]:
    return chain.from_iterable(repeat(Arrival(at, name), n) for name, n in backlog.items())


def spread(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Split `total` customers by weight, to the last one (largest remainders)."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    shares = {name: math.floor(share) for name, share in exact.items()}
    by_rest = sorted(exact, key=lambda name: shares[name] - exact[name])
    for name in by_rest[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def bound(rates: Iterable[float], limits: Sequence[Limit]) -> float:
    """Return the least mean wait in the long run, seconds: (Σ√λ)² / (2·R·Σλ).

    R, the permit rate, is the smallest calls per second of all limits. Without limits it is 0.
    """
    rates = list(rates)
    if not limits or not sum(rates):
        return 0.0
    permits = min(limit.calls / limit.period for limit in limits)
    return sum(math.sqrt(rate) for rate in rates) ** 2 / (2.0 * permits * sum(rates))
