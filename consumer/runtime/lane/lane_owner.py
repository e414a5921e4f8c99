"""Lane ownership: one owner's time with a lane, from takeover to loss. Only its thread uses it.

It feeds records, answers and time to the lane's state machine, executes the machine's commands and
updates the metrics. A KafkaSessionError passes through: the ownership is dropped with its whole
state, and the next owner starts from the checkpoint.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty

import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from consumer.errors import UnreadableRecord, defect
from consumer.http.calls import Answered, Calls, Inbox, LoginEnded
from consumer.kafka import transactions
from consumer.kafka.errors import records_fault, translate_errors
from consumer.kafka.records.messages import position_of, timestamp_of, value_of
from consumer.kafka.records.operator_commands import ReopenLane, RetryCampaign
from consumer.kafka.records.publisher import bad_invitation, dead_letter_of
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Command, Commit, Login, Pause, Resume, Seek, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.runtime.isolation import tell
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_status import call_status, lane_status
from consumer.runtime.stage import STOP_GRACE, StageRun, StageServices
from consumer.runtime.watchers.command_watch import ObeyedCommands
from consumer.wiring.build import LaneConfig

WAIT = 0.05
"""Seconds to wait for an answer before the next turn of the loop."""

SHOW_EVERY = 1.0
"""Seconds between two updates of the lane's gauges and of the group's display offset."""

RESULTS_ENOUGH = 10_000
"""Unpublished results at which answers wait for the next commit; fewer while Kafka is slow
(`TransactionSize`)."""

RESULT_BYTES = 600

SAME_SILENCE = 5.0
"""Seconds by which the end of a silence may differ from the end that the operator's command names:
a takeover shifts the previous owner's times to the clock of the new one."""

NAMED = 20
"""How many campaigns one log line names."""

