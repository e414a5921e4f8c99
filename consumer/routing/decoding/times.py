"""Reads a transaction's time, as producers write it, to epoch seconds and RFC 3339.

Accepted: RFC 3339; ISO 8601 without seconds (Java omits zero seconds), without colons in the offset
or at all, with a comma before the fraction, a blank for the T, `24:00`, a zone's name in brackets
behind the offset; epoch seconds, ms, µs and ns, as a number or as text. The magnitude gives the
unit: between 2000 and 2100 the ranges of the four are disjoint. A local time is accepted only if
the config names its zone. A leap second is the second after it, as in POSIX.

RFC 3339 text is kept unchanged. Other times are formatted: with at most 9 digits of a second from
text, 6 from numbers. Times before year 1 or after 9999 are refused.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

TimeUnit = Literal["auto", "s", "ms", "us", "ns"]
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FROM: Final = 946_684_800  # 2000-01-01
_TO: Final = 4_102_444_800  # 2100-01-01
_LONGEST: Final = 100

# RFC 3339 section 5.6 without leap seconds. `fromisoformat` alone also accepts week dates, any
# separator, and in newer Pythons 24:00.
_rfc_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d:[0-5]\d(?:\.\d{1,9})?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch
_iso_8601: Final = re.compile(
    r"""
    (?P<date>\d{4}-\d\d-\d\d(?=[Tt ]+\d\d:)|\d{8}(?=[Tt ]+\d{4}))[Tt\x20]+
    (?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,30}))?)?
    \x20*(?:
        (?P<utc>[Zz]|UTC|GMT)
        |(?P<sign>[+\-\u2212])(?P<hours>[01]\d|2[0-3]):?(?P<minutes>[0-5]\d)?
    )?
    (?:\[[\w/+\-:=!]+\])*
    """,
    re.ASCII | re.VERBOSE,
).fullmatch
_number: Final = re.compile(r"\d{1,25}(?:\.\d{1,25})?(?:[eE]\+?\d{1,2})?", re.ASCII).fullmatch


class TimeReader:
    """Reads an event's time. `unit`: of numbers; `zone`: of local times, or None."""

    __slots__ = ("_units", "_zone")

    def __init__(self, unit: TimeUnit = "auto", zone: str | None = None) -> None:
        self._units = tuple(_PER_SECOND.values()) if unit == "auto" else (_PER_SECOND[unit],)
        self._zone = None if zone is None else ZoneInfo(zone)

    def __call__(self, found: object) -> tuple[float, str] | None:
        """Return epoch seconds and the time as RFC 3339, or None if it is no accepted time."""
        if type(found) is str:
            return self._text(found)
        if type(found) is int or type(found) is float:
            return self._epoch(found)
        return None

    def _text(self, found: str) -> tuple[float, str] | None:
        try:
            if _rfc_3339(found):
                return dt.datetime.fromisoformat(found.upper()).timestamp(), found
            text = found.strip() if len(found) <= _LONGEST else ""
            if _number(text):
                return self._epoch(Decimal(text))
            parts = _iso_8601(text)
            return self._parts(parts) if parts else None
        except (ValueError, OverflowError):  # no such day, or out of the calendar's range
            return None

    def _epoch(self, number: float | Decimal) -> tuple[float, str] | None:
        for per in self._units:
            if _FROM * per <= number < _TO * per:
                seconds = float(number / per)
                return seconds, _text_of(dt.datetime.fromtimestamp(seconds, dt.UTC))
        return None

    def _parts(self, parts: re.Match[str]) -> tuple[float, str] | None:
        fraction = (parts["fraction"] or "")[:9]
        zone = _offset(parts) or self._zone
        if zone is None:
            return None
        whole, later = _whole_seconds(parts, bool(fraction.strip("0")))
        moment = whole.replace(tzinfo=zone)
        if isinstance(zone, ZoneInfo):
            moment = moment.astimezone(dt.UTC)
        if later == dt.timedelta(seconds=1) and not _ends_a_day(moment):
            return None
        moment += later
        micro = int(fraction[:6].ljust(6, "0") or 0)
        return moment.replace(microsecond=micro).timestamp(), _written(moment, fraction)


def _offset(parts: re.Match[str]) -> dt.tzinfo | None:
    if parts["utc"]:
        return dt.UTC
    if not parts["sign"]:
        return None
    away = dt.timedelta(hours=int(parts["hours"]), minutes=int(parts["minutes"] or 0))
    return dt.timezone(away if parts["sign"] == "+" else -away)


def _whole_seconds(parts: re.Match[str], fraction: bool) -> tuple[dt.datetime, dt.timedelta]:
    """Return a time that the calendar has, and what to add to it (24:00, leap second)."""
    date = dt.datetime.fromisoformat(parts["date"])
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    if (hour, minute, second, fraction) == (24, 0, 0, False):
        return date, dt.timedelta(days=1)
    leap = second == 60
    return date.replace(hour=hour, minute=minute, second=59 if leap else second), dt.timedelta(
        seconds=leap
    )


def _ends_a_day(moment: dt.datetime) -> bool:
    return moment.astimezone(dt.UTC).time() == dt.time(23, 59, 59)


def _written(moment: dt.datetime, fraction: str) -> str:
    """Format whole seconds as RFC 3339, with these digits of a second."""
    text = moment.isoformat()
    text, offset = text[:19], text[19:]
    return text + (f".{fraction}" if fraction else "") + ("Z" if offset == "+00:00" else offset)


def _text_of(moment: dt.datetime) -> str:
    digits = "milliseconds" if moment.microsecond % 1000 == 0 else "microseconds"
    return moment.isoformat(timespec=digits)[:-6] + "Z"
