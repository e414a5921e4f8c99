"""Router stage: consume, route, produce, send offsets, commit, strictly in sequence.

Only the router's thread uses the consumer and the producer. After any Kafka error both are
discarded and the stage rejoins from the committed offsets, because continuing after an aborted
transaction would lose the records it had read. Everything read is committed between two polls, so
a rebalance leaves nothing to finish; records of partitions revoked during the poll are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from consumer.errors import KafkaSessionError, defect
from consumer.kafka import transactions
from consumer.kafka.errors import translate_errors
from consumer.kafka.queries import Partition
from consumer.kafka.records.messages import content_of, headers_of, position_of, value_of
from consumer.kafka.records.replayed import Original, original
from consumer.kafka.start_offsets import (
    StartFrom,
    assign_start_offsets,
    read_group_memory,
    router_reading,
)
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.router import OTHER_TOPIC, Routed, Router
from consumer.runtime.former_life import wait_for_former_life
from consumer.runtime.isolation import HINT, isolate, tell
from consumer.runtime.positions import ends, lag, membership, names, offsets
from consumer.runtime.router.input_stops import InputStops, decided
from consumer.runtime.stage import StageRun, StageServices
from consumer.wiring.build import RouterConfig

POLL_RECORDS = 5_000
POLL_SECONDS = 0.1
SHOW_EVERY = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RouterStage:
    """The router's sessions. `instance`: name of the replica, stable over its restarts."""

    router: Router
    inputs: Sequence[str]
    services: StageServices
    begin: StartFrom
    instance: str
    name: str = "router"
    _revoked_during_poll: set[Partition] = field(default_factory=set)
    _reached: dict[Partition, int] = field(default_factory=dict)
    _show_at: float = 0.0
    _marks: Mapping[str, str] = field(default_factory=dict)
    _began: bool = False
    _coming: RouterConfig | None = None
    _taken: RouterConfig | None = None
    _consumer: Consumer | None = None
    _stops: InputStops = field(init=False)
    run: StageRun = field(init=False)
    _own: bool = False  # whether this member has `<app>.replayed`

    def __post_init__(self) -> None:
        self.run = StageRun(self.services, self.name)
        self._stops = InputStops(self.run, f"{self.services.topics.application_id}.router")

    def reconfigure(self, rules: RouterConfig) -> None:
        """Route by another config from the next poll on. May be called from any thread."""
        self._coming = rules

    def follows(self, rules: RouterConfig) -> bool:
        """Return whether this config is in use, so that no record is routed by an earlier one."""
        return self._taken is rules

    def run_membership(self) -> None:
        """Run memberships in the group until the stage stops; other inputs start a new one.

        Raises KafkaSessionError, StartPositionError.
        """
        while not self.services.stop.is_set():
            self._take_rules()
            self._membership()

    def _take_rules(self) -> bool:
        """Apply a pending config. Return whether the topics to read changed."""
        rules, before = self._coming, set(self.inputs)
        if rules is None or rules is self._taken:
            return False
        self.router, self.inputs, self._taken = rules.router, rules.inputs, rules
        return set(self.inputs) != before

    def _membership(self) -> None:
        application = self.services.topics.application_id
        wait_for_former_life(self.run, f"{application}.router")
        producer = self.run.producer(f"{application}.router.{self.instance}")
        consumer = self._consumer = self.run.consumer(f"{application}.router")
        try:
            transactions.fence(producer, self.run.waiting())
            with translate_errors("subscribe"):
                consumer.subscribe(
                    [*self.inputs, self.services.topics.replayed],
                    on_assign=partial(self._on_assign, producer),
                    on_revoke=self._on_revoke,
                )
            while not (
                self.services.stop.is_set()
                or self._take_rules()
                or self._goes_on(consumer, producer)
            ):
                self.run.record_turn(consumer)
                self._revoked_during_poll.clear()  # it concerns the records of one poll
                with translate_errors("consume"):
                    messages = consumer.consume(self._poll_records(), POLL_SECONDS)
                if messages:
                    self._handle(consumer, producer, messages)
                self._reached.update(ends(messages))
                self._update_metrics(consumer)
        finally:
            self.run.end_membership()
            self.services.metrics.router.lag({})
            self._stops.clear()
            self._own = False
            self._consumer = None
            self.services.clients.close(consumer)

    def _poll_records(self) -> int:
        """Return the size of a poll, whose records go into one transaction."""
        return min(POLL_RECORDS, self.run.transactions.records)

    def _on_assign(
        self, producer: Producer, consumer: Consumer, partitions: list[TopicPartition]
    ) -> None:
        if consumer is not self._consumer:  # callback of an ended session
            return
        if self._revoked_during_poll.intersection(
            (each.topic, each.partition) for each in partitions
        ):
            raise KafkaSessionError("a partition went and came back while it was being read")
        member = membership(consumer)
        reading = router_reading(self.services.topics, self.inputs, self.services.clients)
        asker = self.run.consumer(reading.group)
        try:
            resolved = assign_start_offsets(
                consumer,
                asker,
                partitions,
                self.begin,
                first=not self._began,
                reading=reading,
                commit=lambda places: self._commit(producer, places, member),
            )
            self._stops.add(asker, resolved.stopped)
        finally:
            self.services.clients.close(asker)
        self.run.expect_topics(reading.ids)
        self._marks = resolved.marks
        self._own = self._own or any(each.topic == reading.own for each in partitions)
        self._began = self._began or bool(partitions)
        still = {each.place for each in resolved.stopped}
        partitions = [each for each in partitions if (each.topic, each.partition) not in still]
        self._reached.update({(each.topic, each.partition): each.offset for each in partitions})
        with translate_errors("assign"):
            consumer.incremental_assign(partitions)
        log.info("router_assigned", partitions=names(partitions))

    def _commit(self, producer: Producer, places: Sequence[TopicPartition], member: object) -> None:
        """Commit start offsets in a transaction.

        A plain commit would carry no member id once the client knows that the group dropped it, and
        Kafka accepts such a commit while the group is empty.
        """
        with self.run.transaction(producer):
            self.run.send_offsets(producer, places, member)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Unassign the partitions. Everything read was committed between two polls."""
        if consumer is not self._consumer:  # callback of an ended session
            return
        places = {(each.topic, each.partition) for each in partitions}
        self._own = self._own and (self.services.topics.replayed, 0) not in places
        self._revoked_during_poll.update(places)
        read = [each for each in partitions if (each.topic, each.partition) not in self._stops]
        self._stops.discard(places)
        with translate_errors("unassign"):
            consumer.incremental_unassign(read)
        log.info("router_revoked", partitions=names(partitions))

    # -- stopped partitions -------------------------------------------------------------------

    def _usable(self, consumer: Consumer, message: Message) -> bool:
        """Return `StageRun.usable`; a partition whose offset is out of range stands still.

        Raises KafkaSessionError if the group's offset is readable: the member rejoins.
        """
        error = message.error()
        if error is None or error.code() != KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - public by use
            return self.run.usable(message)
        place = TopicPartition(str(message.topic()), int(message.partition() or 0))
        self._stops.stop_reading(consumer, place)
        return False

    def _goes_on(self, consumer: Consumer, producer: Producer) -> bool:
        """Commit offsets that operators decided. Return whether to rejoin for a stopped one."""
        now = self.services.clock.now()
        commands = self.services.commands.current(now)
        if not (self._stops.stopped or (commands and self._own)) or not self._stops.due(now):
            return False
        reading = router_reading(self.services.topics, self.inputs, self.services.clients)
        memory = read_group_memory(consumer, reading)
        places = decided(commands, consumer, memory, reading) if self._own else []
        if places:
            self._commit(producer, places, membership(consumer))
            log.info("inputs_resumed", partitions=names(places))
            memory = read_group_memory(consumer, reading)
        return self._stops.any_mended(consumer, memory)

    def _handle(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        usable = [each for each in messages if each.error() is None or self._usable(consumer, each)]
        if self._revoked_during_poll:  # other members own these partitions by now
            usable = [
                each
                for each in usable
                if (each.topic(), each.partition()) not in self._revoked_during_poll
            ]
        if not usable:
            return
        done: list[Routed] = []
        try:
            isolate(
                usable,
                lambda some: done.append(self._route(consumer, producer, some)),
                lambda one, error: done.append(self._set_aside(consumer, producer, one, error)),
            )
        finally:
            for routed in done:
                self._count(routed)

    def _route(self, consumer: Consumer, producer: Producer, messages: Sequence[Message]) -> Routed:
        """Route records and commit the outcome. Return it."""
        records = [self._record(message) for message in messages]
        now = self.services.clock.now()
        routed = self.router.route(records, now, self.run.beat)
        self._commit_routed(consumer, producer, messages, routed, now)
        self._say_defects(routed.dead_letters)
        return routed

    def _set_aside(
        self, consumer: Consumer, producer: Producer, message: Message, error: Exception
    ) -> Routed:
        """Turn a poison record into a dead letter, without routing it."""
        tell(self.name, message, error)
        record = _input_record(message, self.services.topics.replayed)
        letter = record.dead_letter(DeadLetterReason.INTERNAL, defect(error))
        topic = message.topic() if message.topic() in self.inputs else OTHER_TOPIC
        routed = Routed(dead_letters=[letter])
        routed.counts[str(topic), "dead_letter", DeadLetterReason.INTERNAL] += 1
        self._commit_routed(consumer, producer, [message], routed, self.services.clock.now())
        return routed

    def _commit_routed(
        self,
        consumer: Consumer,
        producer: Producer,
        messages: Sequence[Message],
        routed: Routed,
        now: float,
    ) -> None:
        member = membership(consumer)
        with self.run.transaction(producer, len(messages)):
            self._publish(producer, routed, rfc3339(now))
            places = offsets(messages, self._marks)
            self.run.send_offsets(producer, places, member)

    def _say_defects(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            if letter.reason is DeadLetterReason.INTERNAL:
                source = letter.source
                log.error(
                    "record_raised",
                    stage=self.name,
                    topic=source["topic"] if source["topic"] in self.inputs else OTHER_TOPIC,
                    partition=source["partition"],
                    offset=source["offset"],
                    error=letter.message,
                    hint=HINT,
                )

    def _record(self, message: Message) -> InputRecord:
        return _input_record(message, self.services.topics.replayed)

    def _publish(self, producer: Producer, routed: Routed, now: str) -> None:
        lanes = {each.lane for each in routed.invitations}
        topics = {lane: self.services.topics.invitations(lane) for lane in lanes}
        for each in routed.invitations:
            transactions.produce(producer, topics[each.lane], each.value, key=each.key, partition=0)
        publisher = self.services.publisher(producer, "router")
        publisher.results(routed.results, now)
        publisher.dead_letters(routed.dead_letters, now)

    def _count(self, routed: Routed) -> None:
        for (topic, disposition, reason), number in routed.counts.items():
            self.services.metrics.router.events(topic, disposition, reason, number)
        for (lane, campaign), number in Counter(
            (each.lane, each.campaign) for each in routed.invitations
        ).items():
            self.services.metrics.router.routed(lane, campaign, number)
        for reason, number in Counter(each["reason"] for each in routed.results).items():
            self.services.metrics.router.results(reason, number)
        letters = Counter(each.reason for each in routed.dead_letters)
        self.services.metrics.router.dead_letters(letters)

    def _update_metrics(self, consumer: Consumer) -> None:
        """Update the lag, also without records: an open transaction hides the records after it."""
        now = self.services.clock.now()
        if now < self._show_at:
            return
        self._show_at = now + SHOW_EVERY
        with suppress(KafkaException):  # a display must not end the session
            self.services.metrics.router.lag(lag(consumer, self._reached))


def _input_record(message: Message, replayed: str) -> InputRecord:
    """Return a message as routing reads it: one of the topic `replayed` has its original place."""
    place, was = position_of(message), None
    if place[0] == replayed:
        headers, lost = headers_of(message)
        was = None if lost else original(headers)
        place = was[:3] if was else place  # else its topic is no input's: a dead letter
    return InputRecord(*place, value_of(message), lambda: _envelope(message, was))


def _envelope(message: Message, was: Original | None) -> RecordEnvelope:
    content = content_of(message)
    origin = was or content
    return RecordEnvelope(content.key, origin.headers, origin.timestamp, content.unreadable)
