"""Follows expressions and patterns through the shape of events, and notes where they lead nowhere.

JMESPath is evaluated on shapes instead of values: a function's answer, a literal and what lies
below a field that is missing are unknown, and nothing is said of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from consumer.operations.event_fields.shape import Shape
from consumer.routing.expressions import syntax_tree
from consumer.routing.patterns.reader import steps_of

_ABSENT: Final = {"exists": False}


@dataclass(frozen=True, slots=True)
class MissingField:
    """A field that no document has: its path, and the fields that stand beside it."""

    path: str
    beside: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.rpartition(".")[2]


class _Place(NamedTuple):
    shape: Shape
    path: str

    def of_field(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


Found = _Place | None
"""Where an expression leads; None: unknown."""


def missing_in_expression(expression: str, events: Shape) -> list[MissingField]:
    """Return the fields of a JMESPath expression that no event has, each once."""
    walk = _Walk()
    walk.visit(syntax_tree(expression), _Place(events, ""))
    return list(dict.fromkeys(walk.missing))


def items_of(expression: str, events: Shape) -> Shape:
    """Return the shape of the elements that an expression gives; open if that is unknown."""
    found = _Walk().visit(syntax_tree(expression), _Place(events, ""))
    items = found.shape.items if found else None
    return items or Shape(is_open=True)


class _Walk:
    def __init__(self) -> None:
        self.missing: list[MissingField] = []
        self._ways: dict[str, Callable[[Mapping[str, Any], Found], Found]] = {
            "field": self._field,
            "subexpression": self._chain,
            "index_expression": self._chain,
            "pipe": self._chain,
            "index": self._element,
            "slice": lambda _node, at: at,
            "current": lambda _node, at: at,
            "identity": lambda _node, at: at,
            "projection": self._projection,
            "filter_projection": self._projection,
            "value_projection": self._values,
            "flatten": self._flatten,
            "or_expression": self._either,
            "expref": lambda node, _at: self._each(node, None),
        }

    def visit(self, node: Mapping[str, Any], at: Found) -> Found:
        """Return where a node leads from a place."""
        return self._ways.get(node["type"], self._each)(node, at)

    def _field(self, node: Mapping[str, Any], at: Found) -> Found:
        name = str(node["value"])
        if at is None or at.shape.is_open:
            return None
        found = at.shape.fields.get(name)
        if found is not None:
            return _Place(found, at.of_field(name))
        if not name.startswith("$"):  # `$kafka` stands beside the event
            self.missing.append(MissingField(at.of_field(name), tuple(at.shape.fields)))
        return None

    def _chain(self, node: Mapping[str, Any], at: Found) -> Found:
        for child in node["children"]:
            at = self.visit(child, at)
        return at

    def _each(self, node: Mapping[str, Any], at: Found) -> Found:
        for child in node["children"]:
            if isinstance(child, Mapping):
                self.visit(child, at)
        return None

    def _either(self, node: Mapping[str, Any], at: Found) -> Found:
        found = [self.visit(child, at) for child in node["children"]]
        known = [place for place in found if place is not None]
        if len(known) < len(found):
            return None
        merged = Shape()
        for place in known:
            merged.merge(place.shape)
        return _Place(merged, known[0].path)

    def _element(self, _node: Mapping[str, Any], at: Found) -> Found:
        if at is None or at.shape.items is None:
            return None
        return _Place(at.shape.items, f"{at.path}[]")

    def _projection(self, node: Mapping[str, Any], at: Found) -> Found:
        listed, *rest = node["children"]
        element = self._element(node, self.visit(listed, at))
        result, *condition = [self.visit(child, element) for child in rest]
        del condition  # visited for the fields that it names
        return self._as_list(result)

    def _values(self, node: Mapping[str, Any], at: Found) -> Found:
        mapping, rest = node["children"]
        found = self.visit(mapping, at)
        inner = None if found is None else _Place(found.shape.values(), f"{found.path}.*")
        return self._as_list(self.visit(rest, inner))

    def _flatten(self, node: Mapping[str, Any], at: Found) -> Found:
        """Return a list whose elements are those of the list and of the lists in it."""
        element = self._element(node, self._chain(node, at))
        if element is None:
            return None
        merged = Shape()
        merged.merge(element.shape)
        if element.shape.items is not None:
            merged.merge(element.shape.items)
        return self._as_list(_Place(merged, element.path))

    def _as_list(self, element: Found) -> Found:
        if element is None:
            return None
        listed = Shape()
        listed.items = element.shape
        return _Place(listed, element.path.removesuffix("[]"))


def missing_in_pattern(
    pattern: Mapping[str, Any], events: Shape, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], MissingField]]:
    """Yield the fields of an event pattern that no event has, with their places in it."""
    yield from _in_pattern(pattern, _Place(events, ""), path)


def _in_pattern(
    pattern: Mapping[str, Any], at: _Place, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], MissingField]]:
    for key, value in pattern.items():
        here = (*path, key)
        if key == "$or":
            for index, option in enumerate(value if isinstance(value, Sequence) else ()):
                if isinstance(option, Mapping):
                    yield from _in_pattern(option, at, (*here, index))
            continue
        found = _descend(key, at)
        if isinstance(found, MissingField):
            if not _asks_for_absence(value):
                yield here, found
        elif found is not None and isinstance(value, Mapping):
            yield from _in_pattern(value, found, here)


def _descend(key: str, at: _Place) -> _Place | MissingField | None:
    """Return where a pattern's key leads; objects within lists count as the object itself."""
    try:
        steps = steps_of(key)
    except ValueError:
        return None
    for step in steps:
        shape = at.shape
        while step not in shape.fields and shape.items is not None:
            shape = shape.items
        if shape.is_open or step.startswith("$"):
            return None
        if step not in shape.fields:
            return MissingField(at.of_field(step), tuple(shape.fields))
        at = _Place(shape.fields[step], at.of_field(step))
    return at


def _asks_for_absence(value: object) -> bool:
    return _ABSENT in (value if isinstance(value, list) else [value])
