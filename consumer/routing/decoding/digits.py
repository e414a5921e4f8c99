"""Keeps the digits of numbers as they came: `129.90`, and integers beyond 64 bits.

orjson turns both into doubles (`129.9`, `1.2345678901234568e+22`), which would corrupt an order
number. orjson still reads the events, in a third of the time of the standard library's parser. The
standard library's parser reads a record again only if such a number goes into an invitation or an
id, and the double's text is not the only number of that text in the record.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson


class Written(float):
    """A JSON number with its original text."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Written:
        """Make the double nearest to `text`."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


Written.__name__ = "float"  # JMESPath's functions check types by name


class Exact(dict[str, Any]):
    """An event whose numbers have their text, as far as they can be had."""

    __slots__ = ()


Exact.__name__ = "dict"  # as with `Written`


class DigitsLostError(Exception):
    """The record must be parsed again: only the double of a number is known."""


def as_text(value: object) -> str | None:
    """Return a value as text for a vendor; None (null, or not JSON at all) means: omit the key.

    Text stays as it is, booleans become words, numbers their JSON text, the rest compact JSON.
    """
    if type(value) is str:
        return value
    if value is None:
        return None
    try:
        if type(value) is int:
            return str(value)  # orjson stops at 64 bits
        text = orjson.dumps(value, _written).decode()
    except (TypeError, ValueError, RecursionError):  # not JSON, or thousands of digits
        return None
    return None if text == "null" else text  # NaN and infinity, which a sum can yield


def text_in(raw: bytes, value: object) -> str | None:
    """Return `as_text` of a value of the record `raw`; raises DigitsLostError."""
    kind = type(value)
    if kind is float:
        return _stands(raw, repr(value))
    if (kind is list or kind is dict) and has_double(value):
        raise DigitsLostError
    return as_text(value)


def exact_body(raw: bytes, body: dict[str, Any]) -> Exact:
    """Parse the event again with exact numbers; return `body` if only orjson can parse it. What
    stands in `body` alone (`$kafka`) is kept."""
    try:
        found = exact_value(raw.decode())
    except (ValueError, RecursionError):
        return Exact(body)
    return Exact({**body, **found} if type(found) is dict else body)


def exact_value(text: str) -> Any:
    """Parse JSON with exact numbers. Raises ValueError and RecursionError."""
    return _decoder.decode(text)


def exact_text(value: object) -> bytes:
    """Return the JSON text of a value with its numbers' original digits; empty if it has none."""
    try:
        return orjson.dumps(value, _written)
    except (TypeError, ValueError, RecursionError):
        return b""


def _integer(text: str) -> int | Written:
    return int(text) if len(text) < 19 else Written(text)


_decoder: Final = json.JSONDecoder(parse_float=Written, parse_int=_integer)


def _written(value: object) -> orjson.Fragment:
    if type(value) is Written:
        return orjson.Fragment(value.text)
    raise TypeError


def _stands(raw: bytes, text: str) -> str:
    """Return `text` if it is the only number with these digits in `raw`; raises DigitsLostError.

    Otherwise the number in the record may have more digits."""
    digits = text.encode()
    at = raw.find(digits)
    end = at + len(digits)
    only = at > 0 and raw.find(digits, end) < 0
    if only and raw[at - 1] in b":[, \t\r\n" and raw[end] in b",]} \t\r\n":
        return text
    raise DigitsLostError


def has_double(value: object) -> bool:
    """Tell whether a value is or contains a double."""
    return contains(value, float)


def contains(value: object, kind: type) -> bool:
    """Tell whether a value is or contains one of exactly this type. Uses a stack: events nest
    arbitrarily deep."""
    stack = [value]
    while stack:
        found = stack.pop()
        if type(found) is kind:
            return True
        if type(found) is list:
            stack += found
        elif type(found) is dict:
            stack += found.values()
    return False
