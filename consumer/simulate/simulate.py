"""Simulates traffic under a quota: one play a lane, and the comparisons asked for."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from consumer.config.models import Config
from consumer.lane.state.settings import LaneCampaign, LaneSettings, Limit
from consumer.records.channel import Channel
from consumer.simulate.figures import (
    Figures,
    Played,
    at_onset,
    by_campaign,
    drained,
    over_time,
    summary,
)
from consumer.simulate.strategies import BASELINES, OURS, Strategy, play_lane
from consumer.simulate.traffic import Arrival, bound, poisson, spread, with_backlog, zipf_rates
from consumer.wiring.build import lane_settings

DOCUMENTED = (Limit(20, 5.0), Limit(40, 25.0), Limit(80, 125.0), Limit(160, 625.0))
"""Pisano's published limits."""

WARM_UP = 3600.0
UNBOUNDED = 10**15


@dataclass(frozen=True, slots=True)
class LaneTraffic:
    """A lane and its arrivals.

    `arrivals` makes the same ones each time it is called; `rates`: customers a second by campaign;
    `backlog`: customers that come in addition, all at once, when the warm-up is over, and again
    `every` so many seconds.
    """

    settings: LaneSettings
    arrivals: Callable[[], Iterator[Arrival]]
    rates: Mapping[str, float]
    warm_up: float = 0.0
    backlog: Mapping[str, int] | None = None
    every: float = math.inf

    def under(
        self, limits: Sequence[Limit] | None, share: float | None, reserve: int | None = None
    ) -> LaneTraffic:
        """Return the same under another quota; None keeps a value, no limits stay none."""
        settings = self.settings
        if limits is not None and settings.limits:
            settings = replace(settings, limits=tuple(limits))
        if share is not None and settings.limits:
            settings = replace(settings, share=share)
        if reserve is not None:
            settings = replace(settings, reserve=reserve)
        return replace(self, settings=settings)

    def with_backlog(self, backlog: Mapping[str, int], every: float = math.inf) -> LaneTraffic:
        """Return the same with a backlog of its own campaigns."""
        own = {name: n for name, n in backlog.items() if name in self.settings.campaigns}
        return replace(self, backlog=own, every=every)

    @property
    def backlog_calls(self) -> int:
        """The full calls of its backlog."""
        campaigns = self.settings.campaigns
        backlog = (self.backlog or {}).items()
        return math.ceil(sum(count / campaigns[name].max_batch for name, count in backlog))

    @property
    def least(self) -> float:
        """The bound of the mean wait, seconds; 0 without limits."""
        return bound(self.rates.values(), self.settings.limits) / self.settings.share

    def play(self, strategy: Strategy, seed: int) -> Played:
        """Play it; the same seed gives the same network."""
        backlog = self.backlog or {}
        arrivals = self.arrivals()
        if backlog:
            arrivals = with_backlog(arrivals, backlog, self.warm_up, self.every)
        rng = random.Random(f"network of {seed}")  # noqa: S311 - repeatable on purpose
        played = Played(self.warm_up, self.warm_up if backlog else -math.inf)
        return strategy(in_memory(self.settings), arrivals, rng, played)


def synthetic_lane(
    names: Sequence[str],
    limits: Sequence[Limit],
    share: float,
    max_batch: int = 5000,
    max_wait: float = math.inf,
) -> LaneSettings:
    """Make a lane of these campaigns, independent of any config."""
    campaigns = {
        name: LaneCampaign(name, "vendor", Channel.SMS, max_batch, max_wait) for name in names
    }
    return LaneSettings(
        "simulated", campaigns, "", limits=tuple(limits), share=share, max_in_flight=64
    )


def poisson_lane(
    settings: LaneSettings, rates: Mapping[str, float], hours: float, seed: int
) -> LaneTraffic:
    """Make Poisson arrivals at these rates (a second), for an hour's warm-up and `hours`."""
    names, numbers = list(rates), list(rates.values())
    seconds = WARM_UP + hours * 3600.0

    def arrivals() -> Iterator[Arrival]:
        rng = random.Random(f"arrivals of {seed} {settings.name}")  # noqa: S311 - repeatable on purpose
        return (Arrival(when, names[number]) for when, number in poisson(numbers, seconds, rng))

    return LaneTraffic(settings, arrivals, rates, WARM_UP)


def synthetic_lanes(
    config: Config, only: str | None, rate: float, hours: float, seed: int
) -> list[LaneTraffic]:
    """Make traffic for a config's lanes, or one of them; Zipf's law sizes campaigns in order."""
    rates = dict(zip(config.campaigns, zipf_rates(len(config.campaigns), rate), strict=True))
    return [
        poisson_lane(
            lane_settings(config, lane),
            {name: rates[name] for name in config.campaigns_of(lane)},
            hours,
            seed,
        )
        for lane in config.lanes
        if only in (None, lane)
    ]


