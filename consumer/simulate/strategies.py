"""Strategies to spend permits: the lane's own code, and the baselines.

The baseline of common batching consumers seals a batch on a timer: `linger` seconds after its first
customer, or when it is full. Sealed batches are called first in, first out. Limits and vendor are
the same as in the lane's play.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from consumer.lane.dispatch.scheduler import OldestFirst, Scheduler
from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import LaneSettings
from consumer.simulate.figures import Played
from consumer.simulate.play import LATENCY, Network, Play
from consumer.simulate.traffic import Arrival

Strategy = Callable[[LaneSettings, Iterable[Arrival], random.Random, Played], Played]


def play_lane(
    settings: LaneSettings,
    arrivals: Iterable[Arrival],
    rng: random.Random,
    played: Played,
    *,
    scheduler: Callable[[], Scheduler] | None = None,
    apart: float = 0.0,
    latency: float = LATENCY,
) -> Played:
    """Play the lane's own code to the end; `scheduler` None is the lane's choice."""
    chosen = scheduler() if scheduler else None
    return Play(settings, arrivals, rng, played, chosen, latency, apart).run()


@dataclass(slots=True, eq=False)
class Batch:
    """Customers of one campaign; each recipient at most once."""

    campaign: str
    due: float
    arrived: list[float] = field(default_factory=list)
    recipients: set[str] = field(default_factory=set)


def sealed(
    arrivals: Iterable[Arrival], settings: LaneSettings, linger: float
) -> Iterator[tuple[float, Batch]]:
    """Yield (when, batch) in the order of sealing."""
    filling: dict[str, list[Batch]] = defaultdict(list)
    due: deque[Batch] = deque()  # all linger equally long: the first begun is the first due
    for arrival in arrivals:
        while due and due[0].due <= arrival.time:
            batch = due.popleft()
            if batch in filling[batch.campaign]:
                filling[batch.campaign].remove(batch)
                yield batch.due, batch
        into = _open_batch(filling[arrival.campaign], arrival, linger, due)
        into.arrived.append(arrival.time)
        into.recipients.add(arrival.recipient)
        if len(into.arrived) == settings.campaigns[arrival.campaign].max_batch:
            filling[arrival.campaign].remove(into)
            yield arrival.time, into
    yield from ((batch.due, batch) for batch in due if batch in filling[batch.campaign])


def _open_batch(filling: list[Batch], arrival: Arrival, linger: float, due: deque[Batch]) -> Batch:
    """Return the campaign's first batch without this recipient, else a new one."""
    for batch in filling:
        if not arrival.recipient or arrival.recipient not in batch.recipients:
            return batch
    filling.append(batch := Batch(arrival.campaign, arrival.time + linger))
    due.append(batch)
    return batch


def play_timer(
    settings: LaneSettings,
    arrivals: Iterable[Arrival],
    rng: random.Random,
    played: Played,
    *,
    linger: float,
) -> Played:
    """Seal each batch `linger` seconds after its first customer, and play to the end."""
    network = Network(settings, rng, LATENCY)
    limiter = Limiter(settings.limits, skew=settings.skew, share=settings.share)
    now = 0.0
    for when, batch in sealed(arrivals, settings, linger):
        now = max(now, when)
        if now >= played.backlog_at:
            played.record_onset(limiter, settings.limits)
        now = max(now, limiter.next_at(now))
        limiter.take_permit(now)
        at, allowed = network.call(now)
        limiter.call_ended(at)  # ahead of the answer: a future stamp counts all the same
        played.called(batch.campaign, batch.arrived, now, allowed=allowed)
    return played


OURS = "index-price"

BASELINES: Mapping[str, Strategy] = {
    "seal-after-1s": partial(play_timer, linger=1.0),
    "seal-after-60s": partial(play_timer, linger=60.0),
    "late-oldest-first": partial(play_lane, scheduler=OldestFirst),
}
"""The baselines: seal on a timer and queue, as batching consumers do; seal late, oldest first."""
