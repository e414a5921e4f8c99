"""What came of a play: waits and calls by campaign, and how the lane stood over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_SAMPLES = 480
"""When there are more, every second one is dropped: a play's length is not known before."""


class Sample(NamedTuple):
    """How the lane stood: share of the quota left (0 to 1), customers in windows, calls so far."""

    time: float
    left: float
    waiting: int
    calls: int


@dataclass(slots=True)
class Campaign:
    """One campaign's part. `waits`: seconds from arrival to the call's leaving.

    `drained_at`: when the last of those left who had come by `Played.backlog_at`.
    """

    waits: list[float] = field(default_factory=list)
    calls: int = 0
    customers: int = 0
    drained_at: float = -math.inf


@dataclass(slots=True)
class Played:
    """All of it. Who came before `warm_up` is counted as a customer, but not by `waits`."""

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
        """Calls that carried customers, with those that were refused."""
        return sum(each.calls for each in self.campaigns.values())

    @property
    def customers(self) -> int:
        """Customers whom an accepted call carried."""
        return sum(each.customers for each in self.campaigns.values())

    @property
    def waits(self) -> list[float]:
        """All campaigns' waits."""
        return [wait for each in self.campaigns.values() for wait in each.waits]

    def called(self, campaign: str, arrived: Iterable[float], now: float, *, allowed: bool) -> None:
        """A call left at `now` with customers who came at these times."""
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
        """Take the samples that are due; `stands` tells the quota left and who waits."""
        while self._next_sample <= now:
            when = self._next_sample
            self.samples.append(Sample(when, *stands(when), self.calls))
            if len(self.samples) > MOST_SAMPLES:
                del self.samples[1::2]
                self._every *= 2
            self._next_sample = self.samples[-1].time + self._every
