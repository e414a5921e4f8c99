"""Command executor: carries out the commands of a lane's state machine with Kafka and HTTP.

    Commit ─► one transaction: results, dead letters, delayed invitations, checkpoint
           └► then the calls (`Send`) and logins (`Login`) that this checkpoint records
    Pause, Resume, Seek ─► the lane's consumer

Nothing here decides. A KafkaSessionError passes through and ends the ownership.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, Producer, TopicPartition

from consumer.http.calls import Calls, Inbox
from consumer.kafka import transactions
from consumer.kafka.errors import translate_errors
from consumer.lane.dispatch.contact_seal import SEAL_LASTS
from consumer.lane.lane import Lane
from consumer.lane.state.commands import (
    Command,
    Commit,
    Login,
    Pause,
    ReserveContacts,
    Resume,
    SealContacts,
    Seek,
    Send,
)
from consumer.lane.state.results import EndedInvitation, encode_results
from consumer.records.fields import rfc3339
from consumer.records.result import Reason
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.stage import STOP_GRACE, StageRun

RESULT_BYTES = 600

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CommandExecutor:
    """Clients and calls of one ownership of a lane.

    `inbox` receives the answers and logins; `committed_base`: base of the last checkpoint that was
    committed.
    """

    lane: Lane
    run: StageRun
    producer: Producer
    consumer: Consumer
    calls: Calls
    inbox: Inbox
    report: LaneReport
    desk: ContactDesk | None = None
    committed_base: int = 0
    _delivered_at: float = 0.0  # when Kafka had acknowledged all records of the last commit

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    def partition(self, offset: int = OFFSET_INVALID) -> TopicPartition:
        """Return the lane's one partition, at an offset."""
        return TopicPartition(self.run.services.topics.invitations(self.name), 0, offset)

    def execute(self, command: Command) -> None:
        """Carry out one command of a tick."""
        match command:
            case Commit():
                allowed = self.lane.commit_seconds
                self._commit(command)
                for leaving in self.lane.committed():
                    self._leave(leaving, allowed)
            case ReserveContacts() | SealContacts():
                assert self.desk is not None, "settings.contacts is set with a store only"  # noqa: S101
                self.desk.ask(command)
            case Pause():
                log.info("lane_full", lane=self.name, buffered=self.lane.buffer.buffered)
                with translate_errors("pause"):
                    self.consumer.pause([self.partition()])
            case Resume():
                with translate_errors("resume"):
                    self.consumer.resume([self.partition()])
            case Seek(offset):
                with translate_errors("seek"):
                    self.consumer.seek(self.partition(offset))

    def _leave(self, leaving: Command, allowed: float) -> None:
        """Send a batch or login that the commit has recorded.

        Its freshness counts from the moment when Kafka had acknowledged all records of the
        transaction, just before the commit request. The checkpoint has the latest time of a login,
        which includes `allowed` seconds for the commit.
        """
        match leaving:
            case Send(batch):
                self.report.sealed(batch)
                # A store of another generation may grant the same persons 10 s after the seal.
                fresh_from = min(self._delivered_at, batch.asked_at + SEAL_LASTS)
                self.calls.send(batch, self.inbox, fresh_from)
            case Login(decided_at=decided_at):
                fresh_from = min(self._delivered_at, decided_at + allowed)
                self.calls.login(leaving, self.inbox, fresh_from)

    def _commit(self, commit: Commit) -> None:
        run, services, producer = self.run, self.run.services, self.producer
        publisher = services.publisher(producer, f"lane/{self.name}")
        checkpoint = commit.checkpoint.model_dump_json().encode()
        gone = len(commit.results) + len(commit.dead_letters) + len(commit.delayed)
        carried = gone if _bytes_beside(commit) > len(checkpoint) else 0
        started = services.clock.now()
        with run.transaction(producer, carried, STOP_GRACE):
            topic = services.topics.checkpoints(self.name)
            transactions.produce(producer, topic, checkpoint, key=self.name, partition=0)
            publisher.results(encode_results(commit.results), rfc3339(started))
            publisher.dead_letters(commit.dead_letters, rfc3339(started))
            publisher.put_off(commit.delayed, self.name, services.topics, services.clock.now())
            give_up = run.waiting(STOP_GRACE)
            transactions.deliver(producer, run.timeout, give_up)
            self._delivered_at = services.clock.now()
        self.lane.commit_took(self._delivered_at - started)
        self.committed_base = commit.checkpoint.base
        self._count(commit, gone)
        self.report.traces.committed(commit.results, services.clock.now())

    def _count(self, commit: Commit, gone: int) -> None:
        metrics = self.report.metrics
        metrics.settled(gone)
        metrics.delayed(delayed.step for delayed in commit.delayed)
        metrics.results(Counter(ended.reason for ended in commit.results))
        metrics.route_results(Counter(map(_route_of, commit.results)))
        held = [
            (one.details["rule"], one.reason) for one in commit.results if "rule" in one.details
        ]
        if held:
            self.run.services.metrics.contacts.held_back(self.name, Counter(held))
        metrics.dead_letters(Counter(letter.reason for letter in commit.dead_letters))


def _route_of(ended: EndedInvitation) -> tuple[str, str | None, Reason]:
    return ended.pending.route, ended.pending.campaign, ended.reason


def _bytes_beside(commit: Commit) -> int:
    """Estimate a commit's bytes without its checkpoint: only these can be reduced."""
    return (
        RESULT_BYTES * len(commit.results)
        + sum(len(letter.value or b"") for letter in commit.dead_letters)
        + sum(len(delayed.invitation.value) for delayed in commit.delayed)
    )
