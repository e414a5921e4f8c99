"""Count the records between two offsets. Offsets are not dense: transaction markers and aborted
records take some too.

A short range is read and counted; of a long one the beginning is read and the rest extrapolated.
Cost: at most `MOST` records of each partition.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, Message

from consumer.kafka.log_scan import LogScan, Offsets, Partition

MOST = 20_000
"""Offsets of a partition that are read."""


def count_records(
    reader: Consumer, begin: Offsets, ends: Offsets, counts: Callable[[Message], bool] | None = None
) -> dict[Partition, int]:
    """Return, by partition, the number of records from `begin` (included) to `ends` (excluded) that
    count.

    `ends` must be those of committed records. Raises KafkaSessionError.
    """
    starts = {place: min(begin.get(place, 0), end) for place, end in ends.items()}
    until = {place: min(end, starts[place] + MOST) for place, end in ends.items()}
    found = dict.fromkeys(ends, 0)
    for message in LogScan(reader, until, starts):
        if counts is None or counts(message):
            found[str(message.topic()), int(message.partition() or 0)] += 1
    return {
        place: number + _alike(number, until[place] - starts[place], ends[place] - until[place])
        for place, number in found.items()
    }


def _alike(number: int, read: int, left: int) -> int:
    """Extrapolate the number of records in the unread rest."""
    return round(number * left / read) if left > 0 else 0
