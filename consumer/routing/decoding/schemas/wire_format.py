"""Confluent's wire format: which schema a record's value was written with, and where it begins.

    header __value_schema_id = schema id, value = datum         (read first)
    value = 00, id (4 bytes, big endian), datum
    value = 01, GUID (16 bytes), datum

The header's content has one of the same two forms.
"""

from __future__ import annotations

import uuid
from typing import Final, NamedTuple

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord

HEADER: Final = "__value_schema_id"
_EXPECTED: Final = (
    f"expected a schema id: header {HEADER}, or a value that begins with byte 0 and an id of 4 "
    "bytes, or with byte 1 and a GUID"
)


class WrittenWith(NamedTuple):
    """A value's schema as the registry names it (digits of an id, or a GUID), and its datum."""

    schema: str
    datum: bytes


def written_with(record: InputRecord) -> WrittenWith:
    """Return the schema's name and the datum of a record. Raises EventError."""
    value = record.value or b""
    for name, content in reversed(record.read_envelope().headers):
        if name == HEADER and content is not None:
            named = _named(content)
            if named is not None:
                return WrittenWith(named.schema, value)
    found = _named(value)
    if found is None:
        raise EventError(DeadLetterReason.NO_SCHEMA_ID, _EXPECTED)
    return found


def _named(content: bytes) -> WrittenWith | None:
    if content[:1] == b"\x00" and len(content) >= 5:
        return WrittenWith(str(int.from_bytes(content[1:5])), content[5:])
    if content[:1] == b"\x01" and len(content) >= 17:
        return WrittenWith(str(uuid.UUID(bytes=content[1:17])), content[17:])
    return None
