"""JSON templates: a document in which some texts are places, each filled with a JSON value.

A place is a whole text, `"$phone"`: nothing is ever pasted into another text, so no value can
leave its place. `$$` at a text's beginning stands for a plain `$`. Keys are never filled.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

DATA: Final = "data."
"""`$data.<name>` is that name of an invitation's data."""

DEPTH: Final = 16
"""Levels that a template may have: beyond that it is a slip, or an attack on the program."""

_ABSENT: Final = object()


def check(document: JsonValue, known: Collection[str], *, data: bool = False) -> list[str]:
    """The names of all places, each once, in order.

    ValueError for one that is none of `known` (nor of the `data`), for a known one within another
    text or in a key, where it would not be filled, and for a document of too many levels.
    """
    mention = re.compile("|".join(map(re.escape, _signed(known, data))))
    found: dict[str, None] = {}
    for text, is_key in _texts(document):
        place = None if is_key else _place(text)
        if place is None and not text.startswith("$$") and mention.search(text):
            what = "keys are never filled" if is_key else "only a whole text is filled"
            raise ValueError(f"'{text}' would stay as it is: {what}")
        if place is not None:
            if place not in known and not (data and place[len(DATA) :] and place.startswith(DATA)):
                raise ValueError(f"'${place}' is not known here; there are: {_listed(known, data)}")
            found[place] = None
    return list(found)


def fill(document: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    """The document with its places filled; what has no value is left out of its object or list.

    A document that is itself a place without a value is null.
    """
    filled = _fill(document, values)
    return None if filled is _ABSENT else filled  # type: ignore[return-value]  # JSON, if not absent


def _fill(document: JsonValue, values: Mapping[str, JsonValue]) -> object:
    if isinstance(document, str):
        place = _place(document)
        if place is not None:
            return values.get(place, _ABSENT)
        return document[1:] if document.startswith("$$") else document
    if isinstance(document, dict):
        filled = {key: _fill(value, values) for key, value in document.items()}
        return {key: value for key, value in filled.items() if value is not _ABSENT}
    if isinstance(document, list):
        return [value for each in document if (value := _fill(each, values)) is not _ABSENT]
    return document


def _place(text: str) -> str | None:
    """The name of the place that a text is; `$` alone and `$$…` are none."""
    return text[1:] if len(text) > 1 and text[0] == "$" != text[1] else None


def _texts(document: JsonValue, depth: int = 1) -> Iterator[tuple[str, bool]]:
    """All texts, and whether each is a key."""
    if depth > DEPTH:
        raise ValueError(f"has more than {DEPTH} levels")
    if isinstance(document, str):
        yield document, False
    elif isinstance(document, dict):
        for key, value in document.items():
            yield key, True
            yield from _texts(value, depth + 1)
    elif isinstance(document, list):
        for each in document:
            yield from _texts(each, depth + 1)


def _signed(known: Collection[str], data: bool) -> list[str]:
    """What a text mentions a place by."""
    return [f"${name}" for name in known] + [f"${DATA}"] * data


def _listed(known: Collection[str], data: bool) -> str:
    return ", ".join(_signed(known, data)) + "<name>" * data
