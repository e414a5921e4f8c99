"""The queries of the dashboards: as `queries`, for the chosen application and lanes."""

from __future__ import annotations

from deploy.monitoring.queries import PREFIX

EVERY = "$__rate_interval"
NEVER = 30 * 86400
"""Seconds that stand for `never` in a curve: Grafana draws no infinity."""


def of(name: str, *more: str, lane: bool = False) -> str:
    """The metric's series for the chosen application (and lanes)."""
    labels = ['namespace=~"$namespace"', 'job=~"$job"', *(['lane=~"$lane"'] if lane else []), *more]
    return f"{PREFIX}{name}{{{','.join(labels)}}}"


def recorded(name: str, *, lane: bool = False) -> str:
    """A recorded series of the chosen application (and lanes)."""
    return of(name, lane=lane).removeprefix(PREFIX)


def now(name: str, *by: str, lane: bool = True) -> str:
    """A gauge of one owner: the largest, never a sum over processes."""
    return f"max by ({', '.join(by)}) ({of(name, lane=lane)})"


def per_second(selected: str, *by: str) -> str:
    """How much a counter grows a second, over all processes."""
    return f"sum by ({', '.join(by)}) (rate({selected}[{EVERY}]))"


def grown(selected: str, *by: str) -> str:
    """How much a counter grew in a step of the panel, over all processes."""
    return f"sum by ({', '.join(by)}) (increase({selected}[{EVERY}]))"


def by_day(selected: str, *by: str) -> str:
    """How much a counter grew in the day that begins at each point, over all processes.

    A series that begins in that day counts from 0: an increase alone misses its first value, which
    is all that a rare reason has.
    """
    grew = f"increase({selected}[1d] offset -1d)"
    first = f"min_over_time({selected}[1d] offset -1d) unless present_over_time({selected}[1d])"
    parts = f'{grew} or label_replace({first}, "part", "first", "", "")'
    return f"round(sum by ({', '.join(by)}) ({parts})) > 0"


def quantile(share: float, name: str, *by: str, lane: bool = True) -> str:
    """A quantile of a histogram over all processes."""
    inner = per_second(of(f"{name}_bucket", lane=lane), "le", *by)
    return f"histogram_quantile({share}, {inner})"


def mean(name: str, *by: str) -> str:
    """The mean of a histogram's values; nothing where there were none."""
    total = per_second(of(f"{name}_sum", lane=True), *by)
    count = per_second(of(f"{name}_count", lane=True), *by)
    return f"{total} / ({count} > 0)"
