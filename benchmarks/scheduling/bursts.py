"""Waits beside a daily bulk under the documented quota, by how permits are kept for it.

    .venv/bin/python -m benchmarks.scheduling.bursts

Zipf(1.1) campaigns with Poisson arrivals for four hours of each day; in the middle of them 200,000
customers more come at once, to the largest campaign, with 50 shared out like the traffic. The first
day is the warm-up, in which a lane learns its bulk. `foreseen` knows when the next one comes, which
no scheduler does. One JSON line a run, a table at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from typing import Any

from consumer.lane.quota.bursts import Bursts
from consumer.lane.state.settings import LaneSettings
from consumer.simulate.figures import Played, summary
from consumer.simulate.play import Play
from consumer.simulate.simulate import DOCUMENTED, in_memory, synthetic_lane
from consumer.simulate.strategies import BASELINES, Strategy, play_lane
from consumer.simulate.traffic import Arrival, poisson, spread, zipf_rates

DAY, OPENS, HOURS = 86400.0, 8 * 3600.0, 4
AT = OPENS + HOURS * 1800.0
BULK = 200_000
SHARED_OUT = 50
"""Campaigns from which on the bulk is for all of them."""
TRACES = {1: 5.0, 5: 2.0, 50: 5.0}
"""Campaigns → customers a second of all of them."""

APART = 0.25
"""Seconds between two polls for arrivals; the program polls every 0.05 s. It only adds."""


class Foreseen(Bursts):
    """Knows the times of bursts: within a limit's period before one, a permit spares the calls
    beyond those in hand a slot of waiting; at any other time it is worth nothing."""

    _now = 0.0

    def advance(self, now: float) -> None:
        """Take the time."""
        self._now = now

    def worth(self, left: Sequence[float], calls: Sequence[int]) -> float:
        """Return what a permit is worth for the next burst, customer-seconds."""
        ahead = (AT - self._now) % DAY
        full = max(one.max_batch for one in self._settings.campaigns.values())
        limits = zip(self._settings.limits, left, calls, strict=True)
        return sum(
            max(0.0, min(BULK / full, most) - permits) * full * limit.period / most
            for limit, permits, most in limits
            if ahead <= limit.period
        )


def play_foreseen(
    settings: LaneSettings, arrivals: Iterable[Arrival], rng: random.Random, played: Played
) -> Played:
    """Play the lane's own code with bursts that it knows."""
    bursts = Foreseen(settings, None, 0.0)
    return Play(settings, arrivals, rng, played, apart=APART, bursts=bursts).run()


def kept(reserve: int | None) -> Strategy:
    """Return the lane's own play; None for bursts that it learns."""

    def play(
        settings: LaneSettings, arrivals: Iterable[Arrival], rng: random.Random, played: Played
    ) -> Played:
        return play_lane(replace(settings, reserve=reserve), arrivals, rng, played, apart=APART)

    return play


STRATEGIES: Mapping[str, Strategy] = {
    "no reserve": kept(0),
    "bursts learnt": kept(None),
    "reserve: 40": kept(40),
    "foreseen": play_foreseen,
    **BASELINES,
}


def daily(rates: Mapping[str, float], days: int, seed: int) -> Iterator[Arrival]:
    """Yield all arrivals in the order of time."""
    names = list(rates)
    rng = random.Random(f"arrivals of {seed}")
    for day in range(days):
        shares = spread(BULK, rates) if len(names) >= SHARED_OUT else {names[0]: BULK}
        opens, bulk = day * DAY + OPENS, [(day * DAY + AT, shares)]
        for since, number in poisson(list(rates.values()), HOURS * 3600.0, rng):
            while bulk and bulk[0][0] <= opens + since:
                at, shares = bulk.pop()
                yield from chain.from_iterable(repeat(Arrival(at, n), c) for n, c in shares.items())
            yield Arrival(opens + since, names[number])


def play(job: tuple[int, str], *, days: int, seed: int) -> dict[str, Any]:
    """(campaigns, strategy) → its figures, also of steady and bulk customers apart."""
    campaigns, name = job
    of_each = zipf_rates(campaigns, TRACES[campaigns])
    rates = {f"campaign-{rank}": rate for rank, rate in enumerate(of_each, 1)}
    settings = in_memory(synthetic_lane(list(rates), DOCUMENTED, 1.0))
    rng, played = random.Random(f"network of {seed}"), Apart(DAY)
    STRATEGIES[name](settings, daily(rates, days, seed), rng, played)
    parts = {"steady": _mean(played.steady), "bulk": _mean(played.bulk)}
    return {"campaigns": campaigns, "strategy": name, **parts, **summary([played], 0.0)}


class Apart(Played):
    """A play that tells the waits of the bulk from those of the others."""

    def __init__(self, warm_up: float) -> None:
        super().__init__(warm_up)
        self.steady = list[float]()
        self.bulk = list[float]()

    def called(self, campaign: str, arrived: Iterable[float], now: float, *, allowed: bool) -> None:
        """Record a call."""
        times = list(arrived)
        for at in times if allowed else ():
            if at >= self.warm_up:
                (self.bulk if at % DAY == AT else self.steady).append(now - at)
        super().called(campaign, times, now, allowed=allowed)


def _mean(waits: Sequence[float]) -> float:
    return round(sum(waits) / len(waits), 2) if waits else 0.0


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Markdown."""
    yield "| campaigns | permits | mean, s | of the steady | of the bulk | p99, s | max, s | 429s |"
    yield "|---" * 8 + "|"
    for row in rows:
        means = " | ".join(f"{row[key]:,.1f}" for key in ("mean_wait", "steady", "bulk"))
        rest = f"{row['p99']:,.0f} | {row['max']:,.0f} | {row['throttled']}"
        yield f"| {row['campaigns']} | {row['strategy']} | {means} | {rest} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Play all, on `--processes` cores at a low priority."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", nargs="*", type=int, choices=list(TRACES), default=TRACES)
    parser.add_argument("--strategies", nargs="*", choices=list(STRATEGIES), default=STRATEGIES)
    parser.add_argument("--days", type=int, default=2, help="the first is the warm-up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--nice", type=int, default=10)
    given = parser.parse_args(arguments)
    jobs = [(campaigns, name) for campaigns in given.campaigns for name in given.strategies]
    run = partial(play, days=given.days, seed=given.seed)
    rows = []
    with ProcessPoolExecutor(given.processes, initializer=os.nice, initargs=(given.nice,)) as pool:
        for row in pool.map(run, jobs):
            rows.append(row)
            print(json.dumps(row), flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
