"""Decodes an input record to an event, or gives the reason for its dead letter.

Messages say what was expected, never what was found: a dead letter's headers have more readers than
its body.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.digits import Written, exact_body
from consumer.routing.decoding.envelope import NO_ENVELOPE, Envelope
from consumer.routing.decoding.payload import Payload, PayloadDecoder
from consumer.routing.decoding.times import TimeReader
from consumer.routing.expressions import compile_value, needs_digits
from consumer.routing.lookup import NO_TABLES, Tables

MAX_ID: Final = 256
MAX_AHEAD: Final = 86_400.0
"""Seconds that an event's time may be ahead of the clock: more than skewed clocks or zones are."""


class Event(Struct, frozen=True, gc=False):
    """A decoded event. `time`: epoch seconds; `time_text`: the same as RFC 3339, as it came.

    `raw`: that of its `Payload`.
    """

    body: dict[str, Any]
    id: str
    time: float
    time_text: str
    raw: bytes


class EventDecoder:
    """Decodes the records of one input.

    `decode_payload`: the input's format. `id_path`, `time_path`: JMESPath; an invalid expression
    raises ValueError. `max_bytes`: the longest value that is accepted. `tables`: for `lookup()`.
    `envelope`: what lies around the event. `skip_tombstones`: a record without a value is skipped.
    """

    def __init__(
        self,
        decode_payload: PayloadDecoder,
        id_path: str,
        time_path: str,
        max_bytes: int,
        times: TimeReader | None = None,
        tables: Tables = NO_TABLES,
        envelope: Envelope = NO_ENVELOPE,
        *,
        skip_tombstones: bool = False,
    ) -> None:
        self._decode_payload = decode_payload
        self._id, self._id_path = compile_value(id_path, tables), id_path
        self._exact_id = needs_digits(id_path)
        self._time, self._time_path = compile_value(time_path, tables), time_path
        self._max_bytes = max_bytes
        self._envelope, self._skip_tombstones = envelope, skip_tombstones
        self._times = times or TimeReader()

    def load(self, record: InputRecord) -> Payload | None:
        """Decode a record to the event's body, which routes match; None for a record to skip.
        Raises `EventError`."""
        value = record.value
        if not value:
            if self._skip_tombstones:
                return None
            raise EventError(DeadLetterReason.EMPTY, "the record has no value")
        if len(value) > self._max_bytes:
            expected = f"expected at most {self._max_bytes} bytes"
            raise EventError(DeadLetterReason.TOO_LARGE, expected)
        payload = self._decode_payload(record)
        return payload if self._envelope is NO_ENVELOPE else self._envelope.open(record, payload)

    def identify(self, payload: Payload, now: float | None = None) -> Event:
        """Make the event of what `load` returned: add id and time. Raises `EventError`.

        With `now`, a time more than `MAX_AHEAD` later is refused: until then its invitation would
        not expire.
        """
        body, raw = payload.body, payload.raw
        event_id = self._read_id(body, raw)
        time, time_text = self._read_time(body)
        if now is not None and time - now > MAX_AHEAD:
            expected = f"expected a time at most {MAX_AHEAD:.0f} s ahead of the clock"
            raise EventError(DeadLetterReason.BAD_TIME, f"{expected}, at `{self._time_path}`")
        return Event(body, event_id, time, time_text, raw)

    def event_time(self, record: InputRecord) -> float:
        """Return the time of a record's event; 0 for one that cannot be read, or is skipped."""
        try:
            payload = self.load(record)
            return 0.0 if payload is None else self.identify(payload).time
        except EventError:
            return 0.0

    def _read_id(self, body: dict[str, Any], raw: bytes) -> str:
        found = self._id(body)
        if type(found) is float or self._exact_id:
            found = self._id(exact_body(raw, body))
        if type(found) is Written and found.text.isdigit():
            found = found.text  # beyond 64 bits
        if type(found) is str and 0 < len(found) <= MAX_ID and found.isprintable():
            return found
        if type(found) is int:
            return str(found)
        if found is None:
            raise EventError(DeadLetterReason.NO_ID, f"expected an id at `{self._id_path}`")
        expected = f"expected 1 to {MAX_ID} printable characters or an integer"
        raise EventError(DeadLetterReason.BAD_ID, f"{expected} at `{self._id_path}`")

    def _read_time(self, body: dict[str, Any]) -> tuple[float, str]:
        found = self._time(body)
        read = self._times(found)
        if read is not None:
            return read
        if found is None:
            raise EventError(DeadLetterReason.NO_TIME, f"expected a time at `{self._time_path}`")
        expected = "expected RFC 3339 with an offset, as 2026-11-22T15:37:07Z, or epoch s, ms, us"
        where = f"or ns between 2000 and 2100, at `{self._time_path}`"
        local = "a local time is read where the input's `event.timezone` names its zone"
        raise EventError(DeadLetterReason.BAD_TIME, f"{expected} {where}; {local}")
