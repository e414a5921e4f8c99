"""One ownership of a lane: from takeover to loss. Only the lane's thread touches it.

It feeds the pure machine (records, answers, time), carries its commands out, and shows its state
to the metrics. When Kafka says no, KafkaSessionError passes through: the owner is dropped with all
its state, and its successor starts from the checkpoint.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty

import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from consumer.errors import (
    UnreadableRecord,
    defect,
)
from consumer.http.calls import (
    Answered,
    Calls,
    Inbox,
    LoginEnded,
)
from consumer.kafka import transactions
from consumer.kafka.records.messages import (
    timestamp_of,
    value_of,
)
from consumer.kafka.records.operator_commands import (
    ReopenLane,
    RetryCampaign,
)
from consumer.kafka.records.publisher import (
    bad_invitation,
    dead_letter_of,
)
from consumer.lane.lane import Lane
from consumer.lane.quota.forecast import Forecast
from consumer.lane.state.commands import (
    Command,
    Commit,
    Login,
    Pause,
    Resume,
    Seek,
    Send,
)
from consumer.lane.state.pending import PendingInvitation
from consumer.observability.metrics.metrics import (
    CampaignSnapshot,
    LaneSnapshot,
)
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.runtime.isolation import tell
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_status import (
    call_status,
    lane_status,
)
from consumer.runtime.stage import (
    STOP_GRACE,
    StageServices,
)
from consumer.runtime.watchers.command_watch import ObeyedCommands
from consumer.wiring.build import LaneConfig

WAIT = 0.05
"""Seconds that an answer is waited for before the loop turns again."""

SHOW_EVERY = 1.0
"""Seconds between two updates of the lane's gauges and of the group's display offset."""

RESULTS_ENOUGH = 10_000
"""Results in a transaction, at which no further answer is taken in before it; fewer while Kafka is
slow (`TransactionSize`)."""

RESULT_BYTES = 600

SAME_SILENCE = 5.0
"""Seconds by which the end of a silence may differ from the one that an operator saw: a former
owner's times are moved into those of this one's clock."""

NAMED = 20
"""Campaigns that one line of the log names."""

TRIM_EVERY = 600.0
WAIT_FOR_OFFSETS = 5.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneOwnership:
    """The machine, its producer and its calls. `limits`: names of the lane's limits (`20/5s`)."""

    lane: Lane
    services: StageServices
    producer: Producer
    consumer: Consumer
    calls: Calls
    limits: tuple[str, ...]
    events: Inbox
    rivals: ConfigRivals
    report: LaneReport = field(init=False)
    forecast: Forecast = field(init=False)
    _show_at: float = 0.0
    _trim_at: float = math.inf
    _base: int = 0
    _delivered_at: float = 0.0  # when Kafka had all records of the last commit, which came then
    _obeyed: ObeyedCommands = field(default_factory=ObeyedCommands)

    def __post_init__(self) -> None:
        self._obeyed.since = self.services.clock.now()
        self.report = LaneReport(self.lane, self.services.metrics)
        self.forecast = Forecast.under(self.lane.settings.limits)

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    @property
    def partition(self) -> TopicPartition:
        """The lane's one partition."""
        return TopicPartition(self.services.topics.invitations(self.name), 0)

    def read(self, messages: list[Message]) -> None:
        """Feed records of the lane's topic, which are in order."""
        now = self.services.clock.now()
        for message in messages:
            offset = transactions.position_of(message)[2]
            if self.lane.accepts(offset):
                self._arrived(message, offset, now)
        with suppress(Exception):  # what is only looked at must not end a session
            self.rivals.read(messages, now)

    def _arrived(self, message: Message, offset: int, now: float) -> None:
        """One record's fate, whatever it raises: it waits, it is put off, or a dead letter."""
        held: PendingInvitation | None = None
        try:
            value, arrived = value_of(message) or b"", _arrival(message, now)
            held = self._held(message, offset, value, arrived, now)
            if held is not None:
                self.lane.arrived(held, now)
        except Exception as error:
            if not transactions.records_fault(error):
                raise
            tell(self.name, message, error)
            letter = dead_letter_of(message, DeadLetterReason.INTERNAL, defect(error))
            self.lane.abandon(letter, held.campaign if held else None)

    def _held(
        self, message: Message, offset: int, value: bytes, arrived: float, now: float
    ) -> PendingInvitation | None:
        """The invitation; None for a record that is none of this version."""
        try:
            return PendingInvitation.read(offset, value, arrived)
        except UnreadableRecord as error:
            later = PendingInvitation.from_later_version(offset, value, arrived)
            if later is None:
                why = f"not an invitation of this version: {error}"
                self.lane.unreadable(bad_invitation(message, why))
                return None
        log.warning("invitation_of_later_version", lane=self.name, offset=offset)
        self.lane.postponed(later, now)
        return None

    def reconfigure(self, rules: LaneConfig) -> None:
        """Another config from now on, between two turns: all that is sealed has left by then."""
        self.calls, self.limits = rules.calls, rules.limits
        now = self.services.clock.now()
        parked, stopped = self.lane.parked_campaigns(now), self.lane.stopped_campaigns(now)
        self.lane.reconfigure(rules.settings, now, relogin=rules.relogin)
        self.services.return_delayed(parked)
        if stopped:
            log.info(
                "campaigns_retried",
                lane=self.name,
                campaigns=[each for each in stopped if each in rules.settings.campaigns][:NAMED],
                number=len(stopped),
            )

    def _obey(self) -> None:
        """What operators ask of this lane, each command once."""
        now = self.services.clock.now()
        for command in self._obeyed.new(self.services.commands, now):
            match command:
                case ReopenLane(lane=lane) if lane == self.name:
                    self._reopen(command, now)
                case RetryCampaign(campaign=campaign, delayed_only=False) if (
                    campaign in self.lane.settings.campaigns
                ):  # what is on the delay topics comes back by the stage that reads them
                    log.info("campaign_retried", lane=self.name, campaign=campaign, id=command.id)
                    self.lane.retry_campaign(campaign, now)

    def _reopen(self, command: ReopenLane, now: float) -> None:
        """End the silence that the operator saw: another one may have begun since."""
        closed_until = self.lane.limiter.closed_until
        seen = abs(closed_until - command.closed_until) <= SAME_SILENCE
        reopened = seen and self.lane.reopen(now)
        log.info("lane_reopened", lane=self.name, id=command.id, done=reopened)

    def step(self) -> None:
        """Take in what was answered, decide, and carry the commands out."""
        self.lane.commit_size = self.services.transactions.size(self.name).records
        self._take_answers()
        self._obey()
        for command in self.lane.tick(self.services.clock.now()):
            self._carry_out(command)
        if self.services.clock.now() >= self._show_at:
            self._update_metrics()

    def drain(self, deadline: float) -> bool:
        """Seal nothing new, wait for calls in flight, commit. True if nothing is left."""
        self.lane.stop_sealing()
        while not self.lane.idle and self.services.clock.now() < deadline:
            self.step()
            self.services.health.beat(self.name)
            if not self.lane.idle:
                self.wait_for_answer()
        self._display()
        return self.lane.idle

    def close(self) -> None:
        """This process owns the lane no more."""
        self.services.metrics.clear_lane(self.name)
        self.services.board.clear_lane(self.name)

    # -- answers ------------------------------------------------------------------------------

    def wait_for_answer(self) -> None:
        """Until one came, for a moment at most."""
        try:
            self._take_in(self.events.get(timeout=WAIT))
        except Empty:
            return

    def _take_answers(self) -> None:
        """As many as one transaction should carry: all at once, 16 full batches took 300 MB."""
        while self.lane.unpublished_results < self.lane.commit_size:
            try:
                event = self.events.get(block=False)
            except Empty:
                return
            self._take_in(event)

    def _take_in(self, event: Answered | LoginEnded) -> None:
        if isinstance(event, Answered):
            self._answered(event)
            return
        if event.expires_at is not None:
            # The account may be another one by now: then there is a permit spent and no session.
            expires = event.expires_at if self.calls.has_session(event.vendor) else event.at
            self.lane.logged_in(event.vendor, expires, event.at)
        else:
            self.lane.login_failed(event.vendor, event.outcome, event.at)
        self.report.login(event)

    def _answered(self, event: Answered) -> None:
        batch = event.batch
        self.lane.answered(batch.id, event.outcome, sent_at=event.sent_at, at=event.at)
        seconds = event.at - (batch.sealed_at if event.sent_at is None else event.sent_at)
        self.report.answered(event, seconds)
        self.services.board.called(call_status(self.name, event, seconds))

    # -- commands -----------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        match command:
            case Commit():
                allowed = self.lane.commit_seconds
                self._commit(command)
                for leaving in self.lane.committed():
                    self._leave(leaving, allowed)
            case Pause():
                log.info("lane_full", lane=self.name, held=self.lane.buffer.buffered)
                with transactions.translate_errors("pause"):
                    self.consumer.pause([self.partition])
            case Resume():
                with transactions.translate_errors("resume"):
                    self.consumer.resume([self.partition])
            case Seek(offset):
                place = self.partition
                place.offset = offset
                with transactions.translate_errors("seek"):
                    self.consumer.seek(place)

    def _leave(self, leaving: Command, allowed: float) -> None:
        """What the commit has recorded may leave, while it is fresh: that counts from before the
        commit was asked for, when all its records were with Kafka, however long those took.

        The checkpoint knows a login by its latest time, `allowed` seconds for the commit included.
        """
        match leaving:
            case Send(batch):
                self.report.sealed(batch)
                self.calls.send(batch, self.events, self._delivered_at)
            case Login(decided_at=decided_at):
                fresh_from = min(self._delivered_at, decided_at + allowed)
                self.calls.login(leaving, self.events, fresh_from)

    def _commit(self, commit: Commit) -> None:
        topics, now = self.services.topics, rfc3339(self.services.clock.now())
        publisher = self.services.publisher(self.producer, f"lane/{self.name}")
        checkpoint = commit.checkpoint.model_dump_json().encode()
        gone = len(commit.results) + len(commit.dead_letters) + len(commit.put_off)
        carried = gone if _bytes_beside(commit) > len(checkpoint) else 0
        started = self.services.clock.now()
        with self.services.transaction(self.name, self.producer, carried, STOP_GRACE):
            transactions.produce(
                self.producer,
                topics.checkpoints(self.name),
                checkpoint,
                key=self.name,
                partition=0,
            )
            publisher.results(commit.results, now)
            publisher.dead_letters(commit.dead_letters, now)
            publisher.put_off(commit.put_off, self.name, topics, self.services.clock.now())
            timeout = self.services.transactions.timeout(self.name)
            transactions.deliver(
                self.producer, timeout, self.services.waiting(self.name, STOP_GRACE)
            )
            self._delivered_at = self.services.clock.now()
        self.lane.commit_took(self._delivered_at - started)
        self._base = commit.checkpoint.base
        self.services.metrics.settled(self.name, gone)
        self.services.metrics.delayed(self.name, (each.step for each in commit.put_off))
        reasons = Counter(result["reason"] for result in commit.results)
        for reason, number in reasons.items():
            self.services.metrics.results(self.name, reason, number)
        letters = Counter(letter.reason for letter in commit.dead_letters)
        self.services.metrics.dead_letters(self.name, letters)

    # -- display ------------------------------------------------------------------------------

    def _update_metrics(self) -> None:
        now = self.services.clock.now()
        self._show_at = now + SHOW_EVERY
        lane = self.lane
        high = lane.settled.base
        with suppress(KafkaException):  # not known yet
            _, high = self.consumer.get_watermark_offsets(self.partition, cached=True)
        shown = LaneSnapshot(
            campaigns=_campaigns(lane, self.report.held_back(now), now),
            permits_left=_permits(lane, self.limits, now),
            next_permit=max(0.0, lane.limiter.next_at(now) - now),
            buffered=lane.buffer.buffered,
            buffered_bytes=lane.buffer.buffered_bytes,
            spilled=lane.buffer.read_plan.spilled,
            span=lane.settled.span,
            lag=max(0, high - lane.settled.base),
            in_flight=len(lane.in_flight),
            paused=lane.paused,
            accounts=self.report.accounts(),
            limits_in_use=lane.quota_backoff.quota_fraction,
            drain=self._drain_seconds(high, now),
        )
        self.services.metrics.snapshot(self.name, shown)
        self.services.board.lane(lane_status(lane, self.limits, shown, now))
        self._display()
        self._delete_settled_records(now)

    def _drain_seconds(self, high: int, now: float) -> float:
        """In offsets, which are known before their records are read."""
        settled = self.lane.settled.settled_in_all
        arrived = max(high, settled)
        self.forecast.observe(now, settled, arrived, arrived - settled)
        return self.forecast.drain_seconds

    def _delete_settled_records(self, now: float) -> None:
        """Let Kafka delete what is settled for so long that nobody sends it again."""
        if self._trim_at is math.inf:
            self._trim_at = now + TRIM_EVERY
        if now < self._trim_at:
            return
        self._trim_at = now + TRIM_EVERY
        since = self.partition
        since.offset = int((now - self.lane.settings.keep) * 1000)
        with suppress(KafkaException):
            (found,) = self.consumer.offsets_for_times([since], timeout=WAIT_FOR_OFFSETS)
            # Not the lane's own base: a successor begins at the one that is recorded.
            before = min(self._base, found.offset if found.offset >= 0 else math.inf)
            self.services.trim(found.topic, int(before))

    def _display(self) -> None:
        """The group's offset is for everybody's tools; the checkpoint is the authority."""
        shown = self.partition
        shown.offset = self.lane.settled.base
        with suppress(KafkaException):  # what is only shown must not end a session
            self.consumer.commit(offsets=[shown], asynchronous=True)


def _campaigns(
    lane: Lane, held_back: Collection[str], now: float
) -> Mapping[str, CampaignSnapshot]:
    return {
        name: CampaignSnapshot(
            window.count + lane.buffer.read_plan.counts[name],
            now - window.oldest if window.count else 0.0,
            parked=window.parked_until > now,
            circuit_open=name in held_back,
        )
        for name, window in lane.windows.items()
    }


def _bytes_beside(commit: Commit) -> int:
    """About how much a commit carries beside its checkpoint: only that can be made less."""
    return (
        RESULT_BYTES * len(commit.results)
        + sum(len(letter.value or b"") for letter in commit.dead_letters)
        + sum(len(each.invitation.value) for each in commit.put_off)
    )


def _permits(lane: Lane, limits: tuple[str, ...], now: float) -> Mapping[str, int]:
    return dict(zip(limits, map(int, lane.limiter.permits(now)), strict=True))


def _arrival(message: Message, now: float) -> float:
    """Since when the record waits. A time that it cannot have counts as now: a wait that begins in
    the future has no end, and given back with it Kafka would refuse the record for ever."""
    when = timestamp_of(message) / 1000
    return min(when, now) if when >= 0 else now
