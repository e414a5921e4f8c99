"""Every metric of the program: names, labels, buckets and the methods that feed them.

Names start with `survey_dispatcher_`; units are seconds and bytes. Label values come from a
closed set (`CLOSED`, checked here when the program runs) or are names of the config (lane,
campaign, vendor, topic, limit; a stage or a loop is `router` or a lane's name). Nothing of an
event ever becomes a label, so neither cardinality nor personal data can slip in.

Methods take counts for a whole batch, never one event each, and may be called from any thread.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import confluent_kafka
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from consumer import __version__
from consumer.model import DeadLetterReason, Reason, Verdict

NAMESPACE = "survey_dispatcher"
CAMPAIGNS_SHOWN = 200
"""Campaigns with series of their own; those after them in the config share `other`."""

OTHER = "other"
ROUTER = "router"
"""The router where a stage or a lane is named: no quota may be called so."""


class Disposition(StrEnum):
    """What became of an input record at the router."""

    ROUTED = "routed"
    UNMATCHED = "unmatched"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DEAD_LETTER = "dead_letter"


CLOSED: Mapping[str, frozenset[str]] = {
    "disposition": frozenset(Disposition),
    "reason": frozenset(Reason) | frozenset(DeadLetterReason) | {""},
    "why": frozenset({"full", "permit", "max_wait", "linger"}),
    "answer": frozenset(map(str, range(100, 600))) | {"timeout", "connect_error", "reset"},
    "outcome": frozenset(Verdict),
    "result": frozenset({"applied", "refused", "unchanged"}),
    "error": frozenset(name for name in dir(confluent_kafka.KafkaError) if name.isupper()),
}
"""Label → its values. Whatever else a caller brings is counted as `other`."""

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
TRANSACTION_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
ANSWER_SECONDS = (1, 5, 15, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600, 86400, 259200, 604800)
BATCH_SIZES = (1, 10, 100, 500, 1000, 2500, 5000, 10000)

_Values = dict[tuple[str, ...], float]
"""A gauge's label values → its value."""


@dataclass(frozen=True, slots=True)
class CampaignSnapshot:
    """A campaign's waiting invitations and the age of the oldest one (seconds, 0 if none)."""

    waiting: int
    oldest_age: float


@dataclass(frozen=True, slots=True)
class LaneSnapshot:
    """A lane as it stands. `span`: offsets from base to the last one read; `lag`: records not
    settled; `permits_left`: limit (`20/5s`) → permits; `next_permit`: seconds, 0 for now."""

    campaigns: Mapping[str, CampaignSnapshot]
    permits_left: Mapping[str, int]
    next_permit: float
    held: int
    held_bytes: int
    span: int
    lag: int
    in_flight: int
    paused: bool


