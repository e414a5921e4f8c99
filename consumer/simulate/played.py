"""The outcome of a play: waits and calls by campaign, and the lane's state over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_SAMPLES = 480
"""Samples at most: beyond, every second one is dropped. A play's length is not known before."""


class Sample(NamedTuple):
    """The lane's state: share of the quota left (0 to 1), customers in windows, calls so far."""

    time: float
    left: float
    waiting: int
    calls: int


@dataclass(slots=True)
class Campaign:
    """One campaign's part. `waits`: seconds from arrival to the call's leaving.

    `drained_at`: when the last customer left of those that came by `Played.backlog_at`.
    """

    waits: list[float] = field(default_factory=list)
    calls: int = 0
    customers: int = 0
    drained_at: float = -math.inf


@dataclass(slots=True)
class Played:
    """The whole play. Customers that came before `warm_up` are counted, but not in `waits`."""

    warm_up: float = 0.0
    backlog_at: float = -math.inf
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    throttled: int = 0
    logins: int = 0
    expired: int = 0
    ended_at: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    _every: float = 1.0
    _next_sample: float = 0.0

    @property
    def calls(self) -> int:
        """Calls that carried customers, including refused ones."""
        return sum(each.calls for each in self.campaigns.values())

    @property
    def customers(self) -> int:
        """Customers in accepted calls."""
        return sum(each.customers for each in self.campaigns.values())

    @property
    def waits(self) -> list[float]:
        """All campaigns' waits."""
        return [wait for each in self.campaigns.values() for wait in each.waits]

    def called(self, campaign: str, arrived: Iterable[float], now: float, *, allowed: bool) -> None:
        """Record a call that left at `now` with customers that arrived at these times."""
        part = self.campaigns.setdefault(campaign, Campaign())
        part.calls += 1
        self.throttled += not allowed
        self.ended_at = max(self.ended_at, now)
        if not allowed:
            return
        times = list(arrived)
        part.customers += len(times)
        part.waits += [now - when for when in times if when >= self.warm_up]
        if min(times) <= self.backlog_at:
            part.drained_at = now

    def look(self, now: float, stands: Callable[[float], tuple[float, int]]) -> None:
        """Take the samples that are due; `stands` returns the quota left and the number waiting."""
        while self._next_sample <= now:
            when = self._next_sample
            self.samples.append(Sample(when, *stands(when), self.calls))
            if len(self.samples) > MOST_SAMPLES:
                del self.samples[1::2]
                self._every *= 2
            self._next_sample = self.samples[-1].time + self._every
