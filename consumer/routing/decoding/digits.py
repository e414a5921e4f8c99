"""Numbers with the digits that came: `129.90`, and integers beyond 64 bits.

orjson makes a double of both: `129.9`, `1.2345678901234568e+22`. An order number would be wrong for
good. It stays the reader of events, for it takes a third of the time of the standard library's,
which reads a record again only where such a number goes into an invitation or an id, and the text
of the double does not stand in the record as the one number of its kind.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

import orjson


class Written(float):
    """A number of a JSON document, with its text."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Written:
        """The double nearest to `text`."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


Written.__name__ = "float"  # JMESPath's functions go by the names of types


class DigitsLostError(Exception):
    """A number is known as a double only: its record is to be read again."""


def as_text(value: object) -> str | None:
    """A value as the vendors take it; None (null, or not JSON at all) means: omit the key.

    Text as it is, true and false as words, numbers as their JSON text, the rest as compact JSON.
    """
    if type(value) is str:
        return value
    if value is None:
        return None
    try:
        if type(value) is int:
            return str(value)  # orjson stops at 64 bits
        text = orjson.dumps(value, _written).decode()
    except (TypeError, ValueError, RecursionError):  # what is no JSON; thousands of digits
        return None
    return None if text == "null" else text  # NaN, and infinity: a sum may be


def text_of(_raw: bytes, value: object) -> str | None:
    """`as_text` of a value that has its digits, or of a double as it is."""
    return as_text(value)


def text_in(raw: bytes, value: object) -> str | None:
    """`as_text` of a value of the record `raw`; raises DigitsLostError where digits are lost."""
    kind = type(value)
    if kind is str:
        return cast("str", value)
    if kind is float:
        return _stands(raw, repr(value))
    if (kind is list or kind is dict) and _has_float(value):
        raise DigitsLostError
    return as_text(value)


def exact_body(raw: bytes, body: dict[str, Any]) -> dict[str, Any]:
    """The event again, its numbers as they are written; `body` where only orjson can read it."""
    try:
        found = _decoder.decode(raw.decode())
    except (ValueError, RecursionError):
        return body
    return found if type(found) is dict else body


def _integer(text: str) -> int | Written:
    return int(text) if len(text) < 19 else Written(text)


_decoder: Final = json.JSONDecoder(parse_float=Written, parse_int=_integer)


def _written(value: object) -> orjson.Fragment:
    if type(value) is Written:
        return orjson.Fragment(value.text)
    raise TypeError


def _stands(raw: bytes, text: str) -> str:
    """`text`, if it is the only number with these digits in `raw`; else it may have been longer."""
    digits = text.encode()
    at = raw.find(digits)
    end = at + len(digits)
    only = at > 0 and raw.find(digits, end) < 0
    if only and raw[at - 1] in b":[, \t\r\n" and raw[end] in b",]} \t\r\n":
        return text
    raise DigitsLostError


def _has_float(value: object) -> bool:
    """Whether a double stands in it; a stack, for an event nests as deep as it likes."""
    stack = [value]
    while stack:
        found = stack.pop()
        if type(found) is float:
            return True
        if type(found) is list:
            stack += found
        elif type(found) is dict:
            stack += found.values()
    return False
