"""Transactional stage: consume, process, produce, send offsets, commit, strictly in sequence.

Router, delay stage and feed stage share it. Everything read is committed between two polls, so a
rebalance leaves nothing to finish. After a Kafka error consumer and producer are discarded and the
stage rejoins from the committed offsets: continuing after an aborted transaction would lose the
records that it had read. A record that raises is isolated (`isolation`) and becomes a dead letter.

Of router and delay stage a partition without a usable offset is stopped alone (`stoppable_stage`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from consumer.errors import defect
from consumer.kafka import transactions
from consumer.kafka.records.messages import position_of
from consumer.runtime.group_consumer import GroupConsumer, offsets_after, wait_for_former_life
from consumer.runtime.isolation import isolate, log_defect
from consumer.runtime.stage import STOP_GRACE, StageRun, StageServices

POLL_RECORDS = 5_000

Outcome = TypeVar("Outcome")
"""What one committed transaction carried, to be counted."""


class TransactionalStage(ABC, Generic[Outcome]):
    """Sessions of a stage. `instance`: name of the replica, stable over restarts."""

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
        self.offset_metadata: Mapping[str, str] = {}  # topic → metadata of its offsets
        self._group_id = group
        self._transactional_id = f"{group}.{instance}"
        self._poll_seconds = poll_seconds

    def run_membership(self) -> None:
        """Run memberships in the group until the stage stops; other topics, or a reason of the
        stage's own, start a new one. Raises KafkaSessionError, StartPositionError."""
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
        """Clear what is shown of partitions: this member is leaving the group."""

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`."""
        self._set_start_offsets(partitions, self.group.metadata())
        return partitions

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `GroupMember`: everything read was committed between two polls."""

    def _must_rejoin(self) -> bool:
        """Return whether to start a new membership. Raises KafkaSessionError."""
        return False

    # -- what the stages differ in ------------------------------------------------------------

    @abstractmethod
    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """See `GroupMember`."""

    @abstractmethod
    def _topics(self) -> Sequence[str]:
        """Return the topics to read."""

    @abstractmethod
    def _set_start_offsets(self, partitions: Sequence[TopicPartition], metadata: object) -> None:
        """Set each partition's offset; commit new ones with this group metadata. Raises
        KafkaSessionError, StartPositionError."""

    @abstractmethod
    def _process(self, records: Sequence[Message]) -> Outcome:
        """Process records in one transaction; no effect if this raises."""

    @abstractmethod
    def _publish_poison(self, poison: Message, error: str) -> Outcome:
        """Turn a poison record into a dead letter, in a transaction of its own."""

    @abstractmethod
    def _count(self, outcome: Outcome) -> None:
        """Update the metrics of a committed transaction."""
