"""Where a consumer stands in one partition, and what it reads there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, Message

from tests.simulation.kafka.log import FakeRecord, Partition, kind_of

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker

UNKNOWN = -1001


@dataclass(slots=True, eq=False)
class Reading:
    """One assigned partition. `at`: what is fetched next; `given`: behind what the caller has.

    `told` is called when there may be more. `ended`: the end that was told last; `tell_at`: when
    the present end is to be told. `stale`: fetched before a seek, and not handed out yet.
    """

    partition: Partition
    at: int
    told: Callable[[], None]
    given: int = UNKNOWN
    paused: bool = False
    failed: bool = False
    ended: int = -1
    tell_at: float = inf
    cached: tuple[int, int] = (UNKNOWN, UNKNOWN)
    stale: list[FakeRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen for new records."""
        self.partition.readers[self.told] = None

    def leave(self) -> None:
        """Listen no more."""
        self.partition.readers.pop(self.told, None)

    def read(self, broker: FakeBroker, limit: int, *, committed: bool) -> list[Message]:
        """Records from here on, or one message that says why there can be none any more."""
        partition = self.partition
        if partition.deleted:
            found = broker.partitions(partition.topic)
            if not found:
                return self._fail(KafkaError.UNKNOWN_TOPIC_OR_PART, "the topic is gone")
            partition = self.partition = found[partition.number]
            partition.readers[self.told] = None
        if not partition.low <= self.at <= partition.end:
            return self._fail(KafkaError._AUTO_OFFSET_RESET, f"offset {self.at} out of range")
        self.cached = partition.low, partition.end
        if self.stale:
            records, self.stale = self.stale[:limit], []
        else:
            records, self.at = partition.fetch(self.at, limit, committed=committed)
        if not records:
            return []
        self.given = records[-1].offset + 1
        topic, number = partition.topic, partition.number
        return [
            Message(
                topic,
                number,
                record.offset,
                record.key,
                record.value,
                list(record.headers) if record.headers else None,
                None,
                (kind_of(self.partition), record.timestamp),
            )
            for record in records
        ]

    def has_something(self, *, committed: bool) -> bool:
        """Whether a fetch would bring anything: records, an error, or an end that is not told."""
        if self.paused or self.failed:
            return False
        return (
            bool(self.stale)
            or self.ended != self.at
            or self.partition.deleted
            or not self.at_end(committed=committed)
        )

    def at_end(self, *, committed: bool) -> bool:
        """Whether there is nothing to read here now."""
        return self.at >= (self.partition.lso if committed else self.partition.end)

    def seek(self, offset: int) -> None:
        """Go on there; nothing was given from there yet, and its end is told again."""
        self.at, self.given, self.ended, self.tell_at = offset, UNKNOWN, -1, inf
        self.failed, self.stale = False, []

    def prefetched(self, limit: int, *, committed: bool) -> list[FakeRecord]:
        """What a client's queue may hold by now, ahead of its caller."""
        return self.partition.fetch(self.at, limit, committed=committed)[0]

    def end(self) -> Message:
        """The event that tells that the log ends here, for now."""
        self.ended, self.tell_at = self.at, inf
        error = KafkaError(KafkaError._PARTITION_EOF, "end of log")
        return Message(self.partition.topic, self.partition.number, self.at, error=error)

    def _fail(self, code: int, why: str) -> list[Message]:
        self.failed = True
        error = KafkaError(code, why)
        return [Message(self.partition.topic, self.partition.number, self.at, error=error)]
