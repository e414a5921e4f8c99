"""Metrics of a stage (the router, the delay stage or a lane) and of the process around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consumer.observability.metrics.labels import (
    CLOSED,
    OTHER,
    PAUSES_SHOWN,
    ROUTER,
    BoundedLabels,
    closed,
)
from consumer.observability.metrics.series import MetricSeries, Values
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason


class StageMetrics:
    """Metrics that each stage has, under its name."""

    def __init__(self, series: MetricSeries, name: str, labels: BoundedLabels) -> None:
        self._series = series
        self._name = name
        self._labels = labels

    def start(self) -> None:
        """Create the counters at 0: an alert on an increase misses a series' first value."""
        self._series.count("transactions_aborted_total", self._name, n=0)
        self._series.count("kafka_throttle_seconds_total", self._name, n=0)
        self.results(dict.fromkeys(Reason, 0))

    def results(self, written: Mapping[Reason, int]) -> None:
        """Count results by reason, from which the status follows."""
        for reason, n in written.items():
            self._series.count("results_total", self._name, reason.status, reason, n=n)

    def route_results(self, written: Mapping[tuple[str, str | None, Reason], int]) -> None:
        """Count results by route, campaign (None: none was chosen) and reason. Their series begin
        with the first result: alerts on an increase take `results`."""
        for (route, campaign, reason), n in written.items():
            where = self._labels.route(route), self._labels.campaign(campaign) if campaign else ""
            self._series.count("route_results_total", *where, reason.status, reason, n=n)

    def dead_letters(self, written: Mapping[DeadLetterReason, int]) -> None:
        """Count dead letters by reason; the router's are among its `events` too."""
        for reason, n in written.items():
            self._series.count("dead_letters_total", self._name, closed("reason", reason), n=n)

    def transaction(self, seconds: float) -> None:
        """Observe the duration of a committed transaction."""
        self._series.observe("transaction_duration_seconds", (seconds,), self._name)

    def transaction_limit(self, records: int) -> None:
        """Show how many records the next transaction may carry."""
        self._series.set("transaction_records_limit", records, self._name)

    def kafka_throttled(self, seconds: float) -> None:
        """Add the seconds for which a Kafka quota throttles a client."""
        self._series.count("kafka_throttle_seconds_total", self._name, n=seconds)

    def aborted(self) -> None:
        """Count an aborted transaction."""
        self._series.count("transactions_aborted_total", self._name)

    def kafka_error(self, error: str) -> None:
        """Count a client's error by librdkafka's name of it (`_TRANSPORT`)."""
        self._series.count("kafka_errors_total", self._name, closed("error", error))

    def heartbeat(self, when: float) -> None:
        """Show the loop's last turn, `when` (epoch seconds)."""
        self._series.set("loop_heartbeat_timestamp_seconds", when, self._name)

    def polled(self, gap: float) -> None:
        """Observe the seconds between two polls of the consumer."""
        self._series.observe("poll_gap_seconds", (gap,), self._name)

    def stopped(self) -> None:
        """Show that the stage ended for good: the log says why."""
        self._series.set("stage_stopped", 1, self._name)

    def stopped_partitions(self, stopped: Mapping[tuple[str, int], int]) -> None:
        """Show (topic, partition) → 1 for the stopped partitions of this member of the stage's
        group, and only these."""
        self._show_partitions("input_stopped", stopped)

    def delayed_invitations(self, waiting: Mapping[str, int]) -> None:
        """Show step of the delay topics → waiting invitations, for steps now assigned, and only
        these."""
        steps: Values = {(self._name, closed("step", step)): n for step, n in waiting.items()}
        self._series.show("delayed_invitations", self._name, steps)

    def delayed_by_campaign(self, waiting: Mapping[tuple[str, str], int]) -> None:
        """Show (lane, campaign) → invitations on the delay topics, for steps now assigned, and only
        these."""
        values: dict[tuple[str, ...], float] = {}
        for (lane, campaign), n in waiting.items():
            labels = self._name, lane, self._labels.campaign(campaign)
            values[labels] = values.get(labels, 0) + n
        self._series.show("campaign_delayed_invitations", self._name, values)

    def _show_partitions(self, name: str, values: Mapping[tuple[str, int], int]) -> None:
        labelled: Values = {(topic, str(number)): n for (topic, number), n in values.items()}
        self._series.show(name, self._name, labelled)


class ProcessMetrics:
    """Metrics of the process: config, clock, operators' commands, what Kafka refuses."""

    def __init__(self, series: MetricSeries, labels: BoundedLabels) -> None:
        self._series = series
        self._labels = labels

    def set_campaigns(self, campaigns: Sequence[str]) -> None:
        """Show the config's campaigns, in its order; drop the series of those no longer shown."""
        for gone in self._labels.set_campaigns(campaigns):
            self._series.remove("campaign", gone)

    def config_loaded(
        self,
        version: str,
        campaigns: Sequence[str],
        routes: Sequence[str] = (),
        application: str = "",
    ) -> None:
        """Show the config that is in use from now on; `application` is its `application_id`."""
        self._labels.set_routes(routes)
        self._series.show("config", "", {(application, version): 1})
        self._series.set("config_last_reload_successful", 1)
        for result in sorted(CLOSED["result"]):  # an increase misses a series' first value
            self._series.count("config_reloads_total", result, n=0)
        self.set_campaigns(campaigns)

    def config_reload(self, result: str) -> None:
        """Count a reload: `applied`, `refused` or `unchanged`."""
        self._series.count("config_reloads_total", closed("result", result))
        self._series.set("config_last_reload_successful", result != "refused")

    def broker(self, *, up: bool) -> None:
        """Show whether the process reaches any broker."""
        self._series.set("broker_up", up, "process")

    def clock_ahead(self, seconds: float) -> None:
        """Show how far this process's clock is ahead of Kafka's."""
        self._series.set("clock_ahead_seconds", seconds)

    def clock_stepped(self) -> None:
        """Count a step of the machine's clock, which the process follows."""
        self._series.count("clock_steps_total")

    def command(self, outcome: str) -> None:
        """Count a record of the operators' topic: its command, or why it is none."""
        self._series.count("operator_commands_total", closed("command", outcome))

    def paused(self, by: str, names: Sequence[tuple[str, str]]) -> None:
        """Show the kinds and names of what is paused `by` config or command, and only these; names
        past the first 200 as `other`."""
        shown = [*names[:PAUSES_SHOWN], *((kind, OTHER) for kind, _ in names[PAUSES_SHOWN:])]
        values: Values = {(closed("kind", kind), name, closed("by", by)): 1 for kind, name in shown}
        self._series.show("paused", by, values)

    def orphaned(self, records: Mapping[str, int]) -> None:
        """Show lane outside the config → records that it holds, and only these lanes."""
        self._series.show("orphaned_lane_records", ROUTER, {(k,): n for k, n in records.items()})

    def deletion_refused(self, topic: str) -> None:
        """Count a refusal by Kafka to delete records of one of the program's own topics."""
        self._series.count("deletions_refused_total", topic)
