"""Metrics of the contact store, its view and the feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consumer.observability.metrics.labels import BoundedLabels, closed
from consumer.observability.metrics.series import MetricSeries
from consumer.records.result import Reason


class ContactMetrics:
    """Metrics of this process's contact store."""

    def __init__(self, series: MetricSeries, labels: BoundedLabels) -> None:
        self._series = series
        self._labels = labels

    def set_rules(self, names: Sequence[str]) -> None:
        """Show the config's contact rules and paces."""
        self._labels.set_rules(names)

    def start(self) -> None:
        """Create the series: this process has a contact store, which has not answered yet."""
        self._series.set("contact_store_up", 0)
        self._series.count("contact_store_failures_total", n=0)
        for question in ("reserve", "seal"):
            self._series.observe("contact_decision_seconds", (), question)

    def answered(self, question: str, seconds: float) -> None:
        """Record that the store decided about a group of invitations."""
        self._series.set("contact_store_up", 1)
        asked = closed("question", question)
        self._series.observe("contact_decision_seconds", (seconds,), asked)

    def unavailable(self) -> None:
        """Record that the store did not answer, or grants nothing."""
        self._series.set("contact_store_up", 0)
        self._series.count("contact_store_failures_total")

    def phase(self, phase: str) -> None:
        """Show how far the store's generation is."""
        self._series.show("contact_store_phase", "", {(closed("phase", phase),): 1})

    def held_back(self, lane: str, by_rule: Mapping[tuple[str, Reason], int]) -> None:
        """Count invitations that ended by a contact rule: (rule, reason) → number."""
        for (rule, reason), number in by_rule.items():
            label = self._labels.rule(rule)
            self._series.count("held_back_total", lane, label, closed("reason", reason), n=number)
