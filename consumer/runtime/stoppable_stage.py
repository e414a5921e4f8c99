"""Stoppable stage: a transactional stage of which a partition may stop alone (`InputStops`).

A partition without a usable offset is not read. The member that may decide commits the offsets of
operators' commands; each member rejoins as soon as a partition that it has stopped has a usable
offset. Router and delay stage are such stages.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import structlog
from confluent_kafka import TopicPartition

from consumer.kafka import offset_metadata
from consumer.kafka.queries import Partition, committed_offsets
from consumer.kafka.start_offsets import GroupMemory, Reading
from consumer.kafka.stopped_partitions import MEANING, StoppedPartition, StopReason
from consumer.runtime.group_consumer import partition_names, places_of
from consumer.runtime.input_stops import InputStops, decided_offsets
from consumer.runtime.stage import StageServices
from consumer.runtime.transactional_stage import Outcome, TransactionalStage

log = structlog.get_logger(__name__)


class StoppableStage(TransactionalStage[Outcome]):
    """Sessions of router or delay stage."""

    def __init__(
        self, services: StageServices, name: str, group: str, instance: str, poll_seconds: float
    ) -> None:
        super().__init__(services, name, group, instance, poll_seconds)
        self.stops = InputStops(self.run, group)

    def _end_membership(self) -> None:
        super()._end_membership()
        self.stops.clear()

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`: stopped partitions are not read."""
        to_read = super().assign(partitions)
        return [one for one in to_read if (one.topic, one.partition) not in self.stops]

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `GroupMember`."""
        super().revoke(partitions, lost=lost)
        self.stops.discard(places_of(partitions))

    def stop_reading(self, partition: TopicPartition, _why: str) -> None:
        """See `GroupMember`: the partition stops alone.

        Raises KafkaSessionError if the group's offset is readable: the member rejoins.
        """
        self.group.unassign(partition)
        self.stops.stop(self.asker, partition)

    def halt(self, topic: str, refused: Sequence[tuple[str, int, int]], example: str) -> None:
        """Stop this member's partitions of a topic where they were read up to, and have the group
        remember it under this config. Other members stop theirs when they exceed the limit.

        `refused`: records that were read and not taken, in order. Raises KafkaSessionError.
        """
        offsets = self._read_up_to(topic)
        offsets |= {(name, number): at for name, number, at in reversed(refused)}
        mark = offset_metadata.halted(
            self.offset_metadata.get(topic, ""), self.services.config.version
        )
        places = [
            TopicPartition(topic, number, at, mark) for (_, number), at in sorted(offsets.items())
        ]
        self._commit_offsets(places, self.group.metadata())
        for place in places:
            self.group.unassign(place)
        why = f"{MEANING[StopReason.UNREADABLE]}, for example {example}"
        self.stops.add(self.asker, map(StoppedPartition.unreadable, places), why)

    def _read_up_to(self, topic: str) -> dict[Partition, int]:
        """Return up to where this member's partitions of a topic are read. One that was assigned
        lately may not have been fetched yet: its first record is at the group's offset."""
        positions = self.group.positions()
        mine = [one for one in self.group.consumer.assignment() if one.topic == topic]
        found = {place: positions[place][0] for place in places_of(mine) if place in positions}
        unread = [one for one in mine if (one.topic, one.partition) not in found]
        begins = committed_offsets(self.asker, unread) if unread else {}
        return found | {place: begin.offset for place, begin in begins.items() if begin.offset >= 0}

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

    @abstractmethod
    def _decides_for_operators(self) -> bool:
        """Return whether this member commits the offsets of operators' commands."""

    @abstractmethod
    def _reading(self) -> Reading:
        """Return what the group reads. Raises KafkaSessionError."""

    @abstractmethod
    def _group_memory(self, reading: Reading) -> GroupMemory:
        """Return the group's offsets, and the partitions whose offset is unusable."""
