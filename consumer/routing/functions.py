"""JMESPath's functions with bounds: one event must neither stop the router nor exhaust its memory.

Only `join` produces more than its arguments hold together: a separator of half a megabyte between a
hundred thousand texts would be 50 GB. JMESPath's own `to_number` accepts integers of thousands of
digits, which Python refuses to format, and `nan`, `inf` and `1_000`. `to_string`, `abs`, `ceil` and
`floor` keep a number's original digits. `lookup` and `parse_json` are ours: the
config's lookup tables, and JSON that stands in a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

import orjson
from jmespath import functions

from consumer.routing.decoding.digits import (
    DigitsLostError,
    Written,
    as_text,
    exact_value,
    has_double,
)
from consumer.routing.lookup import NO_TABLES, Tables

MAX_JOINED: Final = 2**20
"""Characters of a joined text, at most; an invitation has a quarter of it."""
MAX_NUMBER: Final = 400
"""Characters of a text that becomes a number, at most: more than a double has."""

_number: Final = re.compile(r"\s*[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?\s*", re.ASCII).fullmatch
_types = functions.signature


class Functions(functions.Functions):
    """The functions of every expression. A result beyond a bound is null."""

    def __init__(self, tables: Tables = NO_TABLES) -> None:
        self._tables = tables

    @_types({"types": []}, {"types": []}, {"types": []})
    def _func_lookup(self, table: object, key: object, column: object) -> str | None:
        found = self._tables.get(table) if type(table) is str else None
        return None if found is None else found.cell(key, column)

    @_types({"types": []})
    def _func_parse_json(self, arg: object) -> object:
        return _parsed(arg, orjson.loads)

    @_types({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> str | None:
        length = sum(map(len, array)) + len(separator) * len(array)
        return separator.join(array) if length <= MAX_JOINED else None

    @_types({"types": []})
    def _func_to_number(self, arg: object) -> object:
        if type(arg) is not str:
            return arg if isinstance(arg, (int, float)) and not isinstance(arg, bool) else None
        if len(arg) > MAX_NUMBER or not _number(arg):
            return None
        try:
            return int(arg)
        except ValueError:
            return _finite(arg)

    @_types({"types": []})
    def _func_to_string(self, arg: object) -> str | None:
        return "null" if arg is None else as_text(arg)

    @_types({"types": ["number"]})
    def _func_abs(self, arg: Any) -> Any:
        return arg if arg >= 0 else abs(arg)

    @_types({"types": ["number"]})
    def _func_ceil(self, arg: Any) -> Any:
        return arg if _whole(arg) else math.ceil(arg)

    @_types({"types": ["number"]})
    def _func_floor(self, arg: Any) -> Any:
        return arg if _whole(arg) else math.floor(arg)


class ExactFunctions(Functions):
    """Raises DigitsLostError where a double would become text."""

    @_types({"types": []}, {"types": []}, {"types": []})
    def _func_lookup(self, table: object, key: object, column: object) -> str | None:
        if type(key) is float:
            raise DigitsLostError
        return super()._func_lookup(table, key, column)

    @_types({"types": []})
    def _func_parse_json(self, arg: object) -> object:
        return _parsed(arg, exact_value)

    @_types({"types": []})
    def _func_to_string(self, arg: object) -> str | None:
        if has_double(arg):
            raise DigitsLostError
        return super()._func_to_string(arg)


def _parsed(text: object, parse: Callable[[str], object]) -> object:
    """Return the JSON value in a text; a value that is none stays, and text that is no JSON is
    null."""
    if type(text) is not str:
        return text
    try:
        return parse(text)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _whole(number: object) -> bool:
    return type(number) is Written and number.text.lstrip("-").isdigit()
