"""Columns of a result for people: its fields, flat, and when it was written.

Left out are the version of the record, and `link`, which may hold personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from consumer.records.fields import rfc3339
from consumer.records.result import Result

Kind = Literal["text", "whole", "number", "yes_no", "list", "json"]
Row = dict[str, Any]


class Found(NamedTuple):
    """A result with the time of its record, in epoch seconds: what `--since` means."""

    result: Result
    written_at: float


_TIMES = ("event_time", "routed_at", "sent_at", "answered_at")
_KINDS: Final[Mapping[str, Kind]] = {
    "attempt": "whole",
    "http_status": "whole",
    "source_partition": "whole",
    "source_offset": "whole",
    "bucket": "number",
    "redirected": "yes_no",
    "fields": "list",
    "tags": "list",
    "person": "list",
    "keys": "json",
    "event": "json",
}
_NAMES: Final = (
    *("written_at", "status", "reason", "route", "campaign", "vendor", "channel"),
    *("id", "event_id", "batch", "attempt", "http_status", "vendor_code", "vendor_message"),
    *("recipient", *_TIMES, "source_topic", "source_partition", "source_offset"),
    *("config_version", "resend_of", "due_at", "rule", "eligible_at", "blocked_by"),
    *(
        "duplicate_of",
        "vendor_reference",
        "fields",
        "timezone",
        "timezone_from",
        "bucket",
        "tags",
        "person",
        "keys",
    ),
    *("event", "redirected", "contact", "traceparent"),
)
COLUMNS: Final[Mapping[str, Kind]] = {name: _KINDS.get(name, "text") for name in _NAMES}
"""Column → what it holds, in the order of output."""

_TEXT_OF_TIME: Final = {"month": 7, "day": 10, "hour": 13}
"""Name → characters of an RFC 3339 time in UTC that say it."""

MAPS: Final = ("event", "keys")
GROUPED_BY: Final = (*COLUMNS, *_TEXT_OF_TIME, "event.NAME", "keys.EXPRESSION")


def row_of(found: Found) -> Row:
    """Return a result as a row of all columns; None where it has no such field."""
    return {name: value(found) for name, value in _VALUES.items()}


def value_by(name: str) -> Callable[[Found], Any] | None:
    """Return the function that reads a column, a part of `written_at`, a value of the event
    (`event.NAME`) or of a rule's expression (`keys.EXPRESSION`) of a result; None if there is no
    such field."""
    if name in _TEXT_OF_TIME:
        length = _TEXT_OF_TIME[name]
        return lambda found: rfc3339(found.written_at)[:length]
    part, dot, key = name.partition(".")
    if dot and part in MAPS:
        return lambda found: _map(found, part).get(key)
    return _VALUES.get(name)


def _map(found: Found, name: str) -> Mapping[str, str | None]:
    return found.result.get(name) or {}  # type: ignore[return-value]  # one of MAPS


def _reader(name: str) -> Callable[[Found], Any]:
    if name == "written_at":
        return lambda found: rfc3339(found.written_at)
    if name.startswith("source_"):
        part = name.removeprefix("source_")
        return lambda found: found.result["source"][part]  # type: ignore[literal-required]  # a key
    if name in {"status", "reason"}:
        return lambda found: found.result[name].value  # type: ignore[literal-required]  # a key
    return lambda found: found.result.get(name)


_VALUES: Final[Mapping[str, Callable[[Found], Any]]] = {name: _reader(name) for name in COLUMNS}
