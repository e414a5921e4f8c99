"""Transactional stage: consume, process, produce, send offsets, commit, strictly in sequence.

Router and delay stage share it. Everything read is committed between two polls, so a rebalance
leaves nothing to finish. After a Kafka error consumer and producer are discarded and the stage
rejoins from the committed offsets: continuing after an aborted transaction would lose the records
that it had read. A record that raises is isolated (`isolation`) and becomes a dead letter.

A partition without a usable offset is stopped, alone (`InputStops`). The member that may decide
commits the offsets of operators' commands; each member rejoins as soon as a partition that it has
stopped has a usable offset.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from consumer.errors import defect
from consumer.kafka import transactions
from consumer.kafka.records.messages import position_of
from consumer.kafka.start_offsets import GroupMemory, Reading
from consumer.runtime.group_consumer import (
    GroupConsumer,
    offsets_after,
    partition_names,
    places_of,
    wait_for_former_life,
)
from consumer.runtime.input_stops import InputStops, decided_offsets
from consumer.runtime.isolation import isolate, log_defect
from consumer.runtime.stage import STOP_GRACE, StageRun, StageServices

POLL_RECORDS = 5_000

Outcome = TypeVar("Outcome")
"""What one committed transaction carried, to be counted."""

log = structlog.get_logger(__name__)


class TransactionalStage(ABC, Generic[Outcome]):
    """Sessions of router or delay stage. `instance`: name of the replica, stable over restarts."""

    group: GroupConsumer
    asker: Consumer
    producer: Producer
    """Clients of the present membership; each request through `asker` is a heartbeat too."""

    def __init__(
        self, services: StageServices, name: str, group: str, instance: str, poll_seconds: float
    ) -> None:
        self.services = services
        self.name = name
        self.run = StageRun(services, name)
        self.stops = InputStops(self.run, group)
        self.offset_metadata: Mapping[str, str] = {}  # topic → metadata of its offsets
        self._group_id = group
        self._transactional_id = f"{group}.{instance}"
        self._poll_seconds = poll_seconds

    def run_membership(self) -> None:
        """Run memberships in the group until the stage stops; other topics, or a stopped partition
        that may be read again, start a new one. Raises KafkaSessionError, StartPositionError."""
        while not self.services.stop.is_set():
            self._take_config()
            wait_for_former_life(self.run, self._group_id)
            self.producer = self.run.producer(self._transactional_id)
            with GroupConsumer(self.run, self._group_id, self) as self.group:
                self.asker = self.run.with_heartbeat(self.group.consumer)
                try:
                    self._run_turns()
                finally:
                    self._end_membership()
                    del self.producer  # it has four threads, and a restart may wait for seconds

    def _run_turns(self) -> None:
        self._begin_membership()
        self.group.subscribe(self._topics())
        while not (self.services.stop.is_set() or self._take_config() or self._must_rejoin()):
            self.run.record_turn(self.group.consumer)
            self._turn()

    def _turn(self) -> None:
        """Poll once, and process what came."""
        records, _ = self.group.poll(min(POLL_RECORDS, self.run.size.records), self._poll_seconds)
        if records:
            self._handle(records)

    def _handle(self, records: Sequence[Message]) -> None:
        """Process records, each poison record alone, and count what was committed."""
        outcomes: list[Outcome] = []
        try:
            isolate(
                records,
                lambda some: outcomes.append(self._process(some)),
                lambda poison, error: outcomes.append(self._set_aside(poison, error)),
            )
        finally:
            for outcome in outcomes:
                self._count(outcome)

    def _set_aside(self, poison: Message, error: Exception) -> Outcome:
        log_defect(self.name, position_of(poison), defect(error))
        return self._publish_poison(poison, defect(error))

    @contextmanager
    def _transaction(self, messages: Sequence[Message]) -> Iterator[list[TopicPartition]]:
        """Run a transaction that also commits the offsets after these messages."""
        metadata = self.group.metadata()
        offsets = offsets_after(messages, self.offset_metadata)
        with self.run.transaction(self.producer, len(messages)):
            yield offsets
            self._send_offsets(offsets, metadata)

    def _commit_offsets(self, offsets: Sequence[TopicPartition], metadata: object) -> None:
        """Commit start offsets in a transaction.

        A plain commit would carry no member id once the client knows that the group dropped it, and
        Kafka accepts such a commit while the group is empty.
        """
        with self.run.transaction(self.producer):
            self._send_offsets(offsets, metadata)

    def _send_offsets(self, offsets: Sequence[TopicPartition], metadata: object) -> None:
        give_up, clients = self.run.waiting(STOP_GRACE), self.services.clients
        clients.send_offsets(self.producer, offsets, metadata, self.run.timeout, give_up)

    # -- membership ---------------------------------------------------------------------------

    def _take_config(self) -> bool:
        """Apply a pending config. Return whether the topics to read changed."""
        return False

    def _begin_membership(self) -> None:
        """Fence the former producer; clear what the former membership knew."""
        self.services.clients.connect(self.producer, self.services.topics.results)
        transactions.fence(self.producer, self.run.waiting())

    def _end_membership(self) -> None:
        """Clear the metrics of partitions: this member is leaving the group."""
        self.stops.clear()

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`: stopped partitions are not read."""
        self._set_start_offsets(partitions, self.group.metadata())
        return [one for one in partitions if (one.topic, one.partition) not in self.stops]

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:  # noqa: ARG002
        """See `GroupMember`: everything read was committed between two polls."""
        self.stops.discard(places_of(partitions))

    def stop_reading(self, partition: TopicPartition, _why: str) -> None:
        """See `GroupMember`: the partition stops alone.

        Raises KafkaSessionError if the group's offset is readable: the member rejoins.
        """
        self.group.unassign(partition)
        self.stops.stop(self.asker, partition)

    def _must_rejoin(self) -> bool:
        """Commit offsets that operators decided. Return whether to rejoin for a stopped partition.

        Raises KafkaSessionError.
        """
        now = self.services.clock.now()
        commands = self.services.commands.current(now) if self._decides_for_operators() else ()
        if not (self.stops.stopped or commands) or not self.stops.is_look_due(now):
            return False
        reading = self._reading()
        memory = self._group_memory(reading)
        offsets = decided_offsets(commands, self.asker, memory, reading)
        if offsets:
            self._commit_offsets(offsets, self.group.metadata())
            log.info("inputs_resumed", partitions=partition_names(offsets))
            memory = self._group_memory(reading)
        return self.stops.any_mended(self.asker, memory)

    # -- what router and delay stage differ in ------------------------------------------------

    @abstractmethod
    def _topics(self) -> Sequence[str]:
        """Return the topics to read."""

    @abstractmethod
    def _set_start_offsets(self, partitions: Sequence[TopicPartition], metadata: object) -> None:
        """Set each partition's offset; commit new ones with this group metadata, stop those that
        have none. Raises KafkaSessionError, StartPositionError."""

    @abstractmethod
    def _process(self, records: Sequence[Message]) -> Outcome:
        """Process records in one transaction; no effect if this raises."""

    @abstractmethod
    def _publish_poison(self, poison: Message, error: str) -> Outcome:
        """Turn a poison record into a dead letter, in a transaction of its own."""

    @abstractmethod
    def _count(self, outcome: Outcome) -> None:
        """Update the metrics of a committed transaction."""

    @abstractmethod
    def _decides_for_operators(self) -> bool:
        """Return whether this member commits the offsets of operators' commands."""

    @abstractmethod
    def _reading(self) -> Reading:
        """Return what the group reads. Raises KafkaSessionError."""

    @abstractmethod
    def _group_memory(self, reading: Reading) -> GroupMemory:
        """Return the group's offsets, and the partitions whose offset is unusable."""
