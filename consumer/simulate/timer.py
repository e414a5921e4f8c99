"""Baseline of common batching consumers: seal a batch on a timer, queue it, call with a permit.

A batch is sealed `linger` seconds after its first customer, or when it is full. Sealed batches are
called first in, first out. Limits and vendor are those of the lane's play.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import LaneSettings
from consumer.simulate.play import LATENCY, Network
from consumer.simulate.played import Played
from consumer.simulate.traffic import Arrival


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
        into = _open(filling[arrival.campaign], arrival, linger, due)
        into.arrived.append(arrival.time)
        into.recipients.add(arrival.recipient)
        if len(into.arrived) == settings.campaigns[arrival.campaign].max_batch:
            filling[arrival.campaign].remove(into)
            yield arrival.time, into
    yield from ((each.due, each) for each in due if each in filling[each.campaign])


def _open(filling: list[Batch], arrival: Arrival, linger: float, due: deque[Batch]) -> Batch:
    """Return the campaign's first batch without this recipient, else a new one."""
    for batch in filling:
        if not arrival.recipient or arrival.recipient not in batch.recipients:
            return batch
    filling.append(batch := Batch(arrival.campaign, arrival.time + linger))
    due.append(batch)
    return batch


def play_timer(
    arrivals: Iterable[Arrival],
    settings: LaneSettings,
    rng: random.Random,
    played: Played,
    *,
    linger: float,
    latency: float = LATENCY,
) -> Played:
    """Play to the end; waits are from arrival to the call's leaving."""
    network = Network(settings, rng, latency)
    limiter = Limiter(settings.limits, skew=settings.skew, share=settings.share)
    now = 0.0
    for when, batch in sealed(arrivals, settings, linger):
        now = max(now, when)
        now = max(now, limiter.next_at(now))
        limiter.take_permit(now)
        at, allowed = network.call(now)
        limiter.call_ended(at)  # ahead of the answer: a future stamp counts all the same
        played.called(batch.campaign, batch.arrived, now, allowed=allowed)
    return played
