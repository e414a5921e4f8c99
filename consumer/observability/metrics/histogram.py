"""A histogram that takes the durations of a whole batch at once.

prometheus_client's own takes one value a call, about 1 µs each, and a vendor's answer brings up to
5,000. Sorting the batch first makes each bucket one binary search: about 0.1 µs a value.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


@dataclass(slots=True)
class _Series:
    """`at_most[i]`: how many values were `bounds[i]` or less; the last one counts all."""

    at_most: list[int]
    total: float = 0.0


class BatchHistogram(Collector):
    """Histogram of durations in seconds by the value of one label.

    `bounds` are the buckets' upper ends, ascending and not negative; +Inf is added. Raises
    ValueError for other bounds, and if the registry has the name already. Fed and collected from
    any thread: a scrape sees a batch whole or not at all.
    """

    def __init__(
        self,
        name: str,
        meaning: str,
        label: str,
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        if list(bounds) != sorted({*bounds}) or not bounds or bounds[0] < 0:
            raise ValueError("bounds ascend, from 0 or more")
        self._bounds = (*map(float, bounds), math.inf)
        self._names = tuple(map(floatToGoString, self._bounds))
        self._head = (name, meaning, label)
        self._series: dict[str, _Series] = {}
        self._lock = Lock()
        registry.register(self)

    def observe(self, owner: str, seconds: Iterable[float]) -> None:
        """Count the durations under this label value; a negative one counts as 0.

        None of them may be NaN. An empty batch still creates the series.
        """
        values = sorted(seconds)
        at_most = [bisect_right(values, bound) for bound in self._bounds]
        total = sum(values[bisect_left(values, 0.0) :])
        with self._lock:  # the counting above is most of the work and needs none
            series = self._series.setdefault(owner, _Series([0] * len(at_most)))
            series.at_most = [sum(each) for each in zip(series.at_most, at_most, strict=True)]
            series.total += total

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """Return the name without series, by which the registry refuses a second metric of that
        name."""
        return [self._family()]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return all series."""
        family = self._family()
        with self._lock:
            for owner, series in self._series.items():
                buckets = list(zip(self._names, series.at_most, strict=True))
                family.add_metric([owner], buckets, series.total)
        return [family]

    def _family(self) -> HistogramMetricFamily:
        name, meaning, label = self._head
        return HistogramMetricFamily(name, meaning, labels=[label])
