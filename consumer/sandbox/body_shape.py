"""Compares a JSON document with a template, in which some texts are places for values.

`$name` as a whole text is a place; `$$…` is the text without its first sign. The double has its own
reading of templates: a mistake in the program's filling must not be repeated here. An object may
lack a key whose value is an optional place, and has no other keys than its template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson


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


def compare(
    template: Any, document: Any, places: Places, path: str = "body", *, texts: bool = False
) -> dict[str, Any]:
    """Return place → value as the document has them. Raises ShapeError at the first difference.

    `texts`: the document is of a form, where every value is text and what is empty is not there.
    """
    comparison = _Comparison(places, texts)
    comparison.compare(template, document, path)
    return comparison.found


class _Comparison:
    def __init__(self, places: Places, texts: bool) -> None:
        self._places, self._texts = places, texts
        self.found: dict[str, Any] = {}

    def compare(self, template: Any, document: Any, path: str) -> None:
        name = place_name(template)
        place = self._places(name) if name is not None else None
        if name is not None and place is not None:
            if not place.accepts(document):
                raise ShapeError(path, place.expected)
            self.found[name] = document
        elif isinstance(template, Mapping):
            self._objects(template, document, path)
        elif isinstance(template, list):
            self._lists(template, document, path)
        else:
            self._literals(template, document, path)

    def _literals(self, template: Any, document: Any, path: str) -> None:
        wanted = _literal(template)
        if self._texts and not isinstance(wanted, str):
            wanted = orjson.dumps(wanted).decode()
        if wanted != document or type(wanted) is not type(document):
            raise ShapeError(path, "the template's own value")

    def _objects(self, template: Mapping[str, Any], document: Any, path: str) -> None:
        if not isinstance(document, dict):
            raise ShapeError(path, "an object")
        if document.keys() - template.keys():
            raise ShapeError(path, f"no other keys than {', '.join(template)}")
        for key, inner in template.items():
            if key in document:
                self.compare(inner, document[key], f"{path}.{key}")
            elif self._texts and isinstance(inner, Mapping | list):
                self.compare(inner, type(inner)(), f"{path}.{key}")
            elif not self._optional(inner):
                raise ShapeError(f"{path}.{key}", "a value")

    def _lists(self, template: list[Any], document: Any, path: str) -> None:
        """Compare item by item; an optional place may be left out of the list, too."""
        if not isinstance(document, list):
            raise ShapeError(path, "a list")
        rest = list(document)
        for index, inner in enumerate(template):
            needed = sum(not self._optional(each) for each in template[index:])
            if self._optional(inner) and len(rest) <= needed:
                continue
            if not rest:
                raise ShapeError(f"{path}[{index}]", "a value")
            self.compare(inner, rest.pop(0), f"{path}[{index}]")
        if rest:
            raise ShapeError(path, "no further items")

    def _optional(self, template: Any) -> bool:
        """Tell whether a document may lack this: a place without a value, or a form's null."""
        name = place_name(template)
        place = self._places(name) if name is not None else None
        return (place is not None and place.optional) or (self._texts and template is None)


def _literal(template: Any) -> Any:
    doubled = isinstance(template, str) and template.startswith("$$")
    return template[1:] if doubled else template
