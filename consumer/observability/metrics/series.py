"""Series: the numbers of all metrics, counted here once and rendered for Prometheus at a scrape.

Plain numbers by label values, so that the status document reads what was counted and a scrape is
the only user of Prometheus's types. Any thread may write and read; a method takes the counts of a
whole batch, never one event each.

A histogram takes the durations of a batch at once: sorted first, each bucket is one binary search,
about 0.1 µs a value (one at a time: 1 µs), and a vendor's answer brings up to 5,000.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

import msgspec
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from consumer.observability.metrics.exemplars import Exemplar, Exemplars, by_bucket, newest
from consumer.observability.metrics.names import NAMESPACE, Metric

T = TypeVar("T")

Labels = tuple[str, ...]
Values = Mapping[Labels, float]
"""Label values → number."""

OWNER_LABELS = frozenset({"lane", "stage", "loop"})


class Exported(msgspec.Struct):
    """The numbers of all series of one process; of a histogram: its buckets, its sum, and its
    exemplars."""

    numbers: dict[str, dict[Labels, float]]
    buckets: dict[str, dict[Labels, tuple[list[int], float, Exemplars]]]


@dataclass(slots=True)
class _Buckets:
    """`at_most[i]`: how many values were `bounds[i]` or less; the last one counts all."""

    at_most: list[int]
    total: float = 0.0
    exemplars: Exemplars = field(default_factory=dict)


class MetricSeries(Collector):
    """Series of these metrics. Raises ValueError if two have one name."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics: dict[str, Metric] = {}
        self._numbers: dict[str, dict[Labels, float]] = {}
        self._buckets: dict[str, dict[Labels, _Buckets]] = {}
        self._shown: dict[tuple[str, str], frozenset[Labels]] = {}
        self._lock = Lock()
        for metric in metrics:
            if metric.name in self._metrics:
                raise ValueError(f"two metrics are called {metric.name}")
            self._metrics[metric.name] = metric
            if metric.kind == "histogram":
                self._buckets[metric.name] = {}
            else:  # a metric without labels shows from the beginning
                self._numbers[metric.name] = {} if metric.labels else {(): 0.0}

    def count(self, name: str, *labels: str, n: float = 1) -> None:
        """Add `n` to a counter; 0 creates its series."""
        numbers, key = self._numbers[name], self._key(name, labels)
        with self._lock:
            numbers[key] = numbers.get(key, 0.0) + n

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        numbers, key = self._numbers[name], self._key(name, labels)
        with self._lock:
            numbers[key] = float(value)

    def show(self, name: str, owner: str, values: Values) -> None:
        """Set the owner's series of a gauge to `values`, and remove its other series.

        One thread sets an owner's gauges; different owners may have different threads.
        """
        numbers = self._numbers[name]
        new = {self._key(name, labels): float(value) for labels, value in values.items()}
        with self._lock:
            for labels in self._shown.get((name, owner), frozenset()) - new.keys():
                numbers.pop(labels, None)
            numbers.update(new)
            self._shown[name, owner] = frozenset(new)

    def observe(
        self, name: str, values: Iterable[float], *labels: str, exemplars: Iterable[Exemplar] = ()
    ) -> None:
        """Count values in a histogram; a negative one counts as 0, for a sum must not fall.

        None of them may be NaN. An empty batch still creates the series. `exemplars`: some of the
        values, with their traces; of several in one bucket the first is kept.
        """
        ordered, key, bounds = sorted(values), self._key(name, labels), self._bounds(name)
        at_most = [bisect_right(ordered, bound) for bound in bounds]
        shown = by_bucket(exemplars, bounds)
        total = sum(ordered[bisect_left(ordered, 0.0) :])
        with self._lock:  # the counting above is most of the work and needs none
            series = self._buckets[name].setdefault(key, _Buckets([0] * len(at_most)))
            series.at_most = [sum(pair) for pair in zip(series.at_most, at_most, strict=True)]
            series.total += total
            if shown:
                series.exemplars = series.exemplars | shown

    def clear(self, owner: str) -> None:
        """Remove all gauges of a lane or stage. Its counters stay."""
        for metric in self._metrics.values():
            label = next((label for label in metric.labels if label in OWNER_LABELS), None)
            if metric.kind == "gauge" and label is not None:
                with self._lock:
                    self._shown.pop((metric.name, owner), None)
                self._remove(metric, label, owner)

    def remove(self, label: str, value: str) -> None:
        """Remove the series of all metrics that have this label value."""
        for metric in self._metrics.values():
            if label in metric.labels:
                self._remove(metric, label, value)

    def totals(self, name: str, by: str, **where: str) -> dict[str, float]:
        """Return label value → sum over the series with the labels of `where`."""
        names, sums = self._metrics[name].labels, dict[str, float]()
        with self._lock:
            numbers = dict(self._numbers[name])
        for values, number in numbers.items():
            labels = dict(zip(names, values, strict=True))
            if where.items() <= labels.items():
                sums[labels[by]] = sums.get(labels[by], 0.0) + number
        return sums

    def export(self) -> Exported:
        """Return a copy of all numbers, for `show_merged` in another process."""
        with self._lock:
            return Exported(
                {name: dict(numbers) for name, numbers in self._numbers.items()},
                {
                    name: {
                        labels: (each.at_most, each.total, each.exemplars)
                        for labels, each in series.items()
                    }
                    for name, series in self._buckets.items()
                },
            )

    def show_merged(self, exports: Sequence[Exported]) -> None:
        """Show the series of several processes; one that several have is merged."""
        for name, metric in self._metrics.items():
            if metric.kind == "histogram":
                parts = _by_labels([exported.buckets[name] for exported in exports])
                self._buckets[name] = {
                    labels: _Buckets(
                        [sum(counts) for counts in zip(*(one[0] for one in found), strict=True)],
                        sum(one[1] for one in found),
                        newest(one[2] for one in found),
                    )
                    for labels, found in parts.items()
                }
            else:
                numbers = _by_labels([exported.numbers[name] for exported in exports])
                self._numbers[name] = {
                    labels: metric.merged(found) for labels, found in numbers.items()
                }

    def collect(self) -> Iterator[Family]:
        """Yield the metrics with all series. A scrape sees a batch whole or not at all."""
        for metric in self._metrics.values():
            name = f"{NAMESPACE}_{metric.name}"
            if metric.kind == "histogram":
                yield self._histogram(metric, name)
                continue
            with self._lock:
                numbers = dict(self._numbers[metric.name])
            if metric.kind == "info":
                info = InfoMetricFamily(name, metric.meaning)
                for labels in numbers:
                    info.add_metric((), dict(zip(metric.labels, labels, strict=True)))
                yield info
                continue
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(name, metric.meaning, labels=metric.labels)
            for labels, number in numbers.items():
                family.add_metric(labels, number)
            yield family

    def _histogram(self, metric: Metric, name: str) -> Family:
        family = HistogramMetricFamily(name, metric.meaning, labels=metric.labels)
        ends = list(map(floatToGoString, self._bounds(metric.name)))
        with self._lock:
            for labels, series in self._buckets[metric.name].items():
                shown = {n: one.shown() for n, one in series.exemplars.items()}
                buckets = [
                    (end, count, shown[n]) if n in shown else (end, count)
                    for n, (end, count) in enumerate(zip(ends, series.at_most, strict=True))
                ]
                family.add_metric(labels, buckets, series.total)
        return family

    def _bounds(self, name: str) -> tuple[float, ...]:
        return (*self._metrics[name].bounds, math.inf)

    def _key(self, name: str, labels: Labels) -> Labels:
        if len(labels) != len(self._metrics[name].labels):
            raise ValueError(f"{name} has the labels {self._metrics[name].labels}")
        return tuple(map(str, labels))

    def _remove(self, metric: Metric, label: str, value: str) -> None:
        place = metric.labels.index(label)
        every: Any = self._buckets if metric.kind == "histogram" else self._numbers
        with self._lock:
            series = every[metric.name]
            for labels in [labels for labels in series if labels[place] == value]:
                del series[labels]


def _by_labels(parts: Sequence[Mapping[Labels, T]]) -> dict[Labels, list[T]]:
    """Return labels → what the processes have of this series, in the order of the first one."""
    found: dict[Labels, list[T]] = {}
    for part in parts:
        for labels, one in part.items():
            found.setdefault(labels, []).append(one)
    return found
