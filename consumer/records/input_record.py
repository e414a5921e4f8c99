"""Input record: what the router and its payload decoders get of a record of an input topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from msgspec import Struct, structs

from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.invitation import Source


class RecordEnvelope(NamedTuple):
    """What a record has beside its value; `timestamp` in ms. `unreadable` names the parts that the
    Kafka client could not read."""

    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int = 0
    unreadable: str = ""


class InputRecord(Struct, frozen=True, gc=False):
    """A record as Kafka delivered it.

    Topic, partition and offset are the original ones: a replayed record keeps its identity.
    `read_envelope` is called only where it is needed: reading headers takes as long as decoding.
    `traceparent`: the trace context that its results carry; empty without one.
    """

    topic: str
    partition: int
    offset: int
    value: bytes | None
    read_envelope: Callable[[], RecordEnvelope] = RecordEnvelope
    traceparent: str = ""

    def with_one_reading(self) -> InputRecord:
        """Return the record with an envelope that is read once, for several that need it."""
        return structs.replace(self, read_envelope=cache(self.read_envelope))

    @property
    def source(self) -> Source:
        """The original topic, partition and offset."""
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}

    def dead_letter(self, reason: DeadLetterReason, message: str) -> DeadLetter:
        """Return the dead letter: the same bytes, with the reason."""
        key, headers, timestamp, unreadable = self.read_envelope()
        return DeadLetter(
            reason, message, self.source, key, self.value, headers, timestamp, unreadable
        )
