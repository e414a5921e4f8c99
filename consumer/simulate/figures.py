"""The figures of a play, for JSON and tables. Times in seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from consumer.simulate.played import Campaign, Played

Figures = dict[str, Any]


def summary(played: Sequence[Played], least: float) -> Figures:
    """Sum up one or several lanes' plays; `least` is the bound of the mean wait, 0 for none."""
    waits = list(chain.from_iterable(each.waits for each in played))
    calls = sum(each.calls for each in played)
    customers = sum(each.customers for each in played)
    mean = _mean(waits)
    return {
        **_spread(waits),
        "bound": round(least, 2),
        "ratio": round(mean / least, 3) if least else None,
        "calls": calls,
        "customers_per_call": round(customers / max(calls, 1), 2),
        "throttled": sum(each.throttled for each in played),
        "customers": customers,
        "expired": sum(each.expired for each in played),
        "logins": sum(each.logins for each in played),
        "ended_at": round(max((each.ended_at for each in played), default=0.0), 1),
    }


def by_campaign(played: Played) -> list[Figures]:
    """Return the figures of each campaign, the largest first."""
    rows = sorted(played.campaigns.items(), key=lambda item: (-item[1].customers, item[0]))
    return [{"campaign": name, **_of_one(part)} for name, part in rows]


def over_time(played: Played) -> dict[str, list[float]]:
    """Return the lane's state at each of `seconds`: columns of equal length."""
    samples = played.samples
    return {
        "seconds": [each.time for each in samples],
        "permits_left": [round(each.left, 4) for each in samples],
        "waiting": [each.waiting for each in samples],
        "calls": [each.calls for each in samples],
    }


def drained(played: Played, backlog: Mapping[str, int]) -> Figures:
    """Return when the last invitation of a backlog was sent, in seconds after the backlog came."""
    after = {
        name: round(played.campaigns[name].drained_at - played.backlog_at, 1)
        for name, count in backlog.items()
        if count and name in played.campaigns and math.isfinite(played.campaigns[name].drained_at)
    }
    return {
        "customers": sum(backlog.values()),
        "drained_after": max(after.values(), default=0.0),
        "campaigns": after,
    }


def _of_one(part: Campaign) -> Figures:
    return {
        "customers": part.customers,
        **_spread(part.waits),
        "calls": part.calls,
        "customers_per_call": round(part.customers / max(part.calls, 1), 2),
    }


def _spread(waits: Sequence[float]) -> Figures:
    ranked = sorted(waits) or [0.0]
    return {
        "mean_wait": round(_mean(waits), 2),
        "p50": round(ranked[len(ranked) // 2], 2),
        "p99": round(ranked[int(len(ranked) * 0.99)], 2),
        "max": round(ranked[-1], 2),
    }


def _mean(waits: Sequence[float]) -> float:
    return sum(waits) / len(waits) if waits else 0.0
