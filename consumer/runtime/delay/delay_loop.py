"""Delay stage: returns due records of the delay topics to their lanes; the rest wait in the log.

Each delay topic (a *step*) holds all its records for the same time, so its head is due first. The
partition is paused until then. Like the router, the stage works strictly in sequence and exactly
once: one transaction writes a record to its lane, or next step, and commits its offset. Everything
read is committed between two polls, so a rebalance leaves nothing to finish.

Only Kafka's clock decides what is due: the broker timestamps the records of the steps, and each
session measures the broker's time when it starts. A local clock that is ahead would pass a record
on, or back to its step, as soon as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from consumer.errors import KafkaSessionError, StartPositionError, defect
from consumer.kafka import transactions
from consumer.kafka.errors import describe, translate_errors
from consumer.kafka.queries import Partition
from consumer.kafka.records.delayed import Delayed, first_offset
from consumer.kafka.records.messages import position_of, timestamp_of
from consumer.kafka.records.operator_commands import RetryCampaign
from consumer.kafka.records.publisher import bad_invitation, dead_letter_of
from consumer.kafka.stopped_partitions import StoppedPartition, StopReason
from consumer.kafka.transactions import measure_broker_clock
from consumer.lane.state.delay_steps import STEPS, step_for
from consumer.observability.metrics.labels import DELAY
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.runtime.delay.delay_stops import goes_on
from consumer.runtime.former_life import wait_for_former_life
from consumer.runtime.isolation import isolate, tell
from consumer.runtime.positions import ends, membership, offsets, positions
from consumer.runtime.router.input_stops import InputStops
from consumer.runtime.stage import StageRun, StageServices
from consumer.runtime.watchers.command_watch import ObeyedCommands

POLL_RECORDS = 5_000
POLL_SECONDS = 0.25
WAIT = 10.0
TRIM_EVERY = 60.0
PACE, PACE_FROM = 2_000.0, 500
"""Invitations a second that leave a step, and the size of a poll from which this pace applies. It
exceeds what the documented quotas can send (1,280), so that no permit is left unused."""

ORPHAN_WAIT = "1h"
"""Step for invitations of a lane whose topic is missing; an operator must recreate it."""

ORPHANS_AT_MOST = 1_000
"""Limit of the remembered lanes outside the config."""

log = structlog.get_logger(__name__)


class _Passed(NamedTuple):
    """Committed offsets and number of dead letters of one transaction."""

    offsets: list[TopicPartition]
    letters: Mapping[DeadLetterReason, int]


@dataclass(slots=True)
class DelayStage:
    """The delay stage's sessions, and the state of the current session's delay topics."""

    services: StageServices
    instance: str
    name: str = DELAY
    _steps: dict[str, str] = field(init=False)
    _due: dict[str, float] = field(default_factory=dict)  # paused topic → when it resumes
    _heads: dict[str, int] = field(default_factory=dict)  # topic → offset expected after a seek
    _paced: set[str] = field(default_factory=set)  # topics paused to limit the pace
    _revoked_during_poll: set[str] = field(default_factory=set)
    _behind: dict[str, int] = field(default_factory=dict)
    _trim_at: float = 0.0
    _begun: dict[str, int] = field(default_factory=dict)  # assigned topic → start offset
    _reached: dict[Partition, int] = field(default_factory=dict)  # ends reached since a seek
    _orphans: dict[str, bool] = field(default_factory=dict)  # lane → whether it has a topic
    _ahead: float = 0.0  # Kafka's time minus the clock's steady time
    _consumer: Consumer | None = None
    _obeyed: ObeyedCommands = field(default_factory=ObeyedCommands)
    _stops: InputStops = field(init=False)
    run: StageRun = field(init=False)

    def __post_init__(self) -> None:
        self._obeyed.since = self.services.clock.now()
        self._steps = {self.services.topics.delayed(step): step for step in STEPS}
        self.run = StageRun(self.services, self.name)
        self._stops = InputStops(self.run, self.services.topics.delay_group)

    def run_membership(self) -> None:
        """Run memberships in the group until the stage stops; rejoin when a stopped topic may be
        read again. Raises KafkaSessionError."""
        while not self.services.stop.is_set():
            self._membership()

    def _membership(self) -> None:
        group = self.services.topics.delay_group
        wait_for_former_life(self.run, group)
        producer = self.run.producer(f"{group}.{self.instance}")
        consumer = self._consumer = self.run.consumer(group)
        self._due.clear()
        self._paced.clear()
        self._heads.clear()
        self._begun.clear()
        self._reached.clear()
        self.services.step_counts.clear()
        self._orphans.clear()
        self.services.early.forget()
        try:
            transactions.fence(producer, self.run.waiting())
            self._ask_time(producer)
            with translate_errors("subscribe"):
                consumer.subscribe(
                    list(self._steps),
                    on_assign=partial(self._on_assign, producer),
                    on_revoke=self._on_revoke,
                )
            while not (self.services.stop.is_set() or goes_on(self._stops, consumer, producer)):
                self.run.record_turn(consumer)
                self._revoked_during_poll.clear()  # it concerns the records of one poll
                self._look_early(consumer)
                self._resume(consumer)
                most = min(POLL_RECORDS, self.run.transactions.records)
                with translate_errors("consume"):
                    messages = consumer.consume(most, POLL_SECONDS)
                self._reached.update(ends(messages))  # first: a seek below removes its topic's end
                self._handle(consumer, producer, messages)
                self._delete_passed_records()
                self._update_metrics(consumer)
        finally:
            self.run.metrics.delayed_invitations({})
            self._stops.clear()
            self.run.end_membership()
            self._consumer = None
            self.services.clients.close(consumer)

    def _ask_time(self, producer: Producer) -> None:
        clock, longest = (
            self.services.clock,
            list(STEPS)[-1],
        )  # the measurement's transaction is open only before records that are due last
        ahead = measure_broker_clock(producer, self.services.topics.delayed(longest), clock.steady)
        self._ahead = clock.now() - clock.steady() if ahead is None else ahead
        self.services.metrics.process.clock_ahead(clock.now() - self._now())

    def _now(self) -> float:
        """Return Kafka's time in epoch seconds; the broker's own may be slightly later."""
        return self.services.clock.steady() + self._ahead

    # -- rebalance ----------------------------------------------------------------------------

    def _on_assign(
        self, producer: Producer, consumer: Consumer, partitions: list[TopicPartition]
    ) -> None:
        if consumer is not self._consumer:  # callback of an ended session
            return
        if self._revoked_during_poll.intersection(each.topic for each in partitions):
            raise KafkaSessionError("a step went and came back while it was being read")
        member = membership(consumer)
        fresh = self._begin(consumer, partitions)
        partitions = [each for each in partitions if (each.topic, 0) not in self._stops]
        for partition in partitions:
            self._due.pop(partition.topic, None)
            self._paced.discard(partition.topic)
            self._heads.pop(partition.topic, None)
            self._reached.pop((partition.topic, partition.partition), None)
            self._begun[partition.topic] = partition.offset
        if fresh:  # else a group without offsets could be new, or have lost them
            with self.run.transaction(producer):
                self.run.send_offsets(producer, fresh, member)
        with translate_errors("assign"):
            consumer.incremental_assign(partitions)
            consumer.resume(partitions)  # a pause survives losing and regaining a partition

    def _begin(
        self, consumer: Consumer, partitions: Sequence[TopicPartition]
    ) -> list[TopicPartition]:
        """Set the partitions' start offsets; return the partitions that had none.

        A partition without a known start stands still, alone, until an operator decides.
        """
        asked = [TopicPartition(each.topic, each.partition) for each in partitions]
        with translate_errors("reading committed offsets"):
            committed = consumer.committed(asked, timeout=WAIT)
        fresh = []
        for partition, found in zip(partitions, committed, strict=True):
            if found.error is not None:
                raise KafkaSessionError(f"reading committed offsets: {describe(found.error)}")
            partition.offset = found.offset
            if found.offset < 0 and (first := self._first(partition.topic)) is not None:
                partition.offset = first
                fresh.append(partition)
        return fresh

    def _first(self, topic: str) -> int | None:
        """Return the start offset of a step without a committed one; None if it stands still.
        Raises KafkaSessionError."""
        if self.services.clients.topic_id(topic) is None:
            return 0  # the demo's broker keeps no offsets of transactions
        asker = self.run.consumer(self.services.topics.delay_group)
        try:
            return first_offset(
                asker,
                TopicPartition(topic, 0),
                STEPS[self._steps[topic]],
                self._now(),
                self.services.topics.invitations(""),
            )
        except StartPositionError as error:
            self._stops.add(
                asker, [StoppedPartition(topic, 0, -1, StopReason.FORGOTTEN)], str(error)
            )
            return None
        finally:
            self.services.clients.close(asker)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Unassign the partitions. Everything read was committed between two polls."""
        if consumer is not self._consumer:  # callback of an ended session
            return
        for each in partitions:
            self._revoked_during_poll.add(each.topic)
            self._begun.pop(each.topic, None)
        read = [each for each in partitions if (each.topic, 0) not in self._stops]
        self._stops.discard((each.topic, 0) for each in partitions)
        with translate_errors("unassign"):
            consumer.incremental_unassign(read)

    # -- stopped topics -----------------------------------------------------------------------

    def _usable(self, consumer: Consumer, message: Message) -> bool:
        """Return `StageRun.usable`; a topic whose offset is out of range stands still, alone.

        Raises KafkaSessionError if the group's offset is readable: the member rejoins.
        """
        error = message.error()
        if error is None or error.code() != KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - public by use
            return self.run.usable(message)
        place = TopicPartition(str(message.topic()), 0)
        for known in (self._begun, self._due, self._heads):
            known.pop(place.topic, None)
        self._paced.discard(place.topic)
        self._stops.stop_reading(consumer, place)
        return False

    # -- records ------------------------------------------------------------------------------

    def _handle(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        usable = [each for each in messages if each.error() is None or self._usable(consumer, each)]
        due = [each for each in usable if self._is_due(consumer, each)]
        if not due:
            return
        done: list[_Passed] = []
        try:
            isolate(
                due,
                lambda some: done.append(self._pass_on(consumer, producer, some)),
                lambda one, error: done.append(self._set_aside(consumer, producer, one, error)),
            )
        finally:
            for passed in done:
                self.run.metrics.dead_letters(passed.letters)
                self._behind.update({each.topic: each.offset for each in passed.offsets})
        self._pace(consumer, offsets(due, {}), len(due))

    def _pass_on(
        self, consumer: Consumer, producer: Producer, messages: Sequence[Message]
    ) -> _Passed:
        """Pass on these messages from their steps in one transaction."""
        self.run.beat()
        now = self._now()
        records = [(message, Delayed.from_message(message, now)) for message in messages]
        self._look_for_lanes(consumer, {self._home(found) for _, found in records if found})
        foreign = [
            bad_invitation(message, "not a record that a lane put off")
            for message, record in records
            if record is None
        ]
        with self._leaving(consumer, producer, messages) as passed:
            for _, record in records:
                if record is not None:
                    self._forward(producer, record, now)
            self.services.publisher(producer, self.name).dead_letters(foreign, rfc3339(now))
        return _Passed(passed, {DeadLetterReason.BAD_INVITATION: len(foreign)})

    def _set_aside(
        self, consumer: Consumer, producer: Producer, message: Message, error: Exception
    ) -> _Passed:
        """Turn a poison record into a dead letter, in its own transaction."""
        tell(self.name, message, error)
        letter = dead_letter_of(message, DeadLetterReason.INTERNAL, defect(error))
        with self._leaving(consumer, producer, [message]) as passed:
            now = rfc3339(self.services.clock.now())
            self.services.publisher(producer, self.name).dead_letters([letter], now)
        return _Passed(passed, {DeadLetterReason.INTERNAL: 1})

    @contextmanager
    def _leaving(
        self, consumer: Consumer, producer: Producer, messages: Sequence[Message]
    ) -> Iterator[list[TopicPartition]]:
        """Run a transaction that also commits the offsets after these messages."""
        member = membership(consumer)
        passed = offsets(messages, {})
        with self.run.transaction(producer, len(messages)):
            yield passed
            self.run.send_offsets(producer, passed, member)

    def _pace(self, consumer: Consumer, passed: list[TopicPartition], number: int) -> None:
        """Pause topics after a large poll, so that returning invitations do not flood the lanes.

        A million invitations returned at once would delay the customers of all other campaigns.
        """
        until = self._now() + number / PACE
        for place in passed:
            if place.topic not in self._due and number >= PACE_FROM:
                self._due[place.topic] = until
                self._paced.add(place.topic)
                with translate_errors("pause"):
                    consumer.pause([TopicPartition(place.topic, place.partition)])

    def _is_due(self, consumer: Consumer, message: Message) -> bool:
        """Return whether the record may leave its step; the first that may not pauses its topic."""
        topic, partition, offset = position_of(message)
        if topic in self._paced:  # skipping the record would lose it
            raise KafkaSessionError(f"{topic} was read while it was paused")
        if topic in self._due or topic in self._revoked_during_poll:
            return False
        head = self._heads.pop(topic, offset)
        if head != offset:  # a record fetched before the seek
            raise KafkaSessionError(f"expected offset {head} of {topic} after a seek, not {offset}")
        when = timestamp_of(message) / 1000 + STEPS[self._steps[topic]]
        if when <= self._now() or self.services.early.covers(topic, offset):
            return True
        self._due[topic], self._heads[topic] = when, offset
        self._reached.pop((topic, partition), None)
        place = TopicPartition(topic, partition, offset)
        with translate_errors("pause"):
            consumer.pause([place])
            consumer.seek(place)
        return False

    def _look_early(self, consumer: Consumer) -> None:
        """Start an early return of all present records if campaigns are to be retried."""
        early = self.services.early
        if self._begun:  # else another member executes the commands
            early.request(
                each.campaign
                for each in self._obeyed.new(self.services.commands, self.services.clock.now())
                if isinstance(each, RetryCampaign)
            )
        early.turn({topic: end for (topic, _), end in self._reached.items()})
        if not early.asked or not self._begun:
            return
        ends: dict[str, int] = {}
        for topic in self._begun:
            with translate_errors("reading the log's ends"):
                _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT)
            if self._reached.get((topic, 0), -1) < end:  # else the topic is read to its end
                ends[topic] = end
        log.info("delayed_retried", campaigns=len(early.asked))
        early.begin(ends)
        for topic in self._due.keys() - self._paced:
            self._due[topic] = 0.0

    def _resume(self, consumer: Consumer) -> None:
        now = self._now()
        for topic in [topic for topic, when in self._due.items() if when <= now]:
            del self._due[topic]
            self._paced.discard(topic)
            with translate_errors("resume"):
                consumer.resume([TopicPartition(topic, 0)])

    def _forward(self, producer: Producer, record: Delayed, now: float) -> None:
        """Write a record to its next step, to its lane, or (without a lane) to a step again."""
        left = record.due_at - now
        if left > 0 and not self.services.early.includes(record.campaign):
            record.put(producer, self.services.topics.delayed(step_for(left)), now)
        elif self._orphans.get(lane := self._home(record), True):
            record.give_back(producer, self.services.topics.invitations(lane))
        else:
            log.error("delayed_without_lane", lane=lane, what="stays on the ladder")
            record.put(producer, self.services.topics.delayed(ORPHAN_WAIT), now)

    def _home(self, record: Delayed) -> str:
        """Return the campaign's current lane: its account may have moved to another quota."""
        return self.services.config.homes.get(record.campaign, record.lane)

    def _look_for_lanes(self, consumer: Consumer, named: Set[str]) -> None:
        """Look up which of these lanes outside the config still have a topic.

        A lane that left the config keeps its topic until an operator drains or closes it. The
        lookup precedes the transaction, which must not wait. Lanes come from records, which a
        foreign producer may have written: at most `ORPHANS_AT_MOST` are remembered.
        """
        if len(self._orphans) > ORPHANS_AT_MOST:
            self._orphans.clear()
        for lane in named - {*self.services.config.lanes, *self._orphans}:
            self.run.beat()
            topic = self.services.topics.invitations(lane)
            with translate_errors("looking for a lane's topic"):
                found = consumer.list_topics(topic, timeout=WAIT).topics.get(topic)
            self._orphans[lane] = found is not None and found.error is None

    def _delete_passed_records(self) -> None:
        """Delete records that were passed on, so that a group that loses its offsets does not
        return them again."""
        now = self._now()
        if now >= self._trim_at:
            self._trim_at = now + TRIM_EVERY
            for topic, offset in self._behind.items():
                self.run.delete_records(topic, offset)
            self._behind.clear()

    def _update_metrics(self, consumer: Consumer) -> None:
        """Show how many records wait on each step.

        A step that is paused, or not read yet, has no position; its end is from `DelayWatch`.
        """
        with suppress(KafkaException):  # a display must not end the session
            places = {topic: (at, end) for topic, at, end in self._positions(consumer)}
            waiting = {
                topic: self.services.step_counts.waiting(topic, at, end)
                for topic, (at, end) in places.items()
            }
            steps = {self._steps[topic]: number for topic, number in waiting.items()}
            self.run.metrics.delayed_invitations(steps)

    def _positions(self, consumer: Consumer) -> Iterator[tuple[str, int, int]]:
        """Yield topic, offset of its first waiting record, and end of its log."""
        known = positions(consumer, self._reached)
        yield from ((topic, at, end) for (topic, _), (at, end) in known.items())
        shown = {topic for topic, _ in known}
        for topic in self._begun.keys() & self.services.step_ends.keys() - shown:
            at = self._heads.get(topic, self._begun[topic])
            yield topic, at, max(at, self.services.step_ends[topic])
