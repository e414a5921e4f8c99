"""A replayed record names its original place in its last headers: replay is idempotent.

`dlq replay` appends these headers, the router takes them off again: a dead letter that fails once
more is the same dead letter, and an invitation that comes of it has the identity it would have had.
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
"""The last headers of a replayed record, in this order: names that a dead letter has too."""


LONGEST_TOPIC = 249
"""Characters of a topic's name at most, as Kafka has it."""


class Original(NamedTuple):
    """What a replayed record was before it became a dead letter; `timestamp` in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    headers: Sequence[Header]


def place_headers(topic: str, partition: int, offset: int, timestamp: int) -> list[Header]:
    """What goes behind the original headers."""
    texts = (topic, str(partition), str(offset), str(timestamp))
    return [(name, text.encode()) for name, text in zip(PLACE_HEADERS, texts, strict=True)]


def original(headers: Sequence[Header]) -> Original | None:
    """The inverse of `place_headers`; None for what it did not write."""
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
    """A header's value as an offset, a time or the like; None for anything else."""
    return int(digits) if re.fullmatch(rb"-?[0-9]{1,18}", digits) else None
