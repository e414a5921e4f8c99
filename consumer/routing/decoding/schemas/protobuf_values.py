"""Messages of protobuf's and Google's own types as an event has them.

| message | event |
|---|---|
| google.protobuf.Timestamp | RFC 3339 in UTC, with 0, 3, 6 or 9 digits of a second |
| google.protobuf.Duration | seconds as text: `3.500s` |
| google.protobuf.StringValue and the other wrappers | the value |
| google.protobuf.Struct, Value, ListValue | the JSON that they hold |
| google.protobuf.FieldMask | paths with commas between |
| google.type.Decimal, confluent.type.Decimal | a number with its digits, or text as in Avro |
| google.type.Money | `currency_code`, and `amount` as a decimal |
| google.type.Date | ISO 8601, if it is a whole date |

Sources: protobuf's ProtoJSON format for all of google.protobuf. A type is known by its name and its
fields: a schema may define another one under such a name.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from consumer.routing.decoding.digits import Written
from consumer.routing.decoding.schemas.avro_values import decimal_value, moment_text
from consumer.routing.decoding.schemas.schema_value import UnfitError

_NANOS: Final = 10**9
_LONGEST_DURATION: Final = 315_576_000_000
_LONGEST_DECIMAL: Final = 100
_LARGEST_SCALE: Final = 1000

Read = Callable[[Any, Any], Any]
"""Makes JSON's value of a message; the second argument is the budget of its values."""


def known_value(descriptor: Descriptor, read_message: Read) -> Read:
    """Return how a message is read: by `read_message`, which returns its fields, or as what it
    stands for."""
    name, fields = descriptor.full_name, " ".join(map(_form, descriptor.fields))
    expected, convert = _KNOWN.get(name, ("", _value))
    if name in _WRAPPERS:
        expected = fields if _is_wrapped(descriptor) else ""
    if not expected or fields != expected:
        return read_message
    return lambda message, budget: convert(read_message(message, budget))


def _form(field: FieldDescriptor) -> str:
    """Return a field's name, type, and whether it may be absent (?) or many (*)."""
    many = "*" if field.is_repeated else ""
    return f"{field.name}={field.type}{'?' if field.has_presence else ''}{many}"


def _is_wrapped(descriptor: Descriptor) -> bool:
    return [field.name for field in descriptor.fields if not field.has_presence] == ["value"]


def decimal_number(text: str) -> Written | int | str:
    """Return a decimal's text as a number with its digits, or as text if a double has others."""
    if len(text) > _LONGEST_DECIMAL:
        return text
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text
    if not exact.is_finite() or abs(exact.adjusted()) > _LONGEST_DECIMAL:
        return text
    plain = format(exact, "f")
    return Written(plain) if Decimal(repr(float(plain))) == exact else text


def _value(fields: dict[str, Any]) -> Any:
    return fields["value"]


def _timestamp(fields: dict[str, Any]) -> str:
    nanos = fields["nanos"]
    if not 0 <= nanos < _NANOS:
        raise UnfitError
    whole = moment_text(fields["seconds"] * _NANOS, "nanos", "")[:19]
    return f"{whole}{_fraction(nanos)}Z"


def _duration(fields: dict[str, Any]) -> str:
    seconds, nanos = fields["seconds"], fields["nanos"]
    opposed = seconds < 0 < nanos or nanos < 0 < seconds
    if abs(seconds) > _LONGEST_DURATION or abs(nanos) >= _NANOS or opposed:
        raise UnfitError
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def _fraction(nanos: int) -> str:
    """Return the digits of a second behind their point: none, 3, 6 or 9."""
    digits = f"{nanos:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return digits and f".{digits}"


def _json_value(fields: dict[str, Any]) -> Any:
    """Return what a Value holds: its one field that is set."""
    kind, found = next(iter(fields.items()), ("null_value", None))
    return None if kind == "null_value" else found


def _money(fields: dict[str, Any]) -> dict[str, Any]:
    units, nanos = fields["units"], fields["nanos"]
    if abs(nanos) >= _NANOS or units < 0 < nanos or nanos < 0 < units:
        raise UnfitError
    amount: Any = units
    if nanos:
        sign = "-" if units < 0 or nanos < 0 else ""
        amount = decimal_number(f"{sign}{abs(units)}.{abs(nanos):09}".rstrip("0"))
    return {"currency_code": fields["currency_code"], "amount": amount}


def _date(fields: dict[str, Any]) -> Any:
    parts = fields["year"], fields["month"], fields["day"]
    return dt.date(*parts).isoformat() if all(parts) else fields


def _unscaled(fields: dict[str, Any]) -> Any:
    scale = fields["scale"]
    if not 0 <= scale <= _LARGEST_SCALE:
        raise UnfitError
    return decimal_value(base64.b64decode(fields["value"]), scale)


_KNOWN: Final[dict[str, tuple[str, Callable[[dict[str, Any]], Any]]]] = {
    "google.protobuf.Timestamp": ("seconds=3 nanos=5", _timestamp),
    "google.protobuf.Duration": ("seconds=3 nanos=5", _duration),
    "google.protobuf.Struct": ("fields=11*", lambda fields: fields["fields"]),
    "google.protobuf.ListValue": ("values=11*", lambda fields: fields["values"]),
    "google.protobuf.Value": (
        "null_value=14? number_value=1? string_value=9? bool_value=8? struct_value=11? list_value=11?",  # noqa: E501 - one text
        _json_value,
    ),
    "google.protobuf.FieldMask": ("paths=9*", lambda fields: ",".join(fields["paths"])),
    "google.type.Decimal": ("value=9", lambda fields: decimal_number(fields["value"])),
    "google.type.Money": ("currency_code=9 units=3 nanos=5", _money),
    "google.type.Date": ("year=5 month=5 day=5", _date),
    "confluent.type.Decimal": ("value=12 precision=13 scale=5", _unscaled),
}
"""Name → its fields as `_form` writes them, and what its value is of those."""

_WRAPPERS: Final = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
