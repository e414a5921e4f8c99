"""JSON Schema: JSON behind a schema id.

The schema is not needed to read the event. By default values are not validated: the routes'
expressions say what an event must have, and a registry that is down delays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.payload import Payload, PayloadDecoder, decode_json
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.decoding.schemas.wire_format import WrittenWith, written_with

DEEPEST: Final = 64
"""Objects and lists inside of each other that are validated: the validator is a recursion in native
code, which ends the process where the stack ends (1,000 deep with a schema of 15 nested parts)."""


class JsonSchema(Struct, frozen=True):
    """A schema of JSON. `misfit`: says where a value does not fit, without the value; None if it
    does."""

    misfit: Callable[[dict[str, Any]], str | None]
    kind: ClassVar[str] = "JSON"


def decode_json_schema(record: InputRecord) -> Payload:
    """Decode a value of a JSON Schema serialiser. Raises EventError."""
    return _decode(record, written_with(record))


def validating_decoder(book: SchemaBook) -> PayloadDecoder:
    """Return the decoder of values that must fit their schema, which is in the book."""

    def decode_valid(record: InputRecord) -> Payload:
        written = written_with(record)
        schema = book.find(written.schema, JsonSchema)
        payload = _decode(record, written)
        opened = written.datum.count(b"{") + written.datum.count(b"[")  # mostly few: no walk
        deep = opened > DEEPEST and is_deeper(payload.body, DEEPEST)
        misfit = f"at most {DEEPEST} levels" if deep else schema.misfit(payload.body)
        if misfit is None:
            return payload
        expected = f"expected one value of schema {written.schema}: {misfit}"
        raise EventError(DeadLetterReason.NOT_ITS_SCHEMA, expected)

    return decode_valid


def is_deeper(value: object, levels: int) -> bool:
    """Tell whether objects and lists lie inside of each other deeper than so many levels."""
    inside = [value]
    for _ in range(levels):
        inside = [item for found in inside if type(found) is dict for item in found.values()] + [
            item for found in inside if type(found) is list for item in found
        ]
        if not inside:
            return False
    return any(type(found) in (dict, list) for found in inside)


def _decode(record: InputRecord, written: WrittenWith) -> Payload:
    return decode_json(msgspec.structs.replace(record, value=written.datum))
