"""Metrics for Prometheus: one method for each kind of event, under the name of what it is about.

    Metrics ─┬─ router ────────┐
             ├─ lane(name) ────┼─► series ─► a scrape, and the status document
             ├─ stage(name) ───┤     │
             └─ process ───────┘     └ names, labels: what there is

Methods take counts for a whole batch, never one event each, and may be called from any thread (a
lane's gauges only from the lane's own).
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

import confluent_kafka
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from consumer import __version__
from consumer.observability.metrics.contacts import ContactMetrics
from consumer.observability.metrics.labels import BoundedLabels
from consumer.observability.metrics.lane import LaneMetrics
from consumer.observability.metrics.names import METRICS, NAMESPACE
from consumer.observability.metrics.process_tree import ProcessTree
from consumer.observability.metrics.router import RouterMetrics
from consumer.observability.metrics.series import Exported, MetricSeries
from consumer.observability.metrics.stage import ProcessMetrics, StageMetrics


class Metrics:
    """All metrics of one process, in a registry of their own (tests make many)."""

    def __init__(self, campaigns: Sequence[str] = ()) -> None:
        self.series = MetricSeries(METRICS)
        self.registry = CollectorRegistry()
        self.registry.register(self.series)
        ProcessCollector(namespace=NAMESPACE, registry=self.registry)
        self._labels = BoundedLabels()
        self.router = RouterMetrics(self.series, self._labels)
        self.contacts = ContactMetrics(self.series, self._labels)
        self.process = ProcessMetrics(self.series, self._labels)
        self.process.set_campaigns(campaigns)
        build = __version__, platform.python_version(), confluent_kafka.libversion()[0]
        self.series.show("build", "", {build: 1})

    def stage(self, name: str) -> StageMetrics:
        """Return the metrics that each stage has: the router, the delay stage, a lane."""
        return StageMetrics(self.series, name, self._labels)

    def lane(self, name: str) -> LaneMetrics:
        """Return the metrics of a lane and its calls."""
        return LaneMetrics(self.series, name, self._labels)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return body and content type of a scrape. Some 25 ms for 200 campaigns: call it in a
        worker thread. An unreadable `Accept` header gets the plain format."""
        return _render(self.registry, accept)


def render_merged(
    exports: Sequence[Exported], pids: Sequence[int], accept: str = ""
) -> tuple[bytes, str]:
    """Return body and content type of a scrape of several processes, as of one."""
    series = MetricSeries(METRICS)
    series.show_merged(exports)
    registry = CollectorRegistry()
    registry.register(series)
    registry.register(ProcessTree(pids))
    return _render(registry, accept)


def _render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    try:
        encoder, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        encoder, content_type = choose_encoder("")
    return encoder(registry), content_type
