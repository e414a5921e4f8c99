"""All metrics with their HELP texts, labels and buckets: here and nowhere else.

Names start with `survey_dispatcher_`; units are seconds and bytes. `labels` has the values of the
labels, `series` the numbers, and `metrics` what counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

NAMESPACE = "survey_dispatcher"

Merge = Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `bounds`: upper ends of a histogram's buckets, to which +Inf is added.

    `merge`: a series that several processes of one program have. Counters are summed and gauges
    show the largest, unless told otherwise. Raises ValueError unless bounds ascend from 0 or more.
    """

    kind: Literal["counter", "gauge", "histogram", "info"]
    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    merge: Merge | None = None

    def __post_init__(self) -> None:
        bounds = list(self.bounds)
        if bounds != sorted({*bounds}) or (self.kind == "histogram") != bool(bounds):
            raise ValueError("bounds of a histogram ascend")
        if bounds and bounds[0] < 0:
            raise ValueError("bounds ascend from 0 or more")

    def merged(self, values: Sequence[float]) -> float:
        """Return the value of a series that several processes have."""
        if self.merge is not None:
            return self.merge(values)
        return sum(values) if self.kind == "counter" else max(values)


def farthest(values: Sequence[float]) -> float:
    """Return the value that is farthest from 0."""
    return max(values, key=abs)


Counter, Gauge = partial(Metric, "counter"), partial(Metric, "gauge")
Histogram, Info = partial(Metric, "histogram"), partial(Metric, "info")

LANE, STAGE, LOOP = ("lane",), ("stage",), ("loop",)
CAMPAIGN, VENDOR, PARTITION = ("lane", "campaign"), ("lane", "vendor"), ("topic", "partition")

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
TRANSACTION_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, *CALL_SECONDS[:-2], 120)
ANSWER_SECONDS = (1, 5, 15, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600, 86400, 259200, 604800)
POLL_GAPS = (0.1, 0.5, 1, 5, 15, 60, 150, 300)
"""150 s is half of `max.poll.interval.ms`, after which the group drops a member."""
BATCH_SIZES = (1, 10, 100, 500, 1000, 2500, 5000, 10000)

ROUTER = (
    Counter("events_total", "Input records by disposition", ("topic", "disposition", "reason")),
    Counter("invitations_routed_total", "Invitations written to a lane's topic", CAMPAIGN),
    Gauge("orphaned_lane_records", "Records of a lane that left the config", LANE),
    Gauge("consumer_lag_records", "Input records not yet routed", PARTITION),
    Gauge("consumer_position", "Offset of the next input record to route", PARTITION),
    Gauge("input_stopped", "1 while a partition waits for `inputs resume`", PARTITION),
    Gauge("input_waits_for_schema", "1 while a partition waits for the registry", PARTITION),
)
"""Events in, invitations out."""

LANES = (
    Gauge(
        "waiting_invitations",
        "Invitations that wait in their lane for a call, without those on the delay topics",
        CAMPAIGN,
    ),
    Gauge(
        "campaign_delayed_invitations",
        "Invitations on the delay topics: not due yet, or of a parked campaign",
        ("stage", *CAMPAIGN),
    ),
    Gauge("oldest_waiting_age_seconds", "Age of the oldest waiting invitation", CAMPAIGN),
    Gauge("buffered_invitations", "Invitations in memory", LANE),
    Gauge("buffered_bytes", "Memory of the buffered invitations", LANE),
    Gauge("spilled_invitations", "Invitations that were read and that only the log keeps", LANE),
    Gauge("campaign_parked", "1 while the vendor cannot use the campaign", CAMPAIGN),
    Gauge(
        "campaign_circuit_open",
        "1 while the campaign's own circuit breaker keeps its invitations waiting",
        CAMPAIGN,
    ),
    Gauge("delayed_invitations", "Invitations in a step of the delay topics", ("stage", "step")),
    Counter("delayed_total", "Invitations that went to the delay topics", ("lane", "step")),
    Gauge("span_offsets", "Offsets from the base to the last one read", LANE),
    Gauge("lane_lag_records", "Invitations not yet settled", LANE),
    Gauge("lane_paused", "1 while the lane's reading is paused", LANE),
    Gauge("permits_left", "Calls allowed now", ("lane", "limit")),
    Gauge("next_permit_seconds", "Until the next permit", LANE),
    Counter("batches_sealed_total", "Sealed batches by reason", ("lane", "why")),
    Histogram("batch_size_invitations", "Invitations of a batch", CAMPAIGN, BATCH_SIZES),
    Counter("records_settled_total", "Settled records of the lane's topic", LANE),
    Gauge(
        "backlog_drain_seconds",
        "Until no invitation waits, at the present rates; +Inf: never",
        LANE,
    ),
    Gauge("limits_in_use_ratio", "Part of the limits in use; below 1 after a 429", LANE),
    Counter("bisections_total", "Batches that were divided to find bad recipients", LANE),
    Counter("bisect_calls_total", "Calls with a part of a divided batch", LANE),
    Counter("takeovers_total", "Takeovers of the lane", LANE),
    Counter("lane_contested_total", "Takeovers in turn by different configs", LANE),
    Counter("other_config_invitations_total", "Invitations of another config, of a sample", LANE),
    Counter("in_doubt_batches_total", "Batches sent without a clear answer", LANE),
    Histogram(
        "event_to_answer_seconds",
        "From the event, or its later due time, to the answer",
        LANE,
        ANSWER_SECONDS,
    ),
)
"""Windows, permits and settled offsets. A lane's snapshot sets the gauges."""

