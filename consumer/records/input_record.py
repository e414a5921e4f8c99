"""Input record: what the router and its payload decoders get of a record of an input topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.invitation import Source


class RecordEnvelope(NamedTuple):
    """What a record has beside its value; `timestamp` in ms. `unreadable` names the parts that the
    Kafka client could not read."""

    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int = 0
    unreadable: str = ""


class _ReadOnce:
    """Reads an envelope when it is first asked for it."""

    __slots__ = ("_found", "_read")

    def __init__(self, read: Callable[[], RecordEnvelope]) -> None:
        self._read = read
        self._found: RecordEnvelope | None = None

    def __call__(self) -> RecordEnvelope:
        if self._found is None:
            self._found = self._read()
        return self._found


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
        read = _ReadOnce(self.read_envelope)  # by hand: `functools.cache` takes ten times as long
        place = self.topic, self.partition, self.offset
        return InputRecord(*place, self.value, read, self.traceparent)

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
