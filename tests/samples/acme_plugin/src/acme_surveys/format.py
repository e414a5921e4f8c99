"""A till's own format: `number;time;store;phone`, one sale a record."""

from __future__ import annotations

from typing import Final

from consumer import api

NAMES: Final = ("id", "time", "store", "phone")


def decode_lines(record: api.InputRecord) -> api.Payload:
    """Decode one sale. Raises EventError for a line with another number of fields."""
    fields = (record.value or b"").decode(errors="replace").split(";")
    if len(fields) != len(NAMES):
        expected = f"expected {len(NAMES)} fields between semicolons, there are {len(fields)}"
        raise api.EventError(api.DeadLetterReason.NOT_OBJECT, expected)
    return api.Payload(dict(zip(NAMES, fields, strict=True)))
