"""The shape of many JSON documents: which fields there are, without any value."""

from __future__ import annotations

from typing import Any, Final

MOST: Final = 5_000
"""Fields of one object, beyond which its keys are taken for values, as ids are."""

DEEPEST: Final = 64


class Shape:
    """What stands at one place of all documents: the fields of objects, the elements of lists.

    `is_open`: any field may be there, for more than is known of it.
    """

    __slots__ = ("fields", "is_open", "items")

    def __init__(self, *, is_open: bool = False) -> None:
        self.fields: dict[str, Shape] = {}
        self.items: Shape | None = None
        self.is_open = is_open

    def add(self, value: Any, depth: int = 0) -> None:
        """Add a document."""
        if isinstance(value, dict):
            self._add_object(value, depth)
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for element in value:
                self.items.add(element, depth + 1)

    def _add_object(self, value: dict[str, Any], depth: int) -> None:
        if depth >= DEEPEST or len(self.fields) > MOST:
            self.is_open = True
            return
        for key, inner in value.items():
            self.fields.setdefault(key, Shape()).add(inner, depth + 1)

    def with_field(self, name: str, shape: Shape) -> Shape:
        """Return a copy that has another field."""
        copy = Shape(is_open=self.is_open)
        copy.fields, copy.items = {**self.fields, name: shape}, self.items
        return copy

    def values(self) -> Shape:
        """Return what its fields have in common with each other: the shape of any of them."""
        merged = Shape(is_open=self.is_open)
        for field in self.fields.values():
            merged.merge(field)
        return merged

    def merge(self, other: Shape) -> None:
        """Add all that another shape has."""
        self.is_open |= other.is_open
        for name, field in other.fields.items():
            self.fields.setdefault(name, Shape()).merge(field)
        if other.items is not None:
            self.items = self.items or Shape()
            self.items.merge(other.items)
