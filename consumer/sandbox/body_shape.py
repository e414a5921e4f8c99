"""Compares a JSON document with a template, in which some texts are places for values.

`$name` as a whole text is a place; `$$…` is the text without its first sign. The double has its own
reading of templates: a mistake in the program's filling must not be repeated here. An object may
lack a key whose value is an optional place, and has no other keys than its template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class ShapeError(Exception):
    """Where a document differs from its template, and what was expected there; no value of it."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path}: expected {expected}")


@dataclass(frozen=True, slots=True)
class Place:
    """What may fill a place: `accepts` checks a value, `expected` says it in words."""

    accepts: Callable[[Any], bool]
    expected: str
    optional: bool = False


Places = Callable[[str], Place | None]
"""The name of a place → what may fill it; None if there is no such place."""


def place_name(template: Any) -> str | None:
    """Return the name of the place that a template is, or None."""
    is_place = isinstance(template, str) and len(template) > 1 and template[0] == "$"
    return template[1:] if is_place and template[1] != "$" else None


def compare(template: Any, document: Any, places: Places, path: str = "body") -> dict[str, Any]:
    """Return place → value as the document has them. Raises ShapeError at the first difference."""
    found: dict[str, Any] = {}
    _compare(template, document, places, path, found)
    return found


def _compare(
    template: Any, document: Any, places: Places, path: str, found: dict[str, Any]
) -> None:
    name = place_name(template)
    place = places(name) if name is not None else None
    if name is not None and place is not None:
        if not place.accepts(document):
            raise ShapeError(path, place.expected)
        found[name] = document
    elif isinstance(template, Mapping):
        _compare_objects(template, document, places, path, found)
    elif isinstance(template, list):
        _compare_lists(template, document, places, path, found)
    elif _literal(template) != document or type(_literal(template)) is not type(document):
        raise ShapeError(path, "the template's own value")


def _compare_objects(
    template: Mapping[str, Any], document: Any, places: Places, path: str, found: dict[str, Any]
) -> None:
    if not isinstance(document, dict):
        raise ShapeError(path, "an object")
    if document.keys() - template.keys():
        raise ShapeError(path, f"no other keys than {', '.join(template)}")
    for key, inner in template.items():
        if key in document:
            _compare(inner, document[key], places, f"{path}.{key}", found)
        elif not _optional(inner, places):
            raise ShapeError(f"{path}.{key}", "a value")


def _compare_lists(
    template: list[Any], document: Any, places: Places, path: str, found: dict[str, Any]
) -> None:
    """Compare item by item; an optional place may be left out of the list, too."""
    if not isinstance(document, list):
        raise ShapeError(path, "a list")
    rest = list(document)
    for index, inner in enumerate(template):
        needed = sum(not _optional(each, places) for each in template[index:])
        if _optional(inner, places) and len(rest) <= needed:
            continue
        if not rest:
            raise ShapeError(f"{path}[{index}]", "a value")
        _compare(inner, rest.pop(0), places, f"{path}[{index}]", found)
    if rest:
        raise ShapeError(path, "no further items")


def _optional(template: Any, places: Places) -> bool:
    name = place_name(template)
    place = places(name) if name is not None else None
    return place is not None and place.optional


def _literal(template: Any) -> Any:
    doubled = isinstance(template, str) and template.startswith("$$")
    return template[1:] if doubled else template
