"""From a value that its schema's reader has read to the payload of an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.routing.decoding.digits import Written, contains, exact_text
from consumer.routing.decoding.payload import Payload


class UnfitError(ValueError):
    """Bytes that are no value of their schema."""


def fitting_payload(schema: str, read: Callable[[], Any], *, decimals: bool) -> Payload:
    """Return the payload of what `read` returns. `schema`: its name, for people. `decimals`:
    whether the value may have any. `read` raises UnfitError. Raises EventError."""
    try:
        return _payload(read(), decimals=decimals)
    except UnfitError:
        fits = f"expected one value of schema {schema}"
    raise EventError(DeadLetterReason.NOT_ITS_SCHEMA, fits)


def _payload(found: Any, *, decimals: bool) -> Payload:
    if type(found) is not dict:
        raise EventError(DeadLetterReason.NOT_OBJECT, "expected a schema of a record or map")
    if not decimals or not contains(found, Written):
        return Payload(found)
    raw = exact_text(found)
    if not raw:  # deeper than its JSON text may be
        raise UnfitError
    return Payload(orjson.loads(raw), raw)
