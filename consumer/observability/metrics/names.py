"""The names of all metrics, with their labels and buckets: here and nowhere else.

Names start with `survey_dispatcher_`; units are seconds and bytes. `metrics.labels` defines the
label values; `metrics.metrics.Metrics` sets the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from consumer.observability.metrics.histogram import BatchHistogram

Values = dict[tuple[str, ...], float]
"""A gauge's label values → its value."""


class OwnedGauges:
    """Gauges with an owner, and the series that each owner shows.

    One thread sets an owner's gauges; different owners may have different threads.
    """

    def __init__(self) -> None:
        self._owner_label: dict[Gauge, str] = {}
        self._shown: dict[tuple[Gauge, str], frozenset[tuple[str, ...]]] = {}

    def add(self, gauge: Gauge, owner_label: str) -> None:
        """Register a gauge: from now on `clear` removes its series by that label."""
        self._owner_label[gauge] = owner_label

    def show(self, gauge: Gauge, owner: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Set the owner's series of the gauge to `values`, and remove its other series."""
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get((gauge, owner), frozenset()) - values.keys():
            gauge.remove(*labels)
        self._shown[gauge, owner] = frozenset(values)

    def clear(self, owner: str) -> None:
        """Remove all series of the owner."""
        for gauge, label in self._owner_label.items():
            self._shown.pop((gauge, owner), None)
            gauge.remove_by_labels({label: owner})


NAMESPACE = "survey_dispatcher"

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
TRANSACTION_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    120,
)
ANSWER_SECONDS = (1, 5, 15, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600, 86400, 259200, 604800)
POLL_GAPS = (0.1, 0.5, 1, 5, 15, 60, 150, 300)
"""150 s is half of `max.poll.interval.ms`, after which the group drops a member."""
BATCH_SIZES = (1, 10, 100, 500, 1000, 2500, 5000, 10000)


