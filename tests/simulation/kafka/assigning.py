"""What a consumer reads: its assignment, positions, pauses, and the fetching itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, Message, TopicPartition

from tests.simulation.kafka.asking import ANSWER_WAIT, Asking
from tests.simulation.kafka.faults import refused
from tests.simulation.kafka.groups import Group
from tests.simulation.kafka.log import Place
from tests.simulation.kafka.reading import UNKNOWN, Reading
from tests.simulation.kafka.settings import draw

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker


class Assigning(Asking):
    """`told` is called when there may be new records."""

    def __init__(
        self, broker: FakeBroker, group: Group, rng: random.Random, told: Callable[[], None]
    ) -> None:
        super().__init__(broker, group)
        self._rng = rng
        self._told = told
        self._readings: dict[Place, Reading] = {}
        self._paused: set[Place] = set()  # a pause outlives an assignment
        self._assigned = False  # the running callback has called assign or unassign
        self._closing = False  # a callback of `close` is no place to die at: `close` is one

    # -- the assignment -----------------------------------------------------------------------

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these, and nothing else."""
        self._sched.point("assign")
        self._forget_all()
        self._add(partitions)

    def unassign(self) -> None:
        """Read nothing."""
        self._sched.point("unassign")
        self._forget_all()

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these too. Raises KafkaException for those that are read already."""
        self._sched.point("assign")
        for each in partitions:
            if (each.topic, each.partition) in self._readings:
                raise refused(KafkaError._CONFLICT, f"{each.topic} [{each.partition}] is assigned")
        self._add(partitions)

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these no more. Raises KafkaException for those that are not read."""
        if not self._closing:
            self._sched.point("unassign")
        places = [(partition.topic, partition.partition) for partition in partitions]
        for topic, number in places:
            if (topic, number) not in self._readings:
                raise refused(KafkaError._INVALID_ARG, f"{topic} [{number}] is not assigned")
        self._remove(places)

    def assignment(self) -> list[TopicPartition]:
        """What is read now."""
        return [TopicPartition(topic, number) for topic, number in self._readings]

    def _add(self, partitions: Sequence[TopicPartition]) -> None:
        self._assigned = True
        for each in partitions:
            place = each.topic, each.partition
            partition = self._broker.partition(*place)
            reading = Reading(partition, each.offset, self._told)
            if each.offset == OFFSET_BEGINNING:
                reading.at = partition.low
            elif each.offset == OFFSET_END:
                reading.at = partition.lso
            elif each.offset < 0:
                reading.at = self._group.offsets.get(place, UNKNOWN)  # none: an error when read
            reading.paused = place in self._paused
            self._readings[place] = reading

    def _remove(self, places: Sequence[Place]) -> None:
        self._assigned = True
        for place in places:
            reading = self._readings.pop(place, None)
            if reading is not None:
                reading.leave()

    def _forget_all(self) -> None:
        self._remove(list(self._readings))

    # -- positions ----------------------------------------------------------------------------

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Read nothing from these until `resume`; says nothing of what is not assigned."""
        self._set_paused(partitions, paused=True)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Go on where `pause` stopped."""
        self._set_paused(partitions, paused=False)

    def _set_paused(self, partitions: Sequence[TopicPartition], *, paused: bool) -> None:
        for partition in partitions:
            place = partition.topic, partition.partition
            reading = self._readings.get(place)
            if reading is not None:
                reading.paused = paused
                (self._paused.add if paused else self._paused.discard)(place)

    def seek(self, partition: TopicPartition) -> None:
        """Go on reading there. Raises KafkaException if it is not assigned."""
        self._sched.point("seek")
        reading = self._readings.get((partition.topic, partition.partition))
        if reading is None:
            raise refused(KafkaError._STATE, f"{partition.topic} [{partition.partition}]")
        before = []
        if self._rng.random() < self._broker.settings.stale_after_seek:
            before = reading.prefetched(self._rng.randint(1, 5), committed=self.committed_only)
        reading.seek(partition.offset)
        reading.stale = before

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Behind the last record given to the caller; -1001 if there was none."""
        found = []
        for partition in partitions:
            reading = self._readings.get((partition.topic, partition.partition))
            offset = reading.given if reading else UNKNOWN
            found.append(TopicPartition(partition.topic, partition.partition, offset))
        return found

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = ANSWER_WAIT, *, cached: bool = False
    ) -> tuple[int, int]:
        """Beginning and end of the log; a committed reader's end unless it is the `cached` one."""
        if not cached:
            return self.ends(partition, timeout)
        reading = self._readings.get((partition.topic, partition.partition))
        return reading.cached if reading else (UNKNOWN, UNKNOWN)

    # -- fetching -----------------------------------------------------------------------------

    def _fetch(self, found: list[Message], room: int) -> None:
        """Add to `found` what there is, up to `room`."""
        committed = self.committed_only
        readings = [
            each for each in self._readings.values() if each.has_something(committed=committed)
        ]
        if len(readings) > 1:
            self._rng.shuffle(readings)
        for reading in readings:
            limit = room - len(found)
            if limit <= 0:
                return
            if self._rng.random() < self._broker.settings.short_read:
                limit = min(limit, self._rng.randint(1, 20))
            found += reading.read(self._broker, limit, committed=committed)
            if len(found) < room and reading.at_end(committed=committed):
                self._end(reading, found)

    def _end(self, reading: Reading, found: list[Message]) -> None:
        """The end is told once, when an empty fetch has returned."""
        if reading.ended == reading.at or reading.failed:
            return
        now = self._sched.now
        if reading.tell_at == inf:
            reading.tell_at = now + draw(self._rng, self._broker.settings.eof_delay)
        if reading.tell_at <= now:
            found.append(reading.end())

    def _next_end(self) -> float:
        """When an end is to be told."""
        waited = (each for each in self._readings.values() if not each.paused and not each.failed)
        return min((each.tell_at for each in waited), default=inf)
