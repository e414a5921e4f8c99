"""The outcome of a play: waits and calls by campaign, the lane's state over time.

Its figures are for JSON and tables. Times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import Limit

Figures = dict[str, Any]

MOST_SAMPLES = 480
"""Samples at most: beyond, every second one is dropped. A play's length is not known before."""


class Sample(NamedTuple):
    """The lane's state: share of the quota left (0 to 1), customers in windows, calls so far."""

    time: float
    left: float
    waiting: int
    calls: int


class Onset(NamedTuple):
    """The moment before a backlog came: permits in hand of the tightest limit's `calls`, the calls
    so far, and the customers in them."""

    permits: float
    calls: int
    called: int
    customers: int


@dataclass(slots=True)
class Campaign:
    """One campaign's part. `waits`: seconds from arrival to the call's leaving.

    `drained_at`: when the last customer left that had come by `Played.backlog_at`.
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
    onset: Onset | None = None
    _every: float = 1.0
    _next_sample: float = 0.0

    @property
    def calls(self) -> int:
        """Calls that carried customers, including refused ones."""
        return sum(campaign.calls for campaign in self.campaigns.values())

    @property
    def customers(self) -> int:
        """Customers in accepted calls."""
        return sum(campaign.customers for campaign in self.campaigns.values())

    @property
    def waits(self) -> list[float]:
        """All campaigns' waits."""
        return [wait for campaign in self.campaigns.values() for wait in campaign.waits]

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

    def record_onset(self, limiter: Limiter, limits: Sequence[Limit]) -> None:
        """Record what was in hand when the backlog came, once; nothing without limits."""
        if self.onset is not None or not limits:
            return
        left = zip(limits, limiter.permits(self.backlog_at), limiter.calls, strict=True)
        _, permits, calls = min(left, key=lambda each: each[0].calls / each[0].period)
        self.onset = Onset(permits, calls, self.calls, self.customers)

    def take_samples(self, now: float, stands: Callable[[float], tuple[float, int]]) -> None:
        """Take the samples that are due; `stands` returns the quota left and the number waiting."""
        while self._next_sample <= now:
            when = self._next_sample
            self.samples.append(Sample(when, *stands(when), self.calls))
            if len(self.samples) > MOST_SAMPLES:
                del self.samples[1::2]
                self._every *= 2
            self._next_sample = self.samples[-1].time + self._every


def summary(played: Sequence[Played], least: float) -> Figures:
    """Sum up one or several lanes' plays; `least` is the bound of the mean wait, 0 for none."""
    waits = list(chain.from_iterable(play.waits for play in played))
    calls = sum(play.calls for play in played)
    customers = sum(play.customers for play in played)
    mean = _mean_wait(waits)
    return {
        **_wait_figures(waits),
        "bound": round(least, 2),
        "ratio": round(mean / least, 3) if least else None,
        "calls": calls,
        "customers_per_call": round(customers / max(calls, 1), 2),
        "throttled": sum(play.throttled for play in played),
        "customers": customers,
        "expired": sum(play.expired for play in played),
        "logins": sum(play.logins for play in played),
        "ended_at": round(max((play.ended_at for play in played), default=0.0), 1),
    }


def by_campaign(played: Played) -> list[Figures]:
    """Return the figures of each campaign, the largest first."""
    rows = sorted(played.campaigns.items(), key=lambda item: (-item[1].customers, item[0]))
    return [{"campaign": name, **_campaign_figures(part)} for name, part in rows]


def over_time(played: Played) -> dict[str, list[float]]:
    """Return the lane's state at each of `seconds`: columns of equal length."""
    samples = played.samples
    return {
        "seconds": [sample.time for sample in samples],
        "permits_left": [round(sample.left, 4) for sample in samples],
        "waiting": [sample.waiting for sample in samples],
        "calls": [sample.calls for sample in samples],
    }


def drained(played: Played, backlog: Mapping[str, int], calls: int) -> Figures:
    """Return a backlog's customers and full `calls`, and how long after its coming the last one was
    sent, in seconds."""
    after = {
        name: round(played.campaigns[name].drained_at - played.backlog_at, 1)
        for name, count in backlog.items()
        if count and name in played.campaigns and math.isfinite(played.campaigns[name].drained_at)
    }
    return {
        "customers": sum(backlog.values()),
        "calls": calls,
        "drained_after": max(after.values(), default=0.0),
        "campaigns": after,
    }


def at_onset(played: Played) -> Figures | None:
    """Return what was in hand when a backlog came, and what the calls before it had carried."""
    if played.onset is None:
        return None
    permits, calls, called, customers = played.onset
    each = round(customers / max(called, 1), 2)
    return {"permits": math.floor(permits), "of": calls, "customers_per_call": each}


def _campaign_figures(part: Campaign) -> Figures:
    return {
        "customers": part.customers,
        **_wait_figures(part.waits),
        "calls": part.calls,
        "customers_per_call": round(part.customers / max(part.calls, 1), 2),
    }


def _wait_figures(waits: Sequence[float]) -> Figures:
    ranked = sorted(waits) or [0.0]
    return {
        "mean_wait": round(_mean_wait(waits), 2),
        "p50": round(ranked[len(ranked) // 2], 2),
        "p99": round(ranked[int(len(ranked) * 0.99)], 2),
        "max": round(ranked[-1], 2),
    }


def _mean_wait(waits: Sequence[float]) -> float:
    return sum(waits) / len(waits) if waits else 0.0
