"""Partitions of this member that stand still, of inputs or delay topics, and how they go on.

    stopped ──operator: inputs resume──► the member that has `<app>.replayed` commits the new offset
       │                                                     │
       └── each member looks whether its stopped partitions have another offset ─► joins again

One member alone commits what an operator decided, all partitions of a topic at once, so that none
of them passes for one that was added while another one has its offset already. A member goes on
with a partition by joining the group again: only an assignment says that it is still its own.

A delay topic has one partition: the member that has it commits the offset itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, TopicPartition

from consumer.kafka import offset_metadata
from consumer.kafka.log_scan import Partition
from consumer.kafka.records.operator_commands import (
    Command,
    ResumeInput,
)
from consumer.kafka.start_offsets import (
    GroupMemory,
    Reading,
)
from consumer.kafka.stopped_partitions import (
    MEANING,
    StoppedPartition,
    log_range,
    out_of_range,
)
from consumer.observability.metrics.labels import ROUTER
from consumer.runtime.stage import StageServices

LOOK_EVERY = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class InputStops:
    """The stopped partitions of one membership; `name`: of the stage whose group it is."""

    services: StageServices
    name: str = ROUTER
    stopped: dict[Partition, StoppedPartition] = field(default_factory=dict)
    _look_at: float = 0.0

    def add(self, asker: Consumer, stopped: Iterable[StoppedPartition], why: str = "") -> None:
        """These stand still from now on. Raises KafkaSessionError."""
        for each in stopped:
            self.stopped[each.place] = each
            low, high = log_range(asker, each.topic, each.partition)
            log.error(
                "input_stopped",
                group=f"{self.services.topics.application_id}.{self.name}",
                topic=each.topic,
                partition=each.partition,
                offset=each.offset if each.offset >= 0 else None,
                log_begins=low,
                log_ends=high,
                reason=each.reason.value,
                why=why or MEANING[each.reason],
                mend=each.command,
            )
        self._update_metrics()

    def __contains__(self, place: object) -> bool:
        return place in self.stopped

    def discard(self, places: Iterable[Partition]) -> None:
        """They are another member's."""
        for place in places:
            self.stopped.pop(place, None)
        self._update_metrics()

    def clear(self) -> None:
        """This member is in no group any more."""
        self.stopped.clear()
        self._update_metrics()

    def due(self, now: float) -> bool:
        """Whether it is time to look again."""
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY
        return True

    def any_mended(self, asker: Consumer, memory: GroupMemory) -> bool:
        """Whether a partition that stood still has an offset that fits now. Raises
        KafkaSessionError."""
        still = {each.place for each in memory.stopped}
        found = [memory.committed[place] for place in self.stopped if place not in still]
        return any(each.offset >= 0 and out_of_range(asker, each) is None for each in found)

    def _update_metrics(self) -> None:
        self.services.metrics.inputs_stopped(dict.fromkeys(self.stopped, 1), self.name)


def decided(
    commands: Iterable[Command], asker: Consumer, memory: GroupMemory, reading: Reading
) -> list[TopicPartition]:
    """The offsets that operators' commands give to partitions which still stand as they were seen.

    With their metadata. Raises KafkaSessionError.
    """
    found: dict[Partition, TopicPartition] = {}
    for command in commands:
        if isinstance(command, ResumeInput) and _same_topic(command, reading.ids):
            for each in _seen(command, asker, memory, reading.own):
                found[each.topic, each.partition] = each
    return list(found.values())


def _same_topic(command: ResumeInput, ids: Mapping[str, str | None]) -> bool:
    return command.topic in ids and ids[command.topic] == command.topic_id


def _seen(
    command: ResumeInput, asker: Consumer, memory: GroupMemory, own: str
) -> list[TopicPartition]:
    """Of one command, the partitions whose offset is still the one that its operator saw."""
    still = {each.place for each in memory.stopped}
    places = []
    for partition, offset in command.offsets.items():
        committed = memory.committed.get((command.topic, partition))
        if committed is None or max(-1, committed.offset) != command.seen.get(partition):
            continue
        stands = (command.topic, partition) in still or out_of_range(asker, committed) is not None
        if stands:
            mark = offset_metadata.mark(command.topic_id)
            if command.topic == own:  # its offset carries the register, and is read from now on
                mark = offset_metadata.register({}, committed.metadata or "")
            places.append(TopicPartition(command.topic, partition, offset, mark))
    return places
