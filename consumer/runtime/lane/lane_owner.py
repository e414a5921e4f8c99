"""Lane ownership: one owner's time with a lane, from takeover to loss. Only its thread uses it.

It feeds records, answers, operators' commands and time to the lane's state machine, hands the
machine's commands to the `CommandExecutor`, and shows the lane once a second. A KafkaSessionError
passes through: the ownership is dropped with its whole state, and the next owner starts from the
checkpoint.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import InitVar, dataclass, field
from queue import Empty

import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from consumer.errors import UnreadableRecord, defect
from consumer.http.calls import Answered, Calls, Event, Inbox
from consumer.kafka.errors import records_fault
from consumer.kafka.records.messages import offset_of, position_of, timestamp_of, value_of
from consumer.kafka.records.operator_commands import ReopenLane, RetryCampaign
from consumer.kafka.records.publisher import bad_invitation, dead_letter_of
from consumer.lane.lane import Lane
from consumer.lane.state.commands import ContactsAnswered
from consumer.lane.state.pending import PendingInvitation
from consumer.records.dead_letter import DeadLetterReason
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.isolation import log_defect
from consumer.runtime.lane.command_executor import CommandExecutor
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_status import call_status, lane_status
from consumer.runtime.lane.lane_traces import LaneTraces
from consumer.runtime.lane.retention import Retention
from consumer.runtime.stage import StageRun, StageServices
from consumer.runtime.watchers.command_watch import ObeyedCommands
from consumer.runtime.watchers.pause_watch import PausesNow
from consumer.wiring.build import LaneConfig

WAIT = 0.05
"""Seconds to wait for an answer before the next turn of the loop."""

SHOW_EVERY = 1.0
"""Seconds between two updates of the lane's gauges and of the group's display offset."""

RESULTS_ENOUGH = 10_000
"""Unpublished results at which answers wait for the next commit; fewer while Kafka is slow
(`TransactionSize`)."""

SAME_SILENCE = 5.0
"""Seconds by which the end of a silence may differ from the end that the operator's command names:
a takeover shifts the previous owner's times to the clock of the new one."""

