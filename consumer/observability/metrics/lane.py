"""Metrics of a lane and of the vendor calls that it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from consumer.lane.state.snapshot import CampaignSnapshot, LaneSnapshot
from consumer.observability.metrics.exemplars import Exemplar
from consumer.observability.metrics.labels import CLOSED, closed
from consumer.observability.metrics.names import LANE, METRICS
from consumer.observability.metrics.series import Values
from consumer.observability.metrics.stage import StageMetrics
from consumer.records.dead_letter import DeadLetterReason

AT_0 = [metric.name for metric in METRICS if metric.kind == "counter" and metric.labels == LANE]

GAUGES: Mapping[str, Callable[[LaneSnapshot], float]] = {
    "limits_in_use_ratio": lambda lane: lane.quota.limits_in_use,
    "next_permit_seconds": lambda lane: lane.quota.next_permit,
    "backlog_drain_seconds": lambda lane: lane.drain,
    "buffered_invitations": lambda lane: lane.buffered,
    "buffered_bytes": lambda lane: lane.buffered_bytes,
    "spilled_invitations": lambda lane: lane.spilled,
    "span_offsets": lambda lane: lane.span,
    "lane_lag_records": lambda lane: lane.lag,
    "calls_in_flight": lambda lane: len(lane.in_flight),
    "lane_paused": lambda lane: lane.paused,
    "contacts_asking_invitations": lambda lane: lane.asking,
}

CAMPAIGN_GAUGES: Mapping[
    str, tuple[Callable[[CampaignSnapshot], float], Callable[[float, float], float]]
] = {
    "waiting_invitations": (lambda campaign: campaign.waiting, float.__add__),
    "oldest_waiting_age_seconds": (lambda campaign: campaign.oldest_age, max),
    "campaign_parked": (lambda campaign: campaign.parked, max),
    "campaign_circuit_open": (lambda campaign: campaign.circuit_open, max),
}
"""Gauge → its value, and what campaigns that share the label `other` make together."""


class LaneMetrics(StageMetrics):
    """Metrics of one lane. Only the lane's thread sets its gauges."""

    def start(self) -> None:
        """Create the counters at 0: an alert on an increase misses a series' first value."""
        super().start()
        self.dead_letters({DeadLetterReason.BAD_INVITATION: 0})
        for counter in AT_0:
            self._series.count(counter, self._name, n=0)
        for why in CLOSED["why"]:
            self._series.count("batches_sealed_total", self._name, why, n=0)

    def snapshot(self, now: LaneSnapshot) -> None:
        """Set all gauges; campaigns, limits and accounts that are gone lose their series."""
        lane = self._name
        for name, value in GAUGES.items():
            self._series.set(name, value(now), lane)
        for name, (of_campaign, together) in CAMPAIGN_GAUGES.items():
            values: dict[tuple[str, ...], float] = {}
            for campaign, snapshot in now.campaigns.items():
                labels = lane, self._labels.campaign(campaign)
                values[labels] = together(values.get(labels, 0.0), float(of_campaign(snapshot)))
            self._series.show(name, lane, values)
        left: Values = {(lane, limit.name): int(limit.left) for limit in now.quota.limits}
        self._series.show("permits_left", lane, left)
        refused: Values = {(lane, each.name): each.credentials_refused for each in now.accounts}
        self._series.show("credentials_refused", lane, refused)
        circuits: Values = {(lane, each.name): each.circuit_open for each in now.accounts}
        self._series.show("circuit_open", lane, circuits)

    def clear(self) -> None:
        """Drop the gauges when this process no longer owns the lane (after its thread ended).

        The counters stay, because they count what this process did.
        """
        self._series.clear(self._name)

    def sealed(self, campaign: str, why: str, size: int) -> None:
        """Count a sealed batch of `size` invitations, by the reason of sealing."""
        self._series.count("batches_sealed_total", self._name, closed("why", why))
        label = self._labels.campaign(campaign)
        self._series.observe("batch_size_invitations", (size,), self._name, label)

    def bisected(self, *, began: int = 0, calls: int = 0) -> None:
        """Count divided batches, and calls with parts of them."""
        self._series.count("bisections_total", self._name, n=began)
        self._series.count("bisect_calls_total", self._name, n=calls)

    def settled(self, n: int) -> None:
        """Count `n` settled records of the lane's topic."""
        self._series.count("records_settled_total", self._name, n=n)

    def delayed(self, steps: Iterable[str]) -> None:
        """Count invitations written to these steps of the delay topics, one each."""
        for step, n in Counter(steps).items():
            self._series.count("delayed_total", self._name, closed("step", step), n=n)

    def takeover(self, in_doubt: int) -> None:
        """Count a takeover, and the batches it found in flight as in doubt."""
        self._series.count("takeovers_total", self._name)
        self.in_doubt(in_doubt)

    def contested(self) -> None:
        """Count a takeover in turn by owners with different configs."""
        self._series.count("lane_contested_total", self._name)

    def other_config(self) -> None:
        """Count an invitation, of a sample, that a router with another config has written just
        now."""
        self._series.count("other_config_invitations_total", self._name)

    def in_doubt(self, batches: int = 1) -> None:
        """Count batches that were sent without a clear answer."""
        self._series.count("in_doubt_batches_total", self._name, n=batches)

    def accepted(self, ages: Iterable[float], exemplars: Iterable[Exemplar] = ()) -> None:
        """Observe, for an accepted call, the seconds since each of its events happened.

        An event from a clock ahead of the process's counts as 0.
        """
        name = "event_to_answer_seconds"
        self._series.observe(name, ages, self._name, exemplars=exemplars)

    def call(
        self, vendor: str, answer: int | str, seconds: float, exemplars: Iterable[Exemplar] = ()
    ) -> None:
        """Count a call: `answer` is its HTTP status, `timeout`, `connect_error` or `reset`."""
        self._series.count("calls_total", self._name, vendor, closed("answer", answer))
        name = "call_duration_seconds"
        self._series.observe(name, (seconds,), self._name, exemplars=exemplars)

    def vendor_code(self, vendor: str, code: str) -> None:
        """Count an answer by vendor code."""
        self._series.count("vendor_codes_total", self._name, vendor, self._labels.code(code))

    def throttled(self) -> None:
        """Count a 429 answer of the vendor."""
        self._series.count("throttled_total", self._name)

    def login(self, vendor: str, outcome: str) -> None:
        """Count a login by its verdict (`accepted`: a session was opened)."""
        self._series.count("logins_total", vendor, closed("outcome", outcome))
