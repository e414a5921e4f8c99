"""One ownership of a lane: from takeover to loss. Only the lane's thread touches it.

It feeds the pure machine (records, answers, time), carries its commands out, and shows its state
to the metrics. When Kafka says no, KafkaTrouble passes through: the owner is dropped with all
its state, and its successor starts from the checkpoint.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty

import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from pydantic import ValidationError

from consumer.adapters import kafka
from consumer.adapters.metrics import CampaignSnapshot, LaneSnapshot
from consumer.lane.commands import Batch, Command, Commit, Login, Pause, Resume, Send
from consumer.lane.lane import Lane
from consumer.lane.window import Held
from consumer.model import (
    DeadLetter,
    DeadLetterReason,
    InvitationReader,
    Verdict,
    rfc3339,
)
from consumer.runtime.calls import Answered, Calls, Inbox, LoginEnded
from consumer.runtime.stage import STOP_GRACE, Stage

WAIT = 0.05
"""Seconds that an answer is waited for before the loop turns again."""

SHOW_EVERY = 1.0
"""Seconds between two updates of the lane's gauges and of the group's display offset."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneOwner:
    """The machine, its producer and its calls. `limits`: names of the lane's limits (`20/5s`)."""

    lane: Lane
    stage: Stage
    producer: Producer
    consumer: Consumer
    calls: Calls
    limits: tuple[str, ...]
    events: Inbox
    _show_at: float = 0.0

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    @property
    def partition(self) -> TopicPartition:
        """The lane's one partition."""
        return TopicPartition(self.stage.topics.invitations(self.name), 0)

    def read(self, messages: list[Message]) -> None:
        """Feed records of the lane's topic, which are in order."""
        now = self.stage.clock.now()
        for message in messages:
            value, offset = message.value() or b"", kafka.place_of(message)[2]
            try:
                invitation = InvitationReader.validate_json(value)
            except ValidationError as error:
                self.lane.unreadable(_dead_letter(message, error))
                continue
            arrived = message.timestamp()[1] / 1000
            self.lane.arrived(Held(offset, invitation, arrived, len(value)), now)

    def step(self) -> None:
        """Take in what was answered, decide, and carry the commands out."""
        self._take_answers()
        for command in self.lane.tick(self.stage.clock.now()):
            self._carry_out(command)
        if self.stage.clock.now() >= self._show_at:
            self._show()

    def drain(self, deadline: float) -> bool:
        """Seal nothing new, wait for calls in flight, commit. True if nothing is left."""
        self.lane.stop()
        while not self.lane.idle and self.stage.clock.now() < deadline:
            self.step()
            self.stage.health.beat(self.name)
            if not self.lane.idle:
                self.wait_for_answer()
        self._display()
        return self.lane.idle

    def close(self) -> None:
        """This process owns the lane no more."""
        self.stage.metrics.clear_lane(self.name)

    # -- answers ------------------------------------------------------------------------------

    def wait_for_answer(self) -> None:
        """Until one came, for a moment at most."""
        try:
            self._take_in(self.events.get(timeout=WAIT))
        except Empty:
            return

    def _take_answers(self) -> None:
        while True:
            try:
                event = self.events.get(block=False)
            except Empty:
                return
            self._take_in(event)

    def _take_in(self, event: Answered | LoginEnded) -> None:
        if isinstance(event, Answered):
            self._answered(event)
        elif event.expires_at is not None:
            self.lane.logged_in(event.vendor, event.expires_at, event.at)
            self.stage.metrics.login(event.vendor, event.outcome.verdict)
        else:
            log.warning("login_failed", vendor=event.vendor, status=event.outcome.http_status)
            self.lane.login_failed(event.vendor, event.outcome, event.at)
            self.stage.metrics.login(event.vendor, event.outcome.verdict)

    def _answered(self, event: Answered) -> None:
        batch, outcome = event.batch, event.outcome
        self.lane.answered(batch.id, outcome, sent_at=event.sent_at, at=event.at)
        vendor = self.lane.settings.campaigns[batch.campaign].vendor
        began = batch.sealed_at if event.sent_at is None else event.sent_at
        metrics = self.stage.metrics
        metrics.call(self.name, vendor, event.label, event.at - began)
        if outcome.throttled:
            metrics.throttled(self.name)
        if outcome.verdict is Verdict.IN_DOUBT:
            metrics.in_doubt(self.name)
        if outcome.verdict is Verdict.ACCEPTED:
            metrics.answered(self.name, _ages(batch, event.at))
        say = log.info if outcome.verdict is Verdict.ACCEPTED else log.warning
        say(
            "call",
            lane=self.name,
            batch=batch.id,
            campaign=batch.campaign,
            customers=len(batch.held),
            verdict=outcome.verdict.value,
            answer=event.label,
            code=outcome.code,
            seconds=round(event.at - began, 3),
        )

    # -- commands -----------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        match command:
            case Commit():
                self._commit(command)
                for leaving in self.lane.committed():
                    self._carry_out(leaving)
            case Send(batch):
                size = len(batch.held)
                self.stage.metrics.sealed(self.name, batch.campaign, batch.why, size)
                self.calls.send(batch, self.events)
            case Login(vendor):
                self.calls.login(vendor, self.events)
            case Pause():
                log.info("lane_full", lane=self.name, held=self.lane.held)
                with kafka.trouble("pause"):
                    self.consumer.pause([self.partition])
            case Resume():
                with kafka.trouble("resume"):
                    self.consumer.resume([self.partition])

    def _commit(self, commit: Commit) -> None:
        topics, now = self.stage.topics, rfc3339(self.stage.clock.now())
        publisher = self.stage.publisher(self.producer, f"lane/{self.name}")
        started = time.monotonic()
        with kafka.transaction(self.producer, self.stage.waiting(self.name, STOP_GRACE)):
            kafka.produce(
                self.producer,
                topics.checkpoints(self.name),
                commit.checkpoint.model_dump_json().encode(),
                key=self.name,
                partition=0,
            )
            publisher.results(commit.results, now)
            publisher.dead_letters(commit.dead_letters, now)
        self.stage.metrics.transaction(self.name, time.monotonic() - started)
        self.stage.metrics.settled(self.name, len(commit.results) + len(commit.dead_letters))
        reasons = Counter(result["reason"] for result in commit.results)
        for reason, number in reasons.items():
            self.stage.metrics.results(self.name, reason, number)

    # -- display ------------------------------------------------------------------------------

    def _show(self) -> None:
        now = self.stage.clock.now()
        self._show_at = now + SHOW_EVERY
        lane = self.lane
        high = lane.ledger.base
        with suppress(KafkaException):  # not known yet
            _, high = self.consumer.get_watermark_offsets(self.partition, cached=True)
        self.stage.metrics.snapshot(
            self.name,
            LaneSnapshot(
                campaigns=_campaigns(lane, now),
                permits_left=_permits(lane, self.limits, now),
                next_permit=max(0.0, lane.limiter.next_at(now) - now),
                held=lane.held,
                held_bytes=lane.held_bytes,
                span=lane.ledger.span,
                lag=max(0, high - lane.ledger.base),
                in_flight=len(lane.in_flight),
                paused=lane.paused,
            ),
        )
        self._display()

    def _display(self) -> None:
        """The group's offset is for everybody's tools; the checkpoint is the authority."""
        shown = self.partition
        shown.offset = self.lane.ledger.base
        with suppress(KafkaException):  # what is only shown must not end a session
            self.consumer.commit(offsets=[shown], asynchronous=True)