VENDORS = (
    Counter("calls_total", "Calls by HTTP status or failure", ("lane", "vendor", "answer")),
    Histogram("call_duration_seconds", "From the first byte to the answer", LANE, CALL_SECONDS),
    Counter("vendor_codes_total", "Answers by the vendor's own code", ("lane", "vendor", "code")),
    Gauge("credentials_refused", "1 while the vendor refuses the account", VENDOR),
    Gauge("circuit_open", "1 while calls wait for the vendor to recover", VENDOR),
    Gauge("calls_in_flight", "Calls without an answer yet", LANE),
    Counter("logins_total", "Logins by verdict", ("vendor", "outcome")),
    Counter("throttled_total", "429 answers: the quota was exceeded", LANE),
)
"""Calls and logins."""

PROCESS = (
    Counter("dead_letters_total", "Dead letters written", ("stage", "reason")),
    Counter(
        "results_total",
        "Results; lane `router` for the router's",
        ("lane", "status", "reason"),
    ),
    Counter(
        "route_results_total",
        "Results by route; campaign is empty where none was chosen",
        ("route", "campaign", "status", "reason"),
    ),
    Histogram(
        "transaction_duration_seconds", "Kafka transactions committed", STAGE, TRANSACTION_SECONDS
    ),
    Gauge("transaction_records_limit", "Records that the next transaction may carry", STAGE),
    Counter("kafka_throttle_seconds_total", "Time for which Kafka quotas delay clients", STAGE),
    Histogram("poll_gap_seconds", "Between two polls of a consumer", STAGE, POLL_GAPS),
    Counter("transactions_aborted_total", "Kafka transactions aborted", STAGE),
    Counter("kafka_errors_total", "Errors that a Kafka client reported", ("stage", "error")),
    Counter("deletions_refused_total", "Refused deletions of settled records", ("topic",)),
    Gauge("paused", "1 while it is paused, by config or command", ("kind", "name", "by")),
    # Each process reads all commands, and follows the clock.
    Counter(
        "operator_commands_total", "Operators' commands that were read", ("command",), merge=max
    ),
    Gauge("stage_stopped", "1 if the stage ended for good; the log says why", LOOP),
    Gauge("broker_up", "1 while any broker is reached", STAGE, merge=min),
    Gauge("loop_heartbeat_timestamp_seconds", "Time of the loop's last turn", LOOP),
    Gauge(
        "clock_ahead_seconds", "How far this machine's clock is ahead of Kafka's", merge=farthest
    ),
    Counter("clock_steps_total", "Steps of the machine's clock while the process ran", merge=max),
    Counter("config_reloads_total", "Attempts to reload the config", ("result",)),
    Gauge("config_last_reload_successful", "0 while the config on disk is refused", merge=min),
    Info("config", "The config in use, and its application", ("application", "version")),
    Info("build", "The running program", ("version", "python", "librdkafka")),
)
"""Stages, Kafka clients, the config and the process itself."""

CONTACTS = (
    Gauge("contact_store_up", "1 while the contact store answers and grants"),
    Gauge("contact_store_phase", "1 for how far the store's generation is", ("phase",)),
    Counter("contact_store_failures_total", "Questions that the store did not answer"),
    Histogram(
        "contact_decision_seconds",
        "From a question about a group of invitations to the store's answer",
        ("question",),
        TRANSACTION_SECONDS,
    ),
    Gauge("contacts_asking_invitations", "Invitations that wait for the contact store", LANE),
    Counter(
        "held_back_total",
        "Invitations that ended by a contact rule, a pace or a duplicate",
        ("lane", "rule", "reason"),
    ),
    Gauge("feed_lag_seconds", "Since when the feed has not been read to its end", ("feed",)),
    Gauge("feed_max_lag_seconds", "How far the feed may lie behind", ("feed",)),
    Gauge("feeds_hold_back", "1 while nothing is sent because opt-outs may be unread"),
    Counter("feed_records_total", "Records of feeds, by what became of them", ("feed", "kind")),
    Counter(
        "responses_total",
        "Answers to surveys, by what the feed says of the survey",
        ("route", "campaign"),
    ),
)
"""The contact store, its rules and the feeds."""

METRICS = (*ROUTER, *LANES, *VENDORS, *CONTACTS, *PROCESS)