class Names:
    """All metrics of one process as attributes, in a registry of their own (tests make many)."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.owned = OwnedGauges()
        self._define_router()
        self._define_lane()
        self._define_vendor()
        self._define_process()

    def _define_router(self) -> None:
        """Define metrics of events in and invitations out."""
        self.events_total = self._counter(
            "events_total", "Input records by what became of them", "topic", "disposition", "reason"
        )
        self.invitations_routed = self._counter(
            "invitations_routed_total", "Invitations handed to a lane", "lane", "campaign"
        )
        self.dead_letters_total = self._counter(
            "dead_letters_total", "Dead letters written", "stage", "reason"
        )
        self.orphaned_records = self._gauge(
            "orphaned_lane_records", "Records held by a lane that left the config", "lane"
        )
        self.consumer_lag = self._gauge(
            "consumer_lag_records", "Input records not yet routed", "topic", "partition"
        )

        self.input_stopped = self._gauge(
            "input_stopped", "1 while a partition waits for `inputs resume`", "topic", "partition"
        )

    def _define_lane(self) -> None:
        """Define metrics of windows, permits and settled offsets. A lane's snapshot sets the
        gauges."""
        self.waiting = self._gauge(
            "waiting_invitations", "Invitations that wait for a call", "lane", "campaign"
        )
        self.oldest_age = self._gauge(
            "oldest_waiting_age_seconds", "Age of the oldest one waiting", "lane", "campaign"
        )
        self.buffered = self._gauge("buffered_invitations", "Invitations in memory", "lane")
        self.buffered_bytes = self._gauge(
            "buffered_bytes", "Memory of the held invitations", "lane"
        )
        self.spilled = self._gauge(
            "spilled_invitations",
            "Invitations that were read and are kept by the log alone",
            "lane",
        )
        self.parked = self._gauge(
            "campaign_parked", "1 while the vendor cannot use the campaign", "lane", "campaign"
        )
        self.campaign_circuit_open = self._gauge(
            "campaign_circuit_open",
            "1 while the campaign's own circuit breaker holds its invitations back",
            "lane",
            "campaign",
        )
        self.ladder_waiting = self._gauge(
            "delayed_invitations", "Invitations on a step of the delay ladder", "stage", "step"
        )
        self.put_off = self._counter(
            "delayed_total", "Invitations that went to the delay ladder", "lane", "step"
        )
        self.span = self._gauge("span_offsets", "Offsets from the base to the last read", "lane")
        self.lane_lag = self._gauge("lane_lag_records", "Invitations not yet settled", "lane")
        self.paused = self._gauge("lane_paused", "1 while the lane does not read on", "lane")
        self.permits_left = self._gauge("permits_left", "Calls allowed now", "lane", "limit")
        self.next_permit = self._gauge("next_permit_seconds", "Until the next permit", "lane")
        self.batches_sealed = self._counter(
            "batches_sealed_total", "Batches by why they were sealed", "lane", "why"
        )
        self.batch_size = self._histogram(
            "batch_size_invitations", "Invitations of a batch", BATCH_SIZES, "lane", "campaign"
        )
        self.records_settled = self._counter(
            "records_settled_total", "Records of the lane's topic that are done with", "lane"
        )
        self.backlog_drain = self._gauge(
            "backlog_drain_seconds", "Until nobody waits, at the present rates; +Inf: never", "lane"
        )
        self.limits_in_use = self._gauge(
            "limits_in_use_ratio",
            "Part of the limits in use; below 1 after a 429",
            "lane",
        )
        self.bisections = self._counter(
            "bisections_total", "Batches that were divided to find bad recipients", "lane"
        )
        self.bisect_calls = self._counter(
            "bisect_calls_total", "Calls with a part of a divided batch", "lane"
        )
        self.takeovers = self._counter("takeovers_total", "Times the lane was taken over", "lane")
        self.lane_contested = self._counter(
            "lane_contested_total", "Takeovers in turn by different configs", "lane"
        )
        self.other_configs = self._counter(
            "other_config_invitations_total", "Invitations of another config, of a sample", "lane"
        )
        self.in_doubt_batches = self._counter(
            "in_doubt_batches_total", "Batches sent whose answer is not known", "lane"
        )
        self.results_total = self._counter(
            "results_total", "Results; lane `router` for the router's", "lane", "status", "reason"
        )
        self.event_to_answer = BatchHistogram(
            f"{NAMESPACE}_event_to_answer_seconds",
            "From the event to the answer",
            "lane",
            ANSWER_SECONDS,
            self.registry,
        )

    def _define_vendor(self) -> None:
        """Define metrics of calls and logins."""
        self.calls = self._counter(
            "calls_total", "Calls by HTTP status or failure", "lane", "vendor", "answer"
        )
        self.call_duration = self._histogram(
            "call_duration_seconds", "From the first byte to the answer", CALL_SECONDS, "lane"
        )
        self.vendor_codes = self._counter(
            "vendor_codes_total", "Answers by the vendor's own code", "lane", "vendor", "code"
        )
        self.credentials_refused = self._gauge(
            "credentials_refused", "1 while the vendor refuses the account", "lane", "vendor"
        )
        self.circuit_open = self._gauge(
            "circuit_open", "1 while calls wait for the vendor to recover", "lane", "vendor"
        )
        self.calls_in_flight = self._gauge("calls_in_flight", "Calls without an answer yet", "lane")
        self.logins = self._counter("logins_total", "Logins by verdict", "vendor", "outcome")
        self.throttled_total = self._counter(
            "throttled_total", "429 answers: somebody exceeded the quota", "lane"
        )

    def _define_process(self) -> None:
        """Define metrics of Kafka clients, the config and the process itself."""
        self.transaction_duration = self._histogram(
            "transaction_duration_seconds", "Kafka transactions", TRANSACTION_SECONDS, "stage"
        )
        self.transaction_records = self._gauge(
            "transaction_records_limit", "Records that the next transaction may carry", "stage"
        )
        self.kafka_throttle = self._counter(
            "kafka_throttle_seconds_total", "Time for which quotas of Kafka held clients", "stage"
        )
        self.poll_gap = self._histogram(
            "poll_gap_seconds", "Between two polls of a consumer", POLL_GAPS, "stage"
        )
        self.transactions_aborted = self._counter(
            "transactions_aborted_total", "Kafka transactions that were aborted", "stage"
        )
        self.kafka_errors = self._counter(
            "kafka_errors_total", "Errors that a Kafka client reported", "stage", "error"
        )
        self.deletions_refused = self._counter(
            "deletions_refused_total", "Refused deletions of records that are done with", "topic"
        )
        self.commands_read = self._counter(
            "operator_commands_total", "Operators' commands that were read", "command"
        )
        self.stage_stopped = self._gauge(
            "stage_stopped", "1 if the stage must not go on; the log says why", "loop"
        )
        self.broker_up = self._gauge("broker_up", "1 while any broker is reached", "stage")
        self.loop_heartbeat = self._gauge(
            "loop_heartbeat_timestamp_seconds", "When the loop last went round", "loop"
        )
        self.clock_ahead_seconds = self._gauge(
            "clock_ahead_seconds", "How far this machine's clock is ahead of Kafka's"
        )
        self.clock_steps = self._counter(
            "clock_steps_total", "Times the machine's clock was stepped while the process ran"
        )
        self.config_reloads = self._counter(
            "config_reloads_total", "Attempts to reload the config", "result"
        )
        self.config_reload_ok = self._gauge(
            "config_last_reload_successful", "0 while the config on disk is refused"
        )
        self.config_info = Info(
            "config", "The config in use", namespace=NAMESPACE, registry=self.registry
        )
        self.build_info = Info(
            "build", "What is running", namespace=NAMESPACE, registry=self.registry
        )
        ProcessCollector(namespace=NAMESPACE, registry=self.registry)

    # --- constructors ---------------------------------------------------------------

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, namespace=NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        gauge = Gauge(name, meaning, labels, namespace=NAMESPACE, registry=self.registry)
        owner = next((label for label in labels if label in {"lane", "stage", "loop"}), None)
        if owner is not None:
            self.owned.add(gauge, owner)
        return gauge

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        return Histogram(
            name, meaning, labels, namespace=NAMESPACE, registry=self.registry, buckets=buckets
        )
