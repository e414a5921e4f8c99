"""JSON templates: a document in which some texts are places, each filled with a JSON value.

A place is a whole text, `"$phone"`: a value is never inserted into another text, so it cannot leave
its place. `$$` at a text's beginning is a plain `$`. Keys are never filled.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

DATA: Final = "data."
"""`$data.<name>` is that name of an invitation's data."""

DEPTH: Final = 16
"""Levels of a template, at most: more are a mistake, or an attack on the program."""

_ABSENT: Final = object()


def check(document: JsonValue, known: Collection[str], *, data: bool = False) -> list[str]:
    """Return the names of all places, each once, in order.

    Raises ValueError for a place that is not in `known` (nor in the `data`), for a known one within
    another text or in a key, which would not be filled, and for too many levels.
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
    """Fill the places of a document; a place without a value is left out of its object or list.

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
        return [value for item in document if (value := _fill(item, values)) is not _ABSENT]
    return document


def _place(text: str) -> str | None:
    """Return the name of the place that a text is, or None; `$` alone and `$$…` are no places."""
    return text[1:] if len(text) > 1 and text[0] == "$" != text[1] else None


def _texts(document: JsonValue, depth: int = 1) -> Iterator[tuple[str, bool]]:
    """Yield all texts, and whether each is a key; raises ValueError for too many levels."""
    if depth > DEPTH:
        raise ValueError(f"has more than {DEPTH} levels")
    if isinstance(document, str):
        yield document, False
    elif isinstance(document, dict):
        for key, value in document.items():
            yield key, True
            yield from _texts(value, depth + 1)
    elif isinstance(document, list):
        for item in document:
            yield from _texts(item, depth + 1)


def _signed(known: Collection[str], data: bool) -> list[str]:
    """List the signs by which a text mentions a place."""
    return [f"${name}" for name in known] + [f"${DATA}"] * data


def _listed(known: Collection[str], data: bool) -> str:
    return ", ".join(_signed(known, data)) + "<name>" * data
