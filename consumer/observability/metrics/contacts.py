"""Metrics of the contact store, its view and the feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consumer.observability.metrics.labels import BoundedLabels, closed
from consumer.observability.metrics.series import MetricSeries
from consumer.records.result import Reason
from consumer.routing.feeds import FeedKind


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

    def ready(self) -> None:
        """Record that the store would grant, before any question."""
        self._series.set("contact_store_up", 1)

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

    def start_feeds(self, max_lags: Mapping[str, float]) -> None:
        """Create the series of the config's feeds: feed → how far it may lie behind."""
        for feed, max_lag in max_lags.items():
            self._series.set("feed_max_lag_seconds", max_lag, closed("feed", feed))
            for kind in (FeedKind.PASSED, FeedKind.DEAD_LETTER):
                self._series.count("feed_records_total", closed("feed", feed), kind, n=0)

    def feed_records(self, counts: Mapping[tuple[str, FeedKind], int]) -> None:
        """Count records of feeds: (feed, what became of it) → number."""
        for (feed, kind), number in counts.items():
            labels = closed("feed", feed), closed("kind", kind)
            self._series.count("feed_records_total", *labels, n=number)

    def responses(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Count answers: (route, campaign) → number."""
        for (route, campaign), number in counts.items():
            labels = self._labels.route(route), self._labels.campaign(campaign)
            self._series.count("responses_total", *labels, n=number)

    def feed_lags(self, lags: Mapping[str, float]) -> None:
        """Show how far feeds lie behind: feed → seconds."""
        shown: dict[tuple[str, ...], float] = {
            (closed("feed", feed),): lag for feed, lag in lags.items()
        }
        self._series.show("feed_lag_seconds", "", shown)

    def feeds_hold_back(self, *, closed: bool) -> None:
        """Show whether nothing is sent because opt-outs may be unread."""
        self._series.set("feeds_hold_back", closed)