def _campaigns(lane: Lane, now: float) -> Mapping[str, CampaignSnapshot]:
    return {
        name: CampaignSnapshot(window.count, now - window.oldest if window.count else 0.0)
        for name, window in lane.windows.items()
    }


def _permits(lane: Lane, limits: tuple[str, ...], now: float) -> Mapping[str, int]:
    return dict(zip(limits, map(int, lane.limiter.permits(now)), strict=True))


def _ages(batch: Batch, now: float) -> Iterator[float]:
    """Seconds since each event happened; RFC 3339 allows `t` and `z`, the reader does not.

    A time that nobody can read is left out: it is a measurement, and the customers are asked.
    """
    for held in batch.held:
        with suppress(ValueError, OverflowError):
            yield now - datetime.fromisoformat(held.invitation["event_time"].upper()).timestamp()


def _dead_letter(message: Message, error: ValidationError) -> DeadLetter:
    """Names the places and kinds of what is wrong, never the values."""
    topic, partition, offset = kafka.place_of(message)
    wrong = {".".join(map(str, each["loc"])) or each["type"] for each in error.errors()}
    return DeadLetter(
        DeadLetterReason.BAD_INVITATION,
        f"not an invitation of this version: {', '.join(sorted(wrong))}"[:200],
        {"topic": topic, "partition": partition, "offset": offset},
        message.key(),
        message.value(),
        kafka.headers_of(message),
        message.timestamp()[1],
    )
