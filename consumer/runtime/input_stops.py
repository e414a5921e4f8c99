"""Stopped partitions of one group member (inputs or delay topics), and how they resume.

    stopped ──operator: inputs resume──► the member that has `<app>.replayed` commits the new offset
       │                                                     │
       └── each member polls whether its stopped partitions have a new offset ─► rejoins the group

One member alone commits an operator's decision, for all partitions of a topic at once. Otherwise a
partition without an offset, beside others that have theirs, would look like a newly added one. A
member resumes a partition by rejoining the group, because only an assignment proves that it still
has the partition.

A delay topic has one partition; the member that has it commits the offset itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, TopicPartition

from consumer.kafka import offset_metadata
from consumer.kafka.queries import Partition, group_offset, log_range
from consumer.kafka.records.operator_commands import Command, ResumeInput
from consumer.kafka.start_offsets import GroupMemory, Reading
from consumer.kafka.stopped_partitions import (
    MEANING,
    StoppedPartition,
    out_of_range,
    out_of_reach,
)
from consumer.runtime.stage import StageRun

LOOK_EVERY = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class InputStops:
    """Stopped partitions of one stage's membership in its group."""

    run: StageRun
    group: str
    stopped: dict[Partition, StoppedPartition] = field(default_factory=dict)
    _look_at: float = 0.0

    def add(self, asker: Consumer, stopped: Iterable[StoppedPartition], why: str = "") -> None:
        """Add stopped partitions, and log each. Raises KafkaSessionError."""
        for partition in stopped:
            self.stopped[partition.place] = partition
            low, high = log_range(asker, partition.topic, partition.partition)
            log.error(
                "input_stopped",
                group=self.group,
                topic=partition.topic,
                partition=partition.partition,
                offset=partition.offset if partition.offset >= 0 else None,
                log_begins=low,
                log_ends=high,
                reason=partition.reason.value,
                why=why or MEANING[partition.reason],
                mend=partition.command,
            )
        self._update_metrics()

    def stop(self, asker: Consumer, place: TopicPartition) -> None:
        """Stop a partition whose log does not hold the client's position.

        Raises KafkaSessionError if the log holds the group's offset: the member rejoins.
        """
        self.add(asker, [out_of_reach(asker, group_offset(asker, place))])

    def __contains__(self, place: object) -> bool:
        return place in self.stopped

    def discard(self, places: Iterable[Partition]) -> None:
        """Remove partitions that were revoked from this member."""
        for place in places:
            self.stopped.pop(place, None)
        self._update_metrics()

    def clear(self) -> None:
        """Remove all partitions: this member has left the group."""
        self.stopped.clear()
        self._update_metrics()

    def is_look_due(self, now: float) -> bool:
        """Return whether to check the offsets again: every `LOOK_EVERY` seconds."""
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY
        return True

    def any_mended(self, asker: Consumer, memory: GroupMemory) -> bool:
        """Return whether a stopped partition now has a valid offset. Raises KafkaSessionError."""
        still = {each.place for each in memory.stopped}
        found = [memory.committed[place] for place in self.stopped if place not in still]
        return any(each.offset >= 0 and out_of_range(asker, each) is None for each in found)

    def _update_metrics(self) -> None:
        stopped = dict.fromkeys(self.stopped, 1)
        self.run.metrics.stopped_partitions(stopped)


def decided_offsets(
    commands: Iterable[Command], asker: Consumer, memory: GroupMemory, reading: Reading
) -> list[TopicPartition]:
    """Return the offsets, with metadata, that operators' commands give to stopped partitions.

    A partition counts only if its offset is still the one that the operator saw. Raises
    KafkaSessionError.
    """
    found: dict[Partition, TopicPartition] = {}
    for command in commands:
        if isinstance(command, ResumeInput) and _same_topic(command, reading.ids):
            for offset in _seen(command, asker, memory, reading.own):
                found[offset.topic, offset.partition] = offset
    return list(found.values())


def _same_topic(command: ResumeInput, ids: Mapping[str, str | None]) -> bool:
    return command.topic in ids and ids[command.topic] == command.topic_id


def _seen(
    command: ResumeInput, asker: Consumer, memory: GroupMemory, own: str
) -> list[TopicPartition]:
    """Return one command's stopped partitions whose offset is still the one its operator saw."""
    still = {each.place for each in memory.stopped}
    places = []
    for partition, offset in command.offsets.items():
        committed = memory.committed.get((command.topic, partition))
        if committed is None or max(-1, committed.offset) != command.seen.get(partition):
            continue
        stands = (command.topic, partition) in still or out_of_range(asker, committed) is not None
        if stands:
            mark = offset_metadata.mark(command.topic_id)
            if command.topic == own:  # its metadata is the register, kept from now on
                mark = offset_metadata.register({}, committed.metadata or "")
            places.append(TopicPartition(command.topic, partition, offset, mark))
    return places
