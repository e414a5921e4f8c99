"""Reads one event as the router does: in two steps, between which routes are matched."""

from __future__ import annotations

from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import Event, EventDecoder
from consumer.routing.decoding.digits import as_text, exact_body
from consumer.routing.decoding.payload import Payload
from consumer.routing.expressions import compile_value


def decoded(decoder: EventDecoder, record: InputRecord) -> Event:
    """Return the event of a record that is not skipped. Raises EventError."""
    payload = decoder.load(record)
    assert payload is not None
    return decoder.identify(payload)


def exact_text_at(payload: Payload, path: str) -> str | None:
    """Return the text of a number of an event as the vendor gets it, with all its digits."""
    return as_text(compile_value(path)(exact_body(payload.raw, payload.body)))
