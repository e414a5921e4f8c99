"""Envelope: what lies around an event in its record, of Kafka (`$kafka`) or of the producer's tool.

    record ─ format ─► payload ─ + $kafka ─► skip? ─► body ─► the event that routes match

Change data capture writes an event under `payload.after`, an outbox writes it as JSON inside a
text, and both write records that are no transaction at all (deletes, snapshots).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.digits import exact_body, exact_text, has_double
from consumer.routing.decoding.payload import Payload
from consumer.routing.expressions import KAFKA, compile_value
from consumer.routing.lookup import NO_TABLES, Tables


class BodyReader:
    """Reads the event's object out of a payload: JMESPath, where `parse_json()` opens a text."""

    def __init__(self, path: str, tables: Tables = NO_TABLES) -> None:
        self._path = path
        self._read = compile_value(path, tables)
        self._read_exactly = compile_value(path, tables, exact=True)

    def read(self, payload: Payload) -> Payload:
        """Return the event, whose numbers keep their digits. Raises EventError."""
        found = self._read(payload.body)
        if type(found) is not dict:
            expected = f"expected an object at `{self._path}`"
            raise EventError(DeadLetterReason.NO_BODY, expected)
        if not has_double(found):
            return Payload(found)
        return Payload(found, exact_text(self._read_exactly(exact_body(payload.raw, payload.body))))


@dataclass(frozen=True, slots=True)
class Envelope:
    """How to open an input's records.

    `skips`: whether a payload is no event. `body`: where the event's object is. `kafka`: add
    `$kafka`.
    """

    skips: Callable[[dict[str, Any]], bool] | None = None
    body: BodyReader | None = None
    kafka: bool = False

    def open(self, record: InputRecord, payload: Payload) -> Payload | None:
        """Return the event's payload, or None for a record to skip. Raises EventError."""
        about = kafka_part(record) if self.kafka else None
        outer = payload.body if about is None else {**payload.body, KAFKA: about}
        if self.skips is not None and self.skips(outer):
            return None
        if self.body is None:
            return Payload(outer, payload.raw)
        event = self.body.read(Payload(outer, payload.raw))
        return event if about is None else Payload({**event.body, KAFKA: about}, event.raw)


NO_ENVELOPE: Final = Envelope()


def kafka_part(record: InputRecord) -> dict[str, Any]:
    """Return `$kafka`: topic, partition, offset, key, timestamp (epoch ms, or null) and headers, of
    several of a name the last. Bytes that are no UTF-8 are base64."""
    envelope = record.read_envelope()
    return {
        **record.source,
        "key": _text(envelope.key),
        "timestamp": envelope.timestamp if envelope.timestamp > 0 else None,
        "headers": {name: _text(value) for name, value in envelope.headers},
    }


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
