"""An input record's bytes → an event, or the reason why it becomes a dead letter.

Messages say what was expected and never what was found: a dead letter's headers are read by more
people than its body.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consumer.errors import EventError
from consumer.model import DeadLetterReason, rfc3339
from consumer.routing.values import compile_value

MAX_ID: Final = 256
_MS_FROM: Final = 946_684_800_000  # 2000-01-01; seconds or microseconds would fall outside
_MS_TO: Final = 4_102_444_800_000  # 2100-01-01

# RFC 3339 section 5.6 without leap seconds. `fromisoformat` alone takes week dates, missing colons,
# any separator, and in newer Pythons 24:00.
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch


@dataclass(slots=True)
class Event:
    """A decoded event. `time`: epoch seconds; `time_text`: the same as RFC 3339, as it came."""

    body: dict[str, Any]
    id: str
    time: float
    time_text: str


class Decoder:
    """Decodes the records of one input.

    `id_path`, `time_path`: JMESPath; raises ValueError when they are none. `max_bytes`: the
    longest value that is read.
    """

    __slots__ = ("_id", "_id_path", "_max_bytes", "_time", "_time_path")

    def __init__(self, id_path: str, time_path: str, max_bytes: int) -> None:
        self._id, self._id_path = compile_value(id_path), id_path
        self._time, self._time_path = compile_value(time_path), time_path
        self._max_bytes = max_bytes

    def decode(self, value: bytes | None) -> Event:
        """A record's value → its event; raises `EventError` with the dead letter's reason."""
        if not value:
            raise EventError(DeadLetterReason.EMPTY, "the record has no value")
        if len(value) > self._max_bytes:
            expected = f"expected at most {self._max_bytes} bytes"
            raise EventError(DeadLetterReason.TOO_LARGE, expected)
        body = _load(value)
        event_id = self._read_id(body)
        time, time_text = self._read_time(body)
        return Event(body, event_id, time, time_text)

    def _read_id(self, body: dict[str, Any]) -> str:
        found = self._id(body)
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
        if type(found) is str and _RFC_3339(found):
            try:
                return dt.datetime.fromisoformat(found.upper()).timestamp(), found
            except ValueError:  # no such day; refused below, for the error quotes the event
                pass
        if type(found) is int and _MS_FROM <= found < _MS_TO:
            return found / 1000, rfc3339(found / 1000)
        if found is None:
            raise EventError(DeadLetterReason.NO_TIME, f"expected a time at `{self._time_path}`")
        expected = "expected RFC 3339 with an offset, as 2026-11-22T15:37:07Z, or an integer"
        where = f"of epoch milliseconds between 2000 and 2100, at `{self._time_path}`"
        raise EventError(DeadLetterReason.BAD_TIME, f"{expected} {where}")


def _load(value: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        position = error.pos
    else:
        if type(body) is dict:
            return body
        raise EventError(DeadLetterReason.NOT_OBJECT, "expected a JSON object")
    # Raised outside the handler: orjson's error carries the whole document.
    expected = f"expected one JSON document in UTF-8, stopped at character {position}"
    raise EventError(DeadLetterReason.NOT_JSON, expected)
