"""The router's thread: consume, route, produce, send offsets, commit, strictly in sequence.

One thread alone touches the consumer and the producer. After any trouble both are thrown away
and the loop rejoins from the committed offsets: carrying on after an aborted transaction loses
what had been read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog
from confluent_kafka import (
    Consumer,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from consumer.adapters import kafka
from consumer.adapters.beginnings import Beginning, resolve
from consumer.errors import KafkaTrouble
from consumer.model import DeadLetter, rfc3339
from consumer.routing.router import Record, Routed, Router
from consumer.runtime.stage import Stage

POLL_RECORDS = 5_000
POLL_SECONDS = 0.1

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RouterLoop:
    """Runs sessions until the stage stops. `instance` is stable over restarts of one replica."""

    router: Router
    inputs: Sequence[str]
    stage: Stage
    begin: Beginning
    instance: str
    name: str = "router"
    _gone: set[tuple[str, int]] = field(default_factory=set)
    _began: bool = False
    _consumer: Consumer | None = None

    def session(self) -> None:
        """One membership in the group. Raises KafkaTrouble, StartUnclear."""
        application = self.stage.topics.application_id
        producer = self.stage.producer(self.name, f"{application}.router.{self.instance}")
        consumer = self._consumer = self.stage.consumer(self.name, f"{application}.router")
        try:
            kafka.fence(producer, self.stage.waiting(self.name))
            with kafka.trouble("subscribe"):
                consumer.subscribe(
                    list(self.inputs), on_assign=self._assigned, on_revoke=self._revoked
                )
            while not self.stage.stop.is_set():
                self.stage.joined(self.name, consumer)
                self._gone.clear()  # it is about the records of one poll, and of no other
                with kafka.trouble("consume"):
                    messages = consumer.consume(POLL_RECORDS, POLL_SECONDS)
                if messages:
                    self._handle(consumer, producer, messages)
        finally:
            self.stage.left(self.name)
            self.stage.metrics.router_lag({})
            self._consumer = None
            self.stage.clients.close(consumer)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._gone.intersection((each.topic, each.partition) for each in partitions):
            raise KafkaTrouble("a partition went and came back while it was being read")
        resolve(consumer, partitions, self.begin, first=not self._began)
        self._began = self._began or bool(partitions)
        with kafka.trouble("assign"):
            consumer.incremental_assign(partitions)
        log.info("router_assigned", partitions=_names(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """All that was read is committed between two polls: nothing to finish here."""
        if consumer is not self._consumer:  # of a session that is over
            return
        self._gone.update((each.topic, each.partition) for each in partitions)
        with kafka.trouble("unassign"):
            consumer.incremental_unassign(partitions)
        log.info("router_revoked", partitions=_names(partitions))

    def _handle(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        usable = [
            each for each in messages if each.error() is None or self.stage.usable(self.name, each)
        ]
        if self._gone:  # revoked while these were being read: they are somebody else's by now
            usable = [each for each in usable if (each.topic(), each.partition()) not in self._gone]
        records = [_record(message) for message in usable]
        if not records:
            return
        now = self.stage.clock.now()
        routed = self.router.route(records, now)
        member = _membership(consumer)
        started = time.monotonic()
        with kafka.transaction(producer, self.stage.waiting(self.name)):
            self._publish(producer, routed, _complete(routed.dead_letters, usable), rfc3339(now))
            producer.send_offsets_to_transaction(_offsets(records), member, kafka.COMMIT_WAIT)
        self.stage.metrics.transaction(self.name, time.monotonic() - started)
        self._count(consumer, routed)

    def _publish(
        self, producer: Producer, routed: Routed, letters: Sequence[DeadLetter], now: str
    ) -> None:
        topics = {lane: self.stage.topics.invitations(lane) for lane in self.stage.lanes}
        for each in routed.invitations:
            kafka.produce(producer, topics[each.lane], each.value, key=each.key, partition=0)
        publisher = self.stage.publisher(producer, "router")
        publisher.results(routed.results, now)
        publisher.dead_letters(letters, now)

    def _count(self, consumer: Consumer, routed: Routed) -> None:
        for (topic, disposition, reason), number in routed.counts.items():
            self.stage.metrics.events(topic, disposition, reason, number)
        for (lane, campaign), number in Counter(
            (each.lane, each.campaign) for each in routed.invitations
        ).items():
            self.stage.metrics.routed(lane, campaign, number)
        for reason, number in Counter(each["reason"] for each in routed.results).items():
            self.stage.metrics.results(self.name, reason, number)
        with suppress(KafkaException):  # what is only shown must not end a session
            self.stage.metrics.router_lag(_lag(consumer))


def _record(message: Message) -> Record:
    """What routing needs; the rest is asked for the few that become dead letters."""
    return Record(*kafka.place_of(message), message.value())


def _membership(consumer: Consumer) -> object:
    """For the transaction's offsets. Raises KafkaTrouble if the group has dropped this member.

    A process that was frozen for longer than its session has lost its partitions before it hears
    of it. Its client then has no member id, and Kafka takes offsets without one from anybody.
    """
    membership = consumer.consumer_group_metadata()  # first: what is lost later, Kafka refuses
    if not consumer.memberid():
        raise KafkaTrouble("the group dropped this member while it was routing")
    return membership


def _complete(letters: Sequence[DeadLetter], messages: Sequence[Message]) -> list[DeadLetter]:
    """Dead letters with the key, headers and timestamp of the records that they were."""
    if not letters:
        return []
    came = {(each.topic(), each.partition(), each.offset()): each for each in messages}
    complete = []
    for letter in letters:
        message = came[letter.source["topic"], letter.source["partition"], letter.source["offset"]]
        complete.append(
            replace(
                letter,
                key=message.key(),
                headers=kafka.headers_of(message),
                timestamp=message.timestamp()[1],
            )
        )
    return complete


def _lag(consumer: Consumer) -> dict[tuple[str, int], int]:
    lag = {}
    for partition in consumer.position(consumer.assignment()):
        _, high = consumer.get_watermark_offsets(partition, cached=True)
        if high >= 0 and partition.offset >= 0:
            lag[partition.topic, partition.partition] = high - partition.offset
    return lag


def _offsets(records: Sequence[Record]) -> list[TopicPartition]:
    """The batch's max + 1 per partition, never `position()`."""
    highest: dict[tuple[str, int], int] = {}
    for record in records:
        place = record.topic, record.partition
        highest[place] = max(record.offset, highest.get(place, 0))
    return [TopicPartition(topic, part, offset + 1) for (topic, part), offset in highest.items()]


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{each.topic}[{each.partition}]" for each in partitions]
