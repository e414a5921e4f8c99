"""Metrics for Prometheus: one method for each kind of event.

    metrics.metrics ── names       every name, its labels and buckets; gauges with an owner
                    ├─ labels      closed sets of label values, snapshots
                    └─ histogram   durations of a whole batch at once

Methods take counts for a whole batch, never one event each, and may be called from any thread (a
lane's gauges only from the lane's own).
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import confluent_kafka
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from consumer import __version__
from consumer.lane.state.snapshot import LaneSnapshot
from consumer.observability.metrics.labels import (
    CAMPAIGNS_SHOWN,
    CLOSED,
    CODES_SHOWN,
    LADDER,
    OTHER,
    ROUTER,
    Disposition,
    closed,
)
from consumer.observability.metrics.names import Names, Values
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason


def scrape(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return body and content type. An unreadable `Accept` header gets the plain format."""
    try:
        encoder, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        encoder, content_type = choose_encoder("")
    return encoder(_WithoutCreated(registry)), content_type


class _WithoutCreated(Collector):
    """The registry without `_created` samples: they double the series of each counter, and the
    library's own switch for them is global state."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric


__all__ = ["Disposition", "Metrics"]


class Metrics(Names):
    """All metrics of one process, in a registry of their own (tests make many)."""

    def __init__(
        self, registry: CollectorRegistry | None = None, campaigns: Sequence[str] = ()
    ) -> None:
        super().__init__(registry)
        self._campaigns: frozenset[str] = frozenset()
        self._codes: set[str] = set()
        self.set_campaigns(campaigns)
        self.build_info.info(
            {
                "version": __version__,
                "python": platform.python_version(),
                "librdkafka": confluent_kafka.libversion()[0],
            }
        )

    # --- campaigns -----------------------------------------------------------------------

    def set_campaigns(self, campaigns: Sequence[str]) -> None:
        """Show the config's campaigns, in its order; drop the series of those no longer shown."""
        before, self._campaigns = self._campaigns, frozenset(campaigns[:CAMPAIGNS_SHOWN])
        for gone in before - self._campaigns - {OTHER}:
            self.invitations_routed.remove_by_labels({"campaign": gone})
            self.batch_size.remove_by_labels({"campaign": gone})

    def campaign_label(self, name: str) -> str:
        """Return the campaign's name, or `other` if it is past the first 200 or not in the
        config."""
        return name if name in self._campaigns else OTHER

    # --- the router ----------------------------------------------------------------------

    def start_router(self, topics: Iterable[str]) -> None:
        """Create the router's counters at 0: an alert on an increase misses a series' first
        value."""
        self._start_stage(ROUTER)
        self.dead_letters(ROUTER, dict.fromkeys(DeadLetterReason, 0))
        self.dead_letters(LADDER, {DeadLetterReason.BAD_INVITATION: 0})
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
        self.events_total.labels(topic, *labels).inc(n)

    def dead_letters(self, stage: str, written: Mapping[DeadLetterReason, int]) -> None:
        """Count dead letters by reason; the router's are among its `events` too."""
        for reason, n in written.items():
            self.dead_letters_total.labels(stage, closed("reason", reason)).inc(n)

    def routed(self, lane: str, campaign: str, n: int) -> None:
        """Count `n` invitations written to the lane's topic."""
        self.invitations_routed.labels(lane, self.campaign_label(campaign)).inc(n)

    def router_lag(self, lag: Mapping[tuple[str, int], int]) -> None:
        """Show (topic, partition) → records behind, for the partitions now assigned, and only
        these."""
        values: Values = {(topic, str(number)): behind for (topic, number), behind in lag.items()}
        self.owned.show(self.consumer_lag, ROUTER, values)

    def inputs_stopped(self, stopped: Mapping[tuple[str, int], int], stage: str = ROUTER) -> None:
        """Show (topic, partition) → 1 for the stopped partitions of this member of the stage's
        group, and only these."""
        values: Values = {(topic, str(number)): one for (topic, number), one in stopped.items()}
        self.owned.show(self.input_stopped, stage, values)

    def command(self, outcome: str) -> None:
        """Count a record of the operators' topic: its command, or why it is none."""
        self.commands_read.labels(closed("command", outcome)).inc()

    def orphaned(self, records: Mapping[str, int]) -> None:
        """Show lane outside the config → records that it holds, and only these lanes."""
        values: Values = {(lane,): number for lane, number in records.items()}
        self.owned.show(self.orphaned_records, ROUTER, values)

    # --- a lane --------------------------------------------------------------------------

    def start_lane(self, lane: str) -> None:
        """Create the lane's counters at 0: an alert on an increase misses a series' first value."""
        self._start_stage(lane)
        self.dead_letters(lane, {DeadLetterReason.BAD_INVITATION: 0})
        for counter in (
            self.records_settled,
            self.takeovers,
            self.lane_contested,
            self.in_doubt_batches,
            self.throttled_total,
            self.bisections,
            self.bisect_calls,
        ):
            counter.labels(lane)
        for why in CLOSED["why"]:
            self.batches_sealed.labels(lane, why)

    def _start_stage(self, stage: str) -> None:
        self.transactions_aborted.labels(stage)
        self.kafka_throttle.labels(stage)
        for reason in Reason:
            self.results(stage, reason, 0)

    def snapshot(self, now: LaneSnapshot) -> None:
        """Set all gauges of the lane; campaigns and limits that are gone lose their series.

        Campaigns that share `other` are summed; its age is that of the oldest of them.
        """
        lane, quota = now.name, now.quota
        waiting: Values = {}
        oldest: Values = {}
        parked: Values = {}
        circuit: Values = {}
        for name, campaign in now.campaigns.items():
            labels = lane, self.campaign_label(name)
            waiting[labels] = waiting.get(labels, 0) + campaign.waiting
            oldest[labels] = max(oldest.get(labels, 0.0), campaign.oldest_age)
            parked[labels] = max(parked.get(labels, 0), campaign.parked)
            circuit[labels] = max(circuit.get(labels, 0), campaign.circuit_open)
        left: Values = {(lane, limit.name): int(limit.left) for limit in quota.limits}
        self.owned.show(self.waiting, lane, waiting)
        self.owned.show(self.oldest_age, lane, oldest)
        self.owned.show(self.parked, lane, parked)
        self.owned.show(self.campaign_circuit_open, lane, circuit)
        self.owned.show(self.permits_left, lane, left)
        refused: Values = {(lane, each.name): each.credentials_refused for each in now.accounts}
        open_circuits: Values = {(lane, each.name): each.circuit_open for each in now.accounts}
        self.owned.show(self.credentials_refused, lane, refused)
        self.owned.show(self.circuit_open, lane, open_circuits)
        self.limits_in_use.labels(lane).set(quota.limits_in_use)
        self.backlog_drain.labels(lane).set(now.drain)
        self.next_permit.labels(lane).set(quota.next_permit)
        self.buffered.labels(lane).set(now.buffered)
        self.buffered_bytes.labels(lane).set(now.buffered_bytes)
        self.spilled.labels(lane).set(now.spilled)
        self.span.labels(lane).set(now.span)
        self.lane_lag.labels(lane).set(now.lag)
        self.calls_in_flight.labels(lane).set(len(now.in_flight))
        self.paused.labels(lane).set(now.paused)

    def clear_lane(self, lane: str) -> None:
        """Drop the lane's gauges when this process no longer owns it (after its thread ended).

        Its counters stay, because they count what this process did.
        """
        self.owned.clear(lane)

    def sealed(self, lane: str, campaign: str, why: str, size: int) -> None:
        """Count a sealed batch of `size` invitations, by the reason of sealing."""
        self.batches_sealed.labels(lane, closed("why", why)).inc()
        self.batch_size.labels(lane, self.campaign_label(campaign)).observe(size)

    def polled(self, stage: str, gap: float) -> None:
        """Observe the gap of `gap` seconds between two polls of a consumer."""
        self.poll_gap.labels(stage).observe(gap)

    def ladder(self, waiting: Mapping[str, int]) -> None:
        """Show step of the delay topics → waiting invitations, for steps now assigned, and only
        these."""
        values: Values = {(LADDER, closed("step", step)): n for step, n in waiting.items()}
        self.owned.show(self.ladder_waiting, LADDER, values)

    def delayed(self, lane: str, steps: Iterable[str]) -> None:
        """Count invitations written to these steps of the delay topics, one each."""
        for step, number in Counter(steps).items():
            self.put_off.labels(lane, closed("step", step)).inc(number)

    def settled(self, lane: str, n: int) -> None:
        """Count `n` settled records of the lane's topic."""
        self.records_settled.labels(lane).inc(n)

    def takeover(self, lane: str, in_doubt: int) -> None:
        """Count a takeover of the lane, and the batches it found in flight as in doubt."""
        self.takeovers.labels(lane).inc()
        self.in_doubt(lane, in_doubt)

    def contested(self, lane: str) -> None:
        """Count a takeover in turn by owners with different configs."""
        self.lane_contested.labels(lane).inc()

    def other_config(self, lane: str) -> None:
        """Count an invitation, of a sample, that a router with another config has written just
        now."""
        self.other_configs.labels(lane).inc()

    def in_doubt(self, lane: str, batches: int = 1) -> None:
        """Count batches that were sent without a clear answer."""
        self.in_doubt_batches.labels(lane).inc(batches)

    def results(self, lane: str, reason: Reason, n: int) -> None:
        """Count `n` results written; the status follows from the reason."""
        self.results_total.labels(lane, reason.status, reason).inc(n)

    def answered(self, lane: str, ages: Iterable[float]) -> None:
        """Observe, for a call's answer, the seconds since each of its events happened.

        An event from a clock ahead of the process's counts as 0: a sum must not fall.
        """
        self.event_to_answer.observe(lane, ages)

    # --- the vendor ----------------------------------------------------------------------

    def call(self, lane: str, vendor: str, answer: int | str, seconds: float) -> None:
        """Count a call: `answer` is its HTTP status, `timeout`, `connect_error` or `reset`."""
        self.calls.labels(lane, vendor, closed("answer", answer)).inc()
        self.call_duration.labels(lane).observe(seconds)

    def vendor_code(self, lane: str, vendor: str, code: str) -> None:
        """Count an answer by vendor code; codes beyond the first fifty of a process share
        `other`."""
        if len(self._codes) < CODES_SHOWN:
            self._codes.add(code)
        self.vendor_codes.labels(lane, vendor, code if code in self._codes else OTHER).inc()

    def bisected(self, lane: str, *, began: int = 0, calls: int = 0) -> None:
        """Count divided batches, and calls with parts of them."""
        self.bisections.labels(lane).inc(began)
        self.bisect_calls.labels(lane).inc(calls)

    def deletion_refused(self, topic: str) -> None:
        """Count a refusal by Kafka to delete records of one of the program's own topics."""
        self.deletions_refused.labels(topic).inc()

    def stopped(self, stage: str) -> None:
        """Show that the stage ended for good: the log says why."""
        self.stage_stopped.labels(stage).set(1)

    def login(self, vendor: str, outcome: str) -> None:
        """Count a login by its verdict (`accepted`: a session was opened)."""
        self.logins.labels(vendor, closed("outcome", outcome)).inc()

    def throttled(self, lane: str) -> None:
        """Count a 429 answer of the vendor."""
        self.throttled_total.labels(lane).inc()

    # --- Kafka, config, loops ------------------------------------------------------------

    def transaction(self, stage: str, seconds: float) -> None:
        """Observe the duration of a committed transaction of the stage."""
        self.transaction_duration.labels(stage).observe(seconds)

    def transaction_limit(self, stage: str, records: int) -> None:
        """Show how many records the stage's next transaction may carry."""
        self.transaction_records.labels(stage).set(records)

    def kafka_throttled(self, stage: str, seconds: float) -> None:
        """Add the seconds for which a Kafka quota throttles a client of the stage."""
        self.kafka_throttle.labels(stage).inc(seconds)

    def aborted(self, stage: str) -> None:
        """Count an aborted transaction of the stage."""
        self.transactions_aborted.labels(stage).inc()

    def kafka_error(self, stage: str, error: str) -> None:
        """Count a client's error by librdkafka's name of it (`_TRANSPORT`)."""
        self.kafka_errors.labels(stage, closed("error", error)).inc()

    def broker(self, stage: str, *, up: bool) -> None:
        """Show whether the stage's client reaches any broker."""
        self.broker_up.labels(stage).set(up)

    def clock_ahead(self, seconds: float) -> None:
        """Show how far this process's clock is ahead of Kafka's."""
        self.clock_ahead_seconds.set(seconds)

    def clock_stepped(self) -> None:
        """Count a step of the machine's clock, which the process follows."""
        self.clock_steps.inc()

    def heartbeat(self, loop: str, when: float) -> None:
        """Show the loop's last iteration, `when` (epoch seconds); a lane's loop bears the lane's
        name."""
        self.loop_heartbeat.labels(loop).set(when)

    def config_loaded(self, version: str, campaigns: Sequence[str]) -> None:
        """Show the config that is in use from now on."""
        self.config_info.info({"version": version})
        self.config_reload_ok.set(1)
        self.set_campaigns(campaigns)

    def config_reload(self, result: str) -> None:
        """Count a reload: `applied`, `refused` or `unchanged`."""
        self.config_reloads.labels(closed("result", result)).inc()
        self.config_reload_ok.set(result != "refused")

    # --- exposition ----------------------------------------------------------------------

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return body and content type of a scrape. Some 25 ms for 200 campaigns: call it in a
        worker thread. An unreadable `Accept` header gets the plain format."""
        return scrape(self.registry, accept)
