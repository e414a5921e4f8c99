"""Payload: the decoded body of a record, and its decoder for JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