TRIM_EVERY = 600.0
WAIT_FOR_OFFSETS = 5.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneOwnership:
    """A lane's state machine with its clients and calls. `events`: inbox of answers and logins."""

    lane: Lane
    run: StageRun
    producer: Producer
    consumer: Consumer
    calls: Calls
    events: Inbox
    rivals: ConfigRivals
    services: StageServices = field(init=False)
    report: LaneReport = field(init=False)
    _show_at: float = 0.0
    _trim_at: float = math.inf
    _base: int = 0
    _delivered_at: float = 0.0  # when Kafka had acknowledged all records of the last commit
    _obeyed: ObeyedCommands = field(default_factory=ObeyedCommands)

    def __post_init__(self) -> None:
        self.services = self.run.services
        self._obeyed.since = self.services.clock.now()
        self.report = LaneReport(self.lane, self.services.metrics)

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    @property
    def partition(self) -> TopicPartition:
        """The lane's one partition."""
        return TopicPartition(self.services.topics.invitations(self.name), 0)

    def read(self, messages: list[Message]) -> None:
        """Feed records of the lane's topic, in offset order."""
        now = self.services.clock.now()
        for message in messages:
            offset = position_of(message)[2]
            if self.lane.accepts(offset):
                self._arrived(message, offset, now)
        with suppress(Exception):  # a diagnosis must not end the session
            self.rivals.read(messages, now)

    def _arrived(self, message: Message, offset: int, now: float) -> None:
        """Process one record: its invitation waits or is delayed, or it becomes a dead letter.

        A record that raises becomes a dead letter too.
        """
        held: PendingInvitation | None = None
        try:
            value, arrived = value_of(message) or b"", _arrival(message, now)
            held = self._held(message, offset, value, arrived, now)
            if held is not None:
                self.lane.arrived(held, now)
        except Exception as error:
            if not records_fault(error):
                raise
            tell(self.name, message, error)
            letter = dead_letter_of(message, DeadLetterReason.INTERNAL, defect(error))
            self.lane.abandon(letter, held.campaign if held else None)

    def _held(
        self, message: Message, offset: int, value: bytes, arrived: float, now: float
    ) -> PendingInvitation | None:
        """Return the record's invitation.

        Return None after delaying an invitation of a later version, or dead-lettering an unreadable
        record.
        """
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
        """Switch to another config, between two turns: every sealed batch has been sent by then."""
        self.calls = rules.calls
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
        """Execute operators' commands to this lane, each once."""
        now = self.services.clock.now()
        for command in self._obeyed.new(self.services.commands, now):
            match command:
                case ReopenLane(lane=lane) if lane == self.name:
                    self._reopen(command, now)
                case RetryCampaign(campaign=campaign, delayed_only=False) if (
                    campaign in self.lane.settings.campaigns
                ):  # the delay stage returns the campaign's delayed invitations
                    log.info("campaign_retried", lane=self.name, campaign=campaign, id=command.id)
                    self.lane.retry_campaign(campaign, now)

    def _reopen(self, command: ReopenLane, now: float) -> None:
        """End the silence if it is the one the operator saw; another may have begun since."""
        closed_until = self.lane.limiter.closed_until
        seen = abs(closed_until - command.closed_until) <= SAME_SILENCE
        reopened = seen and self.lane.reopen(now)
        log.info("lane_reopened", lane=self.name, id=command.id, done=reopened)

    def step(self) -> None:
        """Process answers and operators' commands, then execute the commands of one tick."""
        self.lane.commit_size = self.run.transactions.records
        self._take_answers()
        self._obey()
        for command in self.lane.tick(self.services.clock.now()):
            self._carry_out(command)
        if self.services.clock.now() >= self._show_at:
            self._update_metrics()

    def drain(self, deadline: float) -> bool:
        """Seal nothing new, wait for calls in flight, commit. Return whether the lane is idle."""
        self.lane.stop_sealing()
        while not self.lane.idle and self.services.clock.now() < deadline:
            self.step()
            self.run.beat()
            if not self.lane.idle:
                self.wait_for_answer()
        self._display()
        return self.lane.idle

    def close(self) -> None:
        """Remove the lane's metrics and status: this process no longer owns it."""
        self.services.metrics.clear_lane(self.name)
        self.services.board.clear_lane(self.name)

    # -- answers ------------------------------------------------------------------------------

    def wait_for_answer(self) -> None:
        """Wait for one answer, `WAIT` seconds at most, and process it."""
        try:
            self._take_in(self.events.get(timeout=WAIT))
        except Empty:
            return

    def _take_answers(self) -> None:
        """Process as many answers as fit one transaction: 16 full batches at once took 300 MB."""
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
            # The account may have changed meanwhile: then a permit is spent without a session.
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
                with translate_errors("pause"):
                    self.consumer.pause([self.partition])
            case Resume():
                with translate_errors("resume"):
                    self.consumer.resume([self.partition])
            case Seek(offset):
                place = self.partition
                place.offset = offset
                with translate_errors("seek"):
                    self.consumer.seek(place)

    def _leave(self, leaving: Command, allowed: float) -> None:
        """Send a batch or login that the commit has recorded.

        Its freshness counts from the moment when Kafka had acknowledged all records of the
        transaction, just before the commit request. The checkpoint has the latest time of a login,
        which includes `allowed` seconds for the commit.
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
        with self.run.transaction(self.producer, carried, STOP_GRACE):
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
            give_up = self.run.waiting(STOP_GRACE)
            transactions.deliver(self.producer, self.run.transactions.timeout, give_up)
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
        log_end = 0
        with suppress(KafkaException):  # not known yet
            _, log_end = self.consumer.get_watermark_offsets(self.partition, cached=True)
        shown = self.lane.snapshot(now, log_end)
        self.services.metrics.snapshot(shown)
        self.services.board.lane(lane_status(shown))
        self.report.log_circuits(shown)
        self._display()
        self._delete_settled_records(now)

    def _delete_settled_records(self, now: float) -> None:
        """Delete records that are settled and older than `keep`, now and then."""
        if self._trim_at is math.inf:
            self._trim_at = now + TRIM_EVERY
        if now < self._trim_at:
            return
        self._trim_at = now + TRIM_EVERY
        since = self.partition
        since.offset = int((now - self.lane.settings.keep) * 1000)
        with suppress(KafkaException):
            (found,) = self.consumer.offsets_for_times([since], timeout=WAIT_FOR_OFFSETS)
            # Not the lane's current base: the next owner starts at the committed one.
            before = min(self._base, found.offset if found.offset >= 0 else math.inf)
            self.run.delete_records(found.topic, int(before))

    def _display(self) -> None:
        """Commit the group's offset for Kafka's tools; only the checkpoint is authoritative."""
        shown = self.partition
        shown.offset = self.lane.settled.base
        with suppress(KafkaException):  # a display must not end the session
            self.consumer.commit(offsets=[shown], asynchronous=True)


def _bytes_beside(commit: Commit) -> int:
    """Estimate a commit's bytes without its checkpoint: only these can be reduced."""
    return (
        RESULT_BYTES * len(commit.results)
        + sum(len(letter.value or b"") for letter in commit.dead_letters)
        + sum(len(each.invitation.value) for each in commit.put_off)
    )


def _arrival(message: Message, now: float) -> float:
    """Return the time since which the record waits; an impossible timestamp counts as now.

    A wait that starts in the future would not end, and Kafka would refuse the record forever when
    it is written again with such a timestamp.
    """
    when = timestamp_of(message) / 1000
    return min(when, now) if when >= 0 else now
