"""Avro's logical types as an event has them: what JSON has no value for becomes text.

| Avro | event |
|---|---|
| decimal | a number with its digits if a double says the same, else text |
| timestamp-millis, -micros, -nanos | RFC 3339 in UTC |
| local-timestamp-… | ISO 8601 without an offset |
| date, time-millis, time-micros | ISO 8601 |
| uuid | text |
| bytes, fixed | base64 |
| NaN, infinity | null |

A logical type that is unknown, or that its schema says wrongly, counts as its underlying type, as
the Avro specification demands.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import struct
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from consumer.routing.decoding.digits import Written

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the offset is added as text
_FLOAT: Final = struct.Struct("<f")
_INTEGERS: Final = range(-(2**63), 2**64)
_FRACTION: Final[Mapping[str, int]] = {"millis": 3, "micros": 6, "nanos": 9}


def base64_text(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode()


def uuid_text(content: bytes) -> str:
    """Return 16 bytes as a UUID's text."""
    return str(uuid.UUID(bytes=content))


def finite(number: float) -> float | None:
    """Return a double that JSON has; None for the others."""
    return number if math.isfinite(number) else None


def float_number(content: bytes) -> float | None:
    """Return 4 bytes as the shortest number that they stand for: 0.1, not 0.10000000149011612."""
    number: float = _FLOAT.unpack(content)[0]
    if not math.isfinite(number):
        return None
    texts = (f"{number:.{digits}g}" for digits in range(6, 9))
    return next((float(text) for text in texts if _as_float(float(text)) == number), number)


def _as_float(number: float) -> float:
    """Return the float nearest to a number that has up to 8 digits of one: even the largest, in
    8 digits, is nearer to itself than to infinity."""
    return float(_FLOAT.unpack(_FLOAT.pack(number))[0])


def decimal_value(content: bytes, scale: int) -> int | Written | str:
    """Return a decimal's number with its digits, or its text if a double has other digits."""
    unscaled = int.from_bytes(content, signed=True)
    if not scale:
        return unscaled if unscaled in _INTEGERS else str(unscaled)
    digits = tuple(map(int, str(abs(unscaled))))
    exact = Decimal((int(unscaled < 0), digits, -scale))
    text = format(exact, "f")
    return Written(text) if Decimal(repr(float(text))) == exact else text


def date_text(days: int) -> str:
    """Return days since 1970 as a date. Raises OverflowError."""
    return (_EPOCH + dt.timedelta(days=days)).date().isoformat()


def moment_text(count: int, unit: str, offset: str) -> str:
    """Return so many units since 1970 as a date with a time. Raises OverflowError."""
    digits = _FRACTION[unit]
    seconds, fraction = divmod(count, 10**digits)
    whole = (_EPOCH + dt.timedelta(seconds=seconds)).isoformat()
    return f"{whole}.{fraction:0{digits}}{offset}"


def time_text(count: int, unit: str) -> str:
    """Return so many units since midnight as a time. Raises ValueError."""
    digits = _FRACTION[unit]
    seconds, fraction = divmod(count, 10**digits)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    whole = dt.time(hour, minute, second).isoformat()
    return f"{whole}.{fraction:0{digits}}"


def of_number(logical: object) -> Callable[[int], Any] | None:
    """Return how a number of a logical type is written; None if it stays a number."""
    name, _, unit = str(logical).rpartition("-")
    if logical == "date":
        return date_text
    if unit in _FRACTION and name in {"timestamp", "local-timestamp"}:
        offset = "Z" if name == "timestamp" else ""
        return lambda count: moment_text(count, unit, offset)
    if name == "time" and unit in {"millis", "micros"}:
        return lambda count: time_text(count, unit)
    return None


def of_bytes(schema: Mapping[str, Any]) -> Callable[[bytes], Any]:
    """Return how bytes, or a fixed, of this schema are written."""
    logical, scale = schema.get("logicalType"), schema.get("scale", 0)
    if logical == "decimal" and type(scale) is int and scale >= 0:
        return lambda content: decimal_value(content, scale)
    if logical == "uuid" and schema.get("size") == 16:
        return uuid_text
    return base64_text