class Metrics:
    """All metrics of one process, in a registry of their own (tests make many)."""

    def __init__(
        self, registry: CollectorRegistry | None = None, campaigns: Sequence[str] = ()
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._gauges: list[tuple[Gauge, str]] = []
        self._shown: dict[tuple[Gauge, str], frozenset[tuple[str, ...]]] = {}
        self._campaigns: frozenset[str] = frozenset()
        self._define_router()
        self._define_lane()
        self._define_vendor()
        self._define_process()
        self.set_campaigns(campaigns)

    # --- the names -----------------------------------------------------------------------

    def _define_router(self) -> None:
        """Events in, invitations out."""
        self.events_total = self._counter(
            "events_total", "Input records by what became of them", "topic", "disposition", "reason"
        )
        self.invitations_routed = self._counter(
            "invitations_routed_total", "Invitations handed to a lane", "lane", "campaign"
        )
        self.consumer_lag = self._gauge(
            "consumer_lag_records", "Input records not yet routed", "topic", "partition"
        )

    def _define_lane(self) -> None:
        """Windows, permits and the ledger. The gauges are set by a lane's snapshot."""
        self.waiting = self._gauge(
            "waiting_invitations", "Invitations that wait for a call", "lane", "campaign"
        )
        self.oldest_age = self._gauge(
            "oldest_waiting_age_seconds", "Age of the oldest one waiting", "lane", "campaign"
        )
        self.held = self._gauge("held_invitations", "Invitations in memory", "lane")
        self.held_bytes = self._gauge("held_bytes", "Memory of the held invitations", "lane")
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
        self.takeovers = self._counter("takeovers_total", "Times the lane was taken over", "lane")
        self.in_doubt_batches = self._counter(
            "in_doubt_batches_total", "Batches sent whose answer is not known", "lane"
        )
        self.results_total = self._counter(
            "results_total", "Results; lane `router` for the router's", "lane", "status", "reason"
        )
        self.event_to_answer = self._histogram(
            "event_to_answer_seconds", "From the event to the answer", ANSWER_SECONDS, "lane"
        )

    def _define_vendor(self) -> None:
        """Calls and logins."""
        self.calls = self._counter(
            "calls_total", "Calls by HTTP status or failure", "lane", "vendor", "answer"
        )
        self.call_duration = self._histogram(
            "call_duration_seconds", "From the first byte to the answer", CALL_SECONDS, "lane"
        )
        self.calls_in_flight = self._gauge("calls_in_flight", "Calls without an answer yet", "lane")
        self.logins = self._counter("logins_total", "Logins by verdict", "vendor", "outcome")
        self.throttled_total = self._counter(
            "throttled_total", "429 answers: somebody exceeded the quota", "lane"
        )

    def _define_process(self) -> None:
        """Kafka clients, config and the process itself."""
        self.transaction_duration = self._histogram(
            "transaction_duration_seconds", "Kafka transactions", TRANSACTION_SECONDS, "stage"
        )
        self.transactions_aborted = self._counter(
            "transactions_aborted_total", "Kafka transactions that were aborted", "stage"
        )
        self.kafka_errors = self._counter(
            "kafka_errors_total", "Errors that a Kafka client reported", "stage", "error"
        )
        self.broker_up = self._gauge("broker_up", "1 while any broker is reached", "stage")
        self.loop_heartbeat = self._gauge(
            "loop_heartbeat_timestamp_seconds", "When the loop last went round", "loop"
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
        self.build_info.info(
            {
                "version": __version__,
                "python": platform.python_version(),
                "librdkafka": confluent_kafka.libversion()[0],
            }
        )
        ProcessCollector(namespace=NAMESPACE, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, namespace=NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        gauge = Gauge(name, meaning, labels, namespace=NAMESPACE, registry=self.registry)
        owner = next((label for label in labels if label in {"lane", "stage", "loop"}), None)
        if owner is not None:
            self._gauges.append((gauge, owner))
        return gauge

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        return Histogram(
            name, meaning, labels, namespace=NAMESPACE, registry=self.registry, buckets=buckets
        )

    # --- campaigns -----------------------------------------------------------------------

    def set_campaigns(self, campaigns: Sequence[str]) -> None:
        """The config's campaigns, in its order; series of those no longer shown are dropped."""
        before, self._campaigns = self._campaigns, frozenset(campaigns[:CAMPAIGNS_SHOWN])
        for gone in before - self._campaigns - {OTHER}:
            self.invitations_routed.remove_by_labels({"campaign": gone})
            self.batch_size.remove_by_labels({"campaign": gone})

    def campaign_label(self, name: str) -> str:
        """The campaign's name, or `other` if it is past the first 200 or not in the config."""
        return name if name in self._campaigns else OTHER

    # --- the router ----------------------------------------------------------------------

    def start_router(self, topics: Iterable[str]) -> None:
        """Makes the counters 0, for an alert on an increase misses a series' first value."""
        self._start_stage(ROUTER)
        for topic in topics:
            self.events(topic, Disposition.ROUTED, n=0)
            self.events(topic, Disposition.UNMATCHED, n=0)
            for reason in Reason:
                if reason.status.value in CLOSED["disposition"]:
                    self.events(topic, reason.status, reason, n=0)
            for dead in DeadLetterReason:
                self.events(topic, Disposition.DEAD_LETTER, dead, n=0)

    def events(self, topic: str, disposition: str, reason: str = "", n: int = 1) -> None:
        """`n` records of an input topic ended so; `reason` is empty for routed and unmatched."""
        labels = _closed("disposition", disposition), _closed("reason", reason)
        self.events_total.labels(topic, *labels).inc(n)

    def routed(self, lane: str, campaign: str, n: int) -> None:
        """`n` invitations were written to the lane's topic."""
        self.invitations_routed.labels(lane, self.campaign_label(campaign)).inc(n)

    def router_lag(self, lag: Mapping[tuple[str, int], int]) -> None:
        """(topic, partition) → records behind, for the partitions now assigned, and only these."""
        values: _Values = {(topic, str(number)): behind for (topic, number), behind in lag.items()}
        self._show(self.consumer_lag, ROUTER, values)

    # --- a lane --------------------------------------------------------------------------

    def start_lane(self, lane: str) -> None:
        """Makes the lane's counters 0, for an alert on an increase misses a first value."""
        self._start_stage(lane)
        for counter in (
            self.records_settled,
            self.takeovers,
            self.in_doubt_batches,
            self.throttled_total,
        ):
            counter.labels(lane)
        for why in CLOSED["why"]:
            self.batches_sealed.labels(lane, why)

    def _start_stage(self, stage: str) -> None:
        self.transactions_aborted.labels(stage)
        for reason in Reason:
            self.results(stage, reason, 0)

    def snapshot(self, lane: str, now: LaneSnapshot) -> None:
        """Sets all gauges of the lane; campaigns and limits that are gone lose their series.

        Campaigns that share `other` are summed, and the oldest of them is its age.
        """
        waiting: _Values = {}
        oldest: _Values = {}
        for name, campaign in now.campaigns.items():
            labels = lane, self.campaign_label(name)
            waiting[labels] = waiting.get(labels, 0) + campaign.waiting
            oldest[labels] = max(oldest.get(labels, 0.0), campaign.oldest_age)
        left: _Values = {(lane, limit): permits for limit, permits in now.permits_left.items()}
        self._show(self.waiting, lane, waiting)
        self._show(self.oldest_age, lane, oldest)
        self._show(self.permits_left, lane, left)
        self.next_permit.labels(lane).set(now.next_permit)
        self.held.labels(lane).set(now.held)
        self.held_bytes.labels(lane).set(now.held_bytes)
        self.span.labels(lane).set(now.span)
        self.lane_lag.labels(lane).set(now.lag)
        self.calls_in_flight.labels(lane).set(now.in_flight)
        self.paused.labels(lane).set(now.paused)

    def clear_lane(self, lane: str) -> None:
        """Drops the lane's gauges once this process does not own it (after its thread ended).

        Its counters stay: what was done here stays done here.
        """
        for gauge, label in self._gauges:
            self._shown.pop((gauge, lane), None)
            gauge.remove_by_labels({label: lane})

    def sealed(self, lane: str, campaign: str, why: str, size: int) -> None:
        """A batch of `size` invitations was sealed, and why."""
        self.batches_sealed.labels(lane, _closed("why", why)).inc()
        self.batch_size.labels(lane, self.campaign_label(campaign)).observe(size)

    def settled(self, lane: str, n: int) -> None:
        """`n` records of the lane's topic are done with."""
        self.records_settled.labels(lane).inc(n)

    def takeover(self, lane: str, in_doubt: int) -> None:
        """The lane was taken over, with so many batches found in flight."""
        self.takeovers.labels(lane).inc()
        self.in_doubt(lane, in_doubt)

    def in_doubt(self, lane: str, batches: int = 1) -> None:
        """So many batches were sent, and no clear answer came."""
        self.in_doubt_batches.labels(lane).inc(batches)

    def results(self, lane: str, reason: Reason, n: int) -> None:
        """`n` results were written; the status follows from the reason."""
        self.results_total.labels(lane, reason.status, reason).inc(n)

    def answered(self, lane: str, ages: Iterable[float]) -> None:
        """A call's answer came: the seconds since each of its events happened.

        An event from a clock ahead of ours counts as 0: a sum must not fall.
        """
        observe = self.event_to_answer.labels(lane).observe
        for age in ages:
            observe(max(0.0, age))

    # --- the vendor ----------------------------------------------------------------------

    def call(self, lane: str, vendor: str, answer: int | str, seconds: float) -> None:
        """A call ended: `answer` is its HTTP status, `timeout`, `connect_error` or `reset`."""
        self.calls.labels(lane, vendor, _closed("answer", answer)).inc()
        self.call_duration.labels(lane).observe(seconds)

    def login(self, vendor: str, outcome: str) -> None:
        """A login ended with this verdict (`accepted`: a session was opened)."""
        self.logins.labels(vendor, _closed("outcome", outcome)).inc()

    def throttled(self, lane: str) -> None:
        """The vendor answered 429."""
        self.throttled_total.labels(lane).inc()

    # --- Kafka, config, loops ------------------------------------------------------------

    def transaction(self, stage: str, seconds: float) -> None:
        """A transaction of the stage was committed."""
        self.transaction_duration.labels(stage).observe(seconds)

    def aborted(self, stage: str) -> None:
        """A transaction of the stage was aborted."""
        self.transactions_aborted.labels(stage).inc()

    def kafka_error(self, stage: str, error: str) -> None:
        """A client reported an error: librdkafka's name of it (`_TRANSPORT`)."""
        self.kafka_errors.labels(stage, _closed("error", error)).inc()

    def broker(self, stage: str, *, up: bool) -> None:
        """Whether the stage's client reaches any broker."""
        self.broker_up.labels(stage).set(up)

    def heartbeat(self, loop: str, when: float) -> None:
        """The loop went round at `when` (epoch seconds); a lane's loop bears the lane's name."""
        self.loop_heartbeat.labels(loop).set(when)

    def config_loaded(self, version: str, campaigns: Sequence[str]) -> None:
        """This config is in use from now on."""
        self.config_info.info({"version": version})
        self.config_reload_ok.set(1)
        self.set_campaigns(campaigns)

    def config_reload(self, result: str) -> None:
        """A reload ended: `applied`, `refused` or `unchanged`."""
        self.config_reloads.labels(_closed("result", result)).inc()
        self.config_reload_ok.set(result != "refused")

    # --- exposition ----------------------------------------------------------------------

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Body and content type of a scrape. Some 25 ms for 200 campaigns: call it in a worker
        thread. An `Accept` header that cannot be read gets the plain format."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):
            encoder, content_type = choose_encoder("")
        return encoder(_WithoutCreated(self.registry)), content_type

    def _show(self, gauge: Gauge, owner: str, values: _Values) -> None:
        """Sets the owner's series of the gauge to `values`, and removes what it showed before."""
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get((gauge, owner), frozenset()) - values.keys():
            gauge.remove(*labels)
        self._shown[gauge, owner] = frozenset(values)


class _WithoutCreated(Collector):
    """The registry without `_created` samples: one more series for each counter, and the
    library's own switch for them is global state."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric


def _closed(label: str, value: object) -> str:
    """The value, if the label's closed set has it, else `other`."""
    text = str(value)
    return text if text in CLOSED[label] else OTHER
