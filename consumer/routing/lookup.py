"""Lookup tables: what `lookup('stores', store.code, 'location_id')` reads in an expression.

A row is one tuple and all processes' configs share it, so a table costs little more than its text:
`rows` leads from the key's text to the row, `columns` from a column's name to the place in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from consumer.routing.decoding.digits import as_text

FUNCTION: Final = "lookup"
"""The function's name in expressions."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class LookupTable:
    """A table by key. An empty cell is None; keys and cells have no blanks around them."""

    columns: Mapping[str, int]
    rows: Mapping[str, Sequence[str | None]] = field(repr=False)

    def cell(self, key: object, column: object) -> str | None:
        """Return the cell's text; None if there is no such row or column, or the cell is empty.

        A number is its digits as they stand in the event, and blanks around a text are dropped. A
        list, an object and null are no keys.
        """
        at = self.columns.get(column) if type(column) is str else None
        row = self.rows.get(_key_text(key))
        return None if at is None or row is None else row[at]


Tables = Mapping[str, LookupTable]
"""Lookup tables by name."""
NO_TABLES: Final[Tables] = MappingProxyType({})


def _key_text(key: object) -> str:
    """Return the text by which a row is found, "" if none is."""
    if type(key) is str:
        return key.strip()
    return (as_text(key) or "") if isinstance(key, (int, float)) else ""
