"""Confluent's wire format: which schema a record's value was written with, and where it begins.

    header __value_schema_id = schema id, value = datum         (read first)
    value = 00, id (4 bytes, big endian), datum
    value = 01, GUID (16 bytes), datum

The header's content has one of the same two forms. Protobuf has a list of numbers behind the id, be
it in the value or in the header: which message of the schema's file the datum is. The list is its
length, then its numbers, as zigzag varints; a single 0 stands for the list of one 0.
"""

from __future__ import annotations

import uuid
from typing import Final, NamedTuple

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.schemas.schema_value import UnfitError

HEADER: Final = "__value_schema_id"
_FIRST: Final = (0,)
"""The place of a file's first message."""

_DEEPEST: Final = 64
"""Messages inside of each other in a schema's file, at most."""

_EXPECTED: Final = (
    f"expected a schema id: header {HEADER}, or a value that begins with byte 0 and an id of 4 "
    "bytes, or with byte 1 and a GUID"
)


class WrittenWith(NamedTuple):
    """A value's schema as the registry names it (digits of an id, or a GUID), and its datum.

    `behind_id`: what follows the id in a header; None if the id stands in the value.
    """

    schema: str
    datum: bytes
    behind_id: bytes | None = None


def written_with(record: InputRecord) -> WrittenWith:
    """Return the schema's name and the datum of a record. Raises EventError."""
    value, headers = record.value or b"", record.read_envelope().headers
    for name, content in reversed(headers) if headers else ():
        if name == HEADER and content is not None:
            named = _named(content)
            if named is not None:
                return WrittenWith(named.schema, value, named.datum)
    found = _named(value)
    if found is None:
        raise EventError(DeadLetterReason.NO_SCHEMA_ID, _EXPECTED)
    return found


def message_place(written: WrittenWith) -> tuple[tuple[int, ...], bytes]:
    """Return where a message stands in its schema's file, and its datum. Raises UnfitError."""
    if written.behind_id is None:
        return _listed(written.datum)
    place, behind = _listed(written.behind_id or b"\x00")
    if behind:
        raise UnfitError
    return place, written.datum


def _listed(content: bytes) -> tuple[tuple[int, ...], bytes]:
    if content.startswith(b"\x00"):  # almost all
        return _FIRST, content[1:]
    count, at = _number(content, 0)
    if not 0 < count <= _DEEPEST:
        raise UnfitError
    found = []
    for _ in range(count):
        number, at = _number(content, at)
        found.append(number)
    return tuple(found), content[at:]


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Return a zigzag varint of at most 32 bits, and where it ends."""
    found = 0
    for shift in range(0, 35, 7):
        if at >= len(content):
            raise UnfitError
        byte, at = content[at], at + 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at
    raise UnfitError


def _named(content: bytes) -> WrittenWith | None:
    if content[:1] == b"\x00" and len(content) >= 5:
        return WrittenWith(str(int.from_bytes(content[1:5])), content[5:])
    if content[:1] == b"\x01" and len(content) >= 17:
        return WrittenWith(str(uuid.UUID(bytes=content[1:17])), content[17:])
    return None
