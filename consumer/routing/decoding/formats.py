"""Input formats: from a record to the body of its event, which routes match and read.

A payload decoder (deserializer) is a pure function of the whole record: of its value, and by
`read_envelope` also of key and headers, where a producer may put a schema's id or an event's
attributes. A new format is a module beside this one and a line in `FORMATS`, from which the config
takes the names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from msgspec import Struct

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord


class Payload(Struct, frozen=True, gc=False):
    """A decoded record.

    `raw`: the JSON text of a body whose numbers lost their digits (`digits`); else empty.
    """

    body: dict[str, Any]
    raw: bytes = b""


PayloadDecoder = Callable[[InputRecord], Payload]
"""Decodes a record that has a value; raises `EventError` with the reason for its dead letter."""


def decode_json(record: InputRecord) -> Payload:
    """Decode a value that is one JSON object in UTF-8."""
    value = record.value or b""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        position = error.pos
    else:
        if type(body) is dict:
            return Payload(body, value)
        raise EventError(DeadLetterReason.NOT_OBJECT, "expected a JSON object")
    # Raised outside the handler: orjson's error carries the whole document.
    expected = f"expected one JSON document in UTF-8, stopped at character {position}"
    raise EventError(DeadLetterReason.NOT_JSON, expected)


FORMATS: Final[Mapping[str, PayloadDecoder]] = {"json": decode_json}
"""An input's `format` → its payload decoder."""
