"""Strategies to spend permits: the program's own, and the baselines."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

from consumer.lane.dispatch.scheduler import IndexPrice, OldestFirst, Scheduler
from consumer.lane.state.settings import LaneSettings
from consumer.simulate.play import LATENCY, Play
from consumer.simulate.played import Played
from consumer.simulate.timer import play_timer
from consumer.simulate.traffic import Arrival

Policy = Callable[[LaneSettings, Iterable[Arrival], random.Random, Played], Played]


def lane_with(
    scheduler: type[IndexPrice | OldestFirst] | None,
    *,
    apart: float = 0.0,
    latency: float = LATENCY,
) -> Policy:
    """Return a policy of the lane's own code with this scheduler (None: the lane's choice)."""

    def play(
        settings: LaneSettings, arrivals: Iterable[Arrival], rng: random.Random, played: Played
    ) -> Played:
        chosen: Scheduler | None = scheduler() if scheduler else None
        return Play(settings, arrivals, rng, played, chosen, latency, apart).run()

    return play


def _seal_after(seconds: float) -> Policy:
    def play(
        settings: LaneSettings, arrivals: Iterable[Arrival], rng: random.Random, played: Played
    ) -> Played:
        return play_timer(arrivals, settings, rng, played, linger=seconds)

    return play


OURS = "index-price"

BASELINES: Mapping[str, Policy] = {
    "seal-after-1s": _seal_after(1.0),
    "seal-after-60s": _seal_after(60.0),
    "late-oldest-first": lane_with(OldestFirst),
}
"""The baselines: seal on a timer and queue, as batching consumers do; seal late, oldest first."""