def in_memory(settings: LaneSettings) -> LaneSettings:
    """Start with an unused quota, and buffer the whole backlog in memory: there is no log."""
    return replace(
        settings, first_start_full=False, max_buffered=UNBOUNDED, max_buffered_bytes=UNBOUNDED
    )


@dataclass(frozen=True, slots=True)
class Scenario:
    """Zipf(1.1) campaigns under the documented limits, Poisson arrivals at `rate` per second.

    An hour of warm-up comes first; every later arrival counts.
    """

    campaigns: int
    rate: float
    hours: float
    seed: int = 0
    max_wait: float = math.inf

    def traffic(self) -> LaneTraffic:
        """Return the traffic on a lane of its own."""
        rates = zipf_rates(self.campaigns, self.rate)
        by_name = {f"campaign-{rank}": rate for rank, rate in enumerate(rates, 1)}
        settings = synthetic_lane(list(by_name), DOCUMENTED, 1.0, max_wait=self.max_wait)
        return poisson_lane(settings, by_name, self.hours, self.seed)

    def run(self, strategy: Strategy = play_lane) -> Figures:
        """Return the figures of one strategy."""
        traffic = self.traffic()
        return summary([traffic.play(strategy, self.seed)], traffic.least)


@dataclass(frozen=True, slots=True)
class Question:
    """A simulation of some lanes' traffic. `other`: limits to compare with."""

    lanes: Sequence[LaneTraffic]
    seed: int = 0
    baselines: bool = False
    other: Sequence[Limit] | None = None

    def answer(self) -> Figures:
        """Return all figures. Raises nothing: all traffic is played."""
        told = self._figures(self.lanes)
        if self.other is not None:
            told["compare"] = self._figures([lane.under(self.other, None) for lane in self.lanes])
        if self.baselines:
            told["baselines"] = {
                name: _together(self.lanes, self._play(self.lanes, strategy))
                for name, strategy in BASELINES.items()
            }
            told["strategy"] = OURS
            told |= self._with_reserve()
        return told

    def _with_reserve(self) -> Figures:
        """Return the figures with permits that are kept for the backlog, unless that is so."""
        asked = [lane for lane in self.lanes if lane.settings.limits]
        reserve = max((lane.backlog_calls for lane in asked), default=0)
        if not reserve or any(lane.settings.reserve is not None for lane in asked):
            return {}
        lanes = [lane.under(None, None, lane.backlog_calls) for lane in self.lanes]
        figures = _together(lanes, self._play(lanes, play_lane))
        return {"with_reserve": {"reserve": reserve, **figures}}

    def _play(self, lanes: Sequence[LaneTraffic], strategy: Strategy) -> list[Played]:
        return [lane.play(strategy, self.seed) for lane in lanes]

    def _figures(self, lanes: Sequence[LaneTraffic]) -> Figures:
        """Play the lanes by their own code; return the figures of all, then of each."""
        played = self._play(lanes, play_lane)
        return {**_together(lanes, played), "lanes": list(map(_of_lane, lanes, played))}


def _of_lane(lane: LaneTraffic, played: Played) -> Figures:
    return {
        "lane": lane.settings.name,
        "limits": [f"{limit.calls}/{limit.period:g}s" for limit in lane.settings.limits],
        "share": lane.settings.share,
        **summary([played], lane.least),
        "campaigns": by_campaign(played),
        "over_time": over_time(played),
        **({"backlog": drained(played, lane.backlog, lane.backlog_calls)} if lane.backlog else {}),
    }


def _together(lanes: Sequence[LaneTraffic], played: Sequence[Played]) -> Figures:
    """Sum up several lanes; their bound is weighted by each lane's customers."""
    numbers = [len(one.waits) for one in played]
    sums = sum(lane.least * number for lane, number in zip(lanes, numbers, strict=True))
    told = summary(played, sums / sum(numbers) if sums else 0.0)
    most = max(zip(lanes, played, strict=True), key=lambda each: each[0].backlog_calls)
    onset = at_onset(most[1])
    return told if onset is None else {**told, "onset": onset}


def shared_out(total: int, lanes: Sequence[LaneTraffic]) -> dict[str, int]:
    """Split a backlog of `total` customers by campaign, in proportion to the traffic."""
    return spread(total, {name: rate for lane in lanes for name, rate in lane.rates.items()})
