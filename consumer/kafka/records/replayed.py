"""Replay is idempotent: a replayed record names its original place in its last headers.

`dlq replay` appends these headers and the router removes them. A dead letter that fails again keeps
its identity, and so does an invitation made from the record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from consumer.kafka.records.messages import Header

PLACE_HEADERS = (
    "dead_letter.topic",
    "dead_letter.partition",
    "dead_letter.offset",
    "dead_letter.timestamp",
)
"""The last headers of a replayed record, in this order. A dead letter uses the same names."""


LONGEST_TOPIC = 249
"""Kafka's limit for a topic name, in characters."""


class Original(NamedTuple):
    """A replayed record's place and headers before it became a dead letter; `timestamp` in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    headers: Sequence[Header]


def place_headers(topic: str, partition: int, offset: int, timestamp: int) -> list[Header]:
    """Return the headers that follow the original ones."""
    texts = (topic, str(partition), str(offset), str(timestamp))
    return [(name, text.encode()) for name, text in zip(PLACE_HEADERS, texts, strict=True)]


def original(headers: Sequence[Header]) -> Original | None:
    """Invert `place_headers`; None for headers that it did not write."""
    own, ours = headers[: -len(PLACE_HEADERS)], headers[-len(PLACE_HEADERS) :]
    if tuple(name for name, _ in ours) != PLACE_HEADERS:
        return None
    topic, *rest = (value or b"" for _, value in ours)
    partition, offset, timestamp = map(number, rest)
    if partition is None or offset is None or timestamp is None or min(partition, offset) < 0:
        return None
    fits = 0 < len(topic) <= LONGEST_TOPIC
    try:
        return Original(topic.decode(), partition, offset, timestamp, own) if fits else None
    except UnicodeDecodeError:
        return None


def number(digits: bytes) -> int | None:
    """Parse a header's value as an offset, a time or the like; None for anything else."""
    return int(digits) if re.fullmatch(rb"-?[0-9]{1,18}", digits) else None
