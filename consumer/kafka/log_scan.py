"""Log scans between two offsets, outside of any consumer group, and counts of records by them.

A reader of committed records stops at the first open transaction. A command that needs *every*
record therefore takes the high watermark, which counts open transactions too, and waits until it
can read that far.

Offsets are not dense: transaction markers and aborted records take some too. So records are
counted by reading: a short range whole; of a long one `COUNTED` offsets, and the rest extrapolated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka.errors import (
    describe,
    is_out_of_range,
    is_partition_end,
    translate_errors,
)
from consumer.kafka.queries import Offsets, Partition

STALL = 30.0
"""Seconds without progress. The program's open transactions last 10 s, and Kafka looks for expired
ones every 10 s."""

POLL = 0.05
"""Seconds of one poll; it returns earlier only with 1000 records."""

COUNTED = 20_000
"""Offsets of a partition that a count reads."""


@dataclass(slots=True)
class LogScan:
    """One reading: iterates over committed records below `ends`, in a partition's order.

    `begin`: first offsets of partitions that are not read from their start. Iterating raises
    KafkaSessionError if the log no longer holds the offset, or if a transaction holds records back
    for longer than `stall` seconds.
    """

    reader: Consumer
    ends: Offsets
    begin: Offsets = field(default_factory=dict)
    stall: float = STALL
    _reached: dict[Partition, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Message]:
        left = {place for place, end in self.ends.items() if end > self.begin.get(place, 0)}
        with translate_errors("reading"):
            self.reader.assign(
                [
                    TopicPartition(*place, self.begin.get(place, OFFSET_BEGINNING))
                    for place in sorted(left)
                ]
            )
        moved = time.monotonic()
        while left:
            with translate_errors("reading"):
                messages = self.reader.consume(1000, POLL)
            for message in messages:
                place, offset = _place(message)
                if message.error() is None and offset < self.ends.get(place, 0):
                    yield message
                if self._step(message, place, offset):
                    moved = time.monotonic()
            left = {place for place in left if self._reached.get(place, 0) < self.ends[place]}
            if time.monotonic() - moved > self.stall:
                raise KafkaSessionError(self._stalled(min(left)))
        with translate_errors("reading"):
            self.reader.unassign()

    def _step(self, message: Message, place: Partition, offset: int) -> bool:
        """Record how far the partition was read; return whether that is further than before."""
        error = message.error()
        if error is None:
            reached = offset + 1
        elif is_partition_end(error):
            reached = offset
        elif is_out_of_range(error) or error.fatal():
            raise KafkaSessionError(f"reading {place[0]} [{place[1]}]: {describe(error)}")
        else:
            return False  # librdkafka tries again
        before = self._reached.get(place, -1)
        self._reached[place] = max(before, reached)
        return reached > before

    def _stalled(self, place: Partition) -> str:
        reached = max(0, self._reached.get(place, 0))
        return (
            f"{place[0]} [{place[1]}] can be read up to offset {reached}, but it is written up to "
            f"{self.ends[place]}: an open transaction holds the rest back. That of a process that "
            "was killed ends within half a minute: try again"
        )


def _place(message: Message) -> tuple[Partition, int]:
    """Return partition and offset; an error has a partition, but not always an offset (-1)."""
    place = cast("str", message.topic()), cast("int", message.partition())
    return place, message.offset() if message.offset() is not None else -1  # type: ignore[return-value]


def count_records(
    reader: Consumer, begin: Offsets, ends: Offsets, counts: Callable[[Message], bool] | None = None
) -> dict[Partition, int]:
    """Return, by partition, the number of records from `begin` (included) to `ends` (excluded) that
    count. `ends` must be those of committed records."""
    starts = {place: min(begin.get(place, 0), end) for place, end in ends.items()}
    until = {place: min(end, starts[place] + COUNTED) for place, end in ends.items()}
    found = dict.fromkeys(ends, 0)
    for message in LogScan(reader, until, starts):
        if counts is None or counts(message):
            found[_place(message)[0]] += 1
    for place, number in found.items():
        if unread := ends[place] - until[place]:
            found[place] += round(number * unread / COUNTED)
    return found
