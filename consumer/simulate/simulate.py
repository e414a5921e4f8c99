"""`survey-dispatcher simulate`: what a quota makes of synthetic traffic."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consumer.lane.limiter import Limit
from consumer.lane.schedule import IndexPrice, OldestFirst, Scheduler
from consumer.lane.settings import LaneCampaign, LaneSettings
from consumer.model import Channel
from consumer.simulate.play import Play, Played
from consumer.simulate.traffic import bound, poisson, zipf_rates

DOCUMENTED = (Limit(20, 5.0), Limit(40, 25.0), Limit(80, 125.0), Limit(160, 625.0))
"""Pisano's published limits."""

WARM_UP = 3600.0
UNBOUNDED = 10**9

SCHEDULERS: dict[str, type[IndexPrice | OldestFirst]] = {
    "index-price": IndexPrice,
    "oldest-first": OldestFirst,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Zipf(1.1) campaigns with Poisson arrivals at `rate` per second for `hours`."""

    campaigns: int
    rate: float
    hours: float
    seed: int = 0
    limits: Sequence[Limit] = DOCUMENTED
    share: float = 1.0
    max_batch: int = 5000

    def run(self, scheduler: str = "index-price") -> dict[str, Any]:
        """The figures. An hour of warm-up comes first; every later arrival counts."""
        rng = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        rates = zipf_rates(self.campaigns, self.rate)
        names = [f"campaign-{number}" for number in range(self.campaigns)]
        seconds = WARM_UP + self.hours * 3600.0
        arrivals = ((when, names[number]) for when, number in poisson(rates, seconds, rng))
        chosen: Scheduler = SCHEDULERS[scheduler]()
        played = Play(self._settings(names), arrivals, rng, WARM_UP, chosen).run()
        return _figures(played, bound(rates, self.limits) / self.share)

    def _settings(self, names: Sequence[str]) -> LaneSettings:
        campaigns = {
            name: LaneCampaign(
                name, "vendor", Channel.SMS, max_batch=self.max_batch, max_wait=float("inf")
            )
            for name in names
        }
        return LaneSettings(
            "simulated",
            campaigns,
            "",
            limits=tuple(self.limits),
            share=self.share,
            first_start_full=False,
            max_held=UNBOUNDED,
            max_in_flight=64,
        )


def _figures(played: Played, least: float) -> dict[str, Any]:
    waits = sorted(played.waits) or [0.0]
    mean = sum(waits) / len(waits)
    return {
        "mean_wait": round(mean, 2),
        "p50": round(waits[len(waits) // 2], 2),
        "p99": round(waits[int(len(waits) * 0.99)], 2),
        "max": round(waits[-1], 2),
        "bound": round(least, 2),
        "ratio": round(mean / least, 3) if least else None,
        "calls": played.calls,
        "customers_per_call": round(played.customers / max(played.calls, 1), 2),
        "throttled": played.throttled,
    }
