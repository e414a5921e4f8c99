"""Metrics of the router: input records, and the invitations made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consumer.observability.metrics.labels import (
    CLOSED,
    DELAY,
    ROUTER,
    BoundedLabels,
    Disposition,
    closed,
)
from consumer.observability.metrics.series import MetricSeries
from consumer.observability.metrics.stage import StageMetrics
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason


class RouterMetrics(StageMetrics):
    """Metrics of the stage `router`."""

    def __init__(self, series: MetricSeries, labels: BoundedLabels) -> None:
        super().__init__(series, ROUTER, labels)

    def start_inputs(self, topics: Iterable[str]) -> None:
        """Create the counters of these inputs at 0: an alert on an increase misses a series' first
        value."""
        self.start()
        self.dead_letters(dict.fromkeys(DeadLetterReason, 0))
        StageMetrics(self._series, DELAY, self._labels).dead_letters(
            {DeadLetterReason.BAD_INVITATION: 0}
        )
        for topic in topics:
            self.events(topic, Disposition.ROUTED, n=0)
            self.events(topic, Disposition.UNMATCHED, n=0)
            for reason in Reason:
                if reason.status.value in CLOSED["disposition"]:
                    self.events(topic, reason.status, reason, n=0)
            for dead in DeadLetterReason:
                self.events(topic, Disposition.DEAD_LETTER, dead, n=0)

    def events(self, topic: str, disposition: str, reason: str = "", n: int = 1) -> None:
        """Count `n` input records by disposition; `reason` is empty for routed and unmatched."""
        labels = closed("disposition", disposition), closed("reason", reason)
        self._series.count("events_total", topic, *labels, n=n)

    def routed(self, lane: str, campaign: str, n: int) -> None:
        """Count `n` invitations written to the lane's topic."""
        label = self._labels.campaign(campaign)
        self._series.count("invitations_routed_total", lane, label, n=n)

    def waiting_inputs(self, places: Iterable[tuple[str, int]]) -> None:
        """Show the partitions (topic, partition) that wait for a schema, and only these."""
        self._show_partitions("input_waits_for_schema", dict.fromkeys(places, 1))

    def inputs(self, positions: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Show (topic, partition) → (next offset, records behind), for the partitions now assigned,
        and only these."""
        self._show_partitions("consumer_position", {at: pair[0] for at, pair in positions.items()})
        lags = {at: pair[1] for at, pair in positions.items()}
        self._show_partitions("consumer_lag_records", lags)