NAMED = 20
"""How many campaigns one log line names."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneOwnership:
    """A lane's state machine with its clients and calls. `events`: inbox of answers and logins."""

    lane: Lane
    run: StageRun
    producer: InitVar[Producer]
    consumer: Consumer
    calls: InitVar[Calls]
    events: Inbox
    rivals: ConfigRivals
    desk: ContactDesk | None = None
    services: StageServices = field(init=False)
    report: LaneReport = field(init=False)
    executor: CommandExecutor = field(init=False)
    _retention: Retention = field(init=False)
    _show_at: float = 0.0
    _obeyed: ObeyedCommands = field(default_factory=ObeyedCommands)
    _pauses: PausesNow | None = None

    def __post_init__(self, producer: Producer, calls: Calls) -> None:
        self.services = self.run.services
        tracing = self.services.tracing
        self._obeyed.since = self.services.clock.now()
        self.report = LaneReport(
            self.lane,
            self.services.metrics.lane(self.name),
            LaneTraces(tracing.spans, self.name, carried=tracing.carried),
        )
        self.executor = CommandExecutor(
            self.lane, self.run, producer, self.consumer, calls, self.events, self.report, self.desk
        )
        self._retention = Retention(self.run, self.consumer, self.partition.topic)
        self.lane.pause(self.services.pauses.now.lately)
        self._follow_pauses()

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    @property
    def partition(self) -> TopicPartition:
        """The lane's one partition."""
        return self.executor.partition()

    def read(self, messages: list[Message]) -> None:
        """Feed records of the lane's topic, in offset order."""
        self._follow_pauses()
        now, accepts = self.services.clock.now(), self.lane.accepts
        for message in messages:
            offset = offset_of(message)
            if accepts(offset):
                self._arrived(message, offset, now)
        with suppress(Exception):  # a diagnosis must not end the session
            self.rivals.read(messages, now)

    def _arrived(self, message: Message, offset: int, now: float) -> None:
        """Process one record: its invitation waits or is delayed, or it becomes a dead letter.

        A record that raises becomes a dead letter too.
        """
        pending: PendingInvitation | None = None
        try:
            value, arrived = value_of(message) or b"", _arrival(message, now)
            try:
                pending = PendingInvitation.read(offset, value, arrived)
            except UnreadableRecord as unreadable:
                self._take_unreadable(message, offset, value, arrived, now, unreadable)
            else:
                self.lane.arrived(pending, now)
        except Exception as error:
            if not records_fault(error):
                raise
            log_defect(self.name, position_of(message), defect(error))
            letter = dead_letter_of(message, DeadLetterReason.INTERNAL, defect(error))
            self.lane.abandon(letter, pending.campaign if pending else None)

    def _take_unreadable(
        self,
        message: Message,
        offset: int,
        value: bytes,
        arrived: float,
        now: float,
        error: UnreadableRecord,
    ) -> None:
        """Delay an invitation of a later version; any other record becomes a dead letter."""
        later = PendingInvitation.from_later_version(offset, value, arrived)
        if later is None:
            why = f"not an invitation of this version: {error}"
            self.lane.unreadable(bad_invitation(message, why))
            return
        log.warning("invitation_of_later_version", lane=self.name, offset=offset)
        self.lane.postponed(later, now)

    def reconfigure(self, rules: LaneConfig) -> None:
        """Switch to another config, between two turns: every sealed batch has been sent by then."""
        self.executor.calls = rules.calls
        if self.executor.desk is not None and rules.contacts is not None:
            self.executor.desk.config = rules.contacts
        now = self.services.clock.now()
        parked, stopped = self.lane.parked_campaigns(), self.lane.stopped_campaigns()
        resumed = self.lane.reconfigure(rules.settings, now, relogin=rules.relogin)
        self.services.return_delayed(list(dict.fromkeys([*parked, *resumed])))
        if stopped:
            log.info(
                "campaigns_retried",
                lane=self.name,
                campaigns=[each for each in stopped if each in rules.settings.campaigns][:NAMED],
                number=len(stopped),
            )

    def _follow_pauses(self) -> None:
        """Pause and resume what commands say by now; what was resumed returns from the delay
        topics. Done between two turns, when all that was held back so far is committed there, and
        before anything can return, which the lane would delay again."""
        now = self.services.pauses.now
        if now is not self._pauses:
            self._pauses = now
            if resumed := self.lane.pause(now.pauses):
                self.services.return_delayed(resumed)

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
        self.lane.outbox.commit_size = self.run.size.records
        self._take_answers()
        self._obey()
        for command in self.lane.tick(self.services.clock.now()):
            self.executor.execute(command)
        if self.executor.desk is not None:
            self.executor.desk.report(self.lane)
        if self.services.clock.now() >= self._show_at:
            self._show()

    def drain(self, deadline: float) -> bool:
        """Seal nothing new, wait for calls in flight, commit. Return whether the lane is idle."""
        self.lane.stop_sealing()
        while not self.lane.idle and self.services.clock.now() < deadline:
            self.step()
            self.run.beat()
            if not self.lane.idle:
                self.wait_for_answer()
        self._commit_display_offset()
        return self.lane.idle

    def close(self) -> None:
        """Remove the lane's metrics and status: this process no longer owns it."""
        self.report.metrics.clear()
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
        while len(self.lane.outbox.results) < self.lane.outbox.commit_size:
            try:
                event = self.events.get(block=False)
            except Empty:
                return
            self._take_in(event)

    def _take_in(self, event: Event) -> None:
        if isinstance(event, ContactsAnswered):
            self.lane.contacts_answered(event, self.services.clock.now())
            return
        if isinstance(event, Answered):
            self._answered(event)
            return
        if event.expires_at is not None:
            # The account may have changed meanwhile: then a permit is spent without a session.
            expires = (
                event.expires_at if self.executor.calls.has_session(event.vendor) else event.at
            )
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

    # -- display ------------------------------------------------------------------------------

    def _show(self) -> None:
        """Render the lane's snapshot to metrics, status board and log."""
        now = self.services.clock.now()
        self._show_at = now + SHOW_EVERY
        log_end = 0
        with suppress(KafkaException):  # not known yet
            _, log_end = self.consumer.get_watermark_offsets(self.partition, cached=True)
        shown = self.lane.snapshot(now, log_end)
        self.report.metrics.snapshot(shown)
        self.services.board.lane(lane_status(shown, self.report.troubles, self.report.failed))
        self.report.log_circuits(shown)
        self._commit_display_offset()
        keep = self.lane.settings.keep
        self._retention.delete_settled(now, keep, self.executor.committed_base)

    def _commit_display_offset(self) -> None:
        """Commit the group's offset for Kafka's tools; only the checkpoint is authoritative."""
        shown = self.executor.partition(self.lane.settled.base)
        with suppress(KafkaException):  # a display must not end the session
            self.consumer.commit(offsets=[shown], asynchronous=True)


def _arrival(message: Message, now: float) -> float:
    """Return the time since which the record waits; an impossible timestamp counts as now.

    A wait that starts in the future would not end, and Kafka would refuse the record forever when
    it is written again with such a timestamp.
    """
    when = timestamp_of(message) / 1000
    return min(when, now) if when >= 0 else now
