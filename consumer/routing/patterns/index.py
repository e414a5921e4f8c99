"""Bitmap index of many patterns: tells which few an event may match, so that only they are tried.

Each pattern is a row, a bit in integers of as many bits; each alternative of an `$or` is a row of
its own. Each path on which rows have a condition is a column (`column`).

    candidates = AND over columns of (rows that accept the value at the path | rows without one)

- Sound, not exact: an event that matches is never left out; a candidate is tried. An array stands
  for all its elements, without regard to which of them satisfies which condition.
- A condition that may hold by absence (`exists: false`) is none.
- Cost of an event: a look-up in each column, and an AND of as many bits as there are rows.
- Memory: a bit for each pair of a row and a value that conditions name, half of them in the mean:
  5,000 rows with a value each take 2 MB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import product
from operator import or_
from typing import Any, Final

from consumer.routing.patterns.column import Column, Rows
from consumer.routing.patterns.match import MISSING, flat
from consumer.routing.patterns.nodes import Leaf, Node
from consumer.routing.patterns.pattern import Pattern

Keys = tuple[str, ...]
Conditions = dict[Keys, Leaf]

FEWEST: Final = 8
"""Patterns from which on an index is quicker than one pattern after the other."""
MAX_COLUMNS: Final = 8
MAX_ALTERNATIVES: Final = 16
"""Rows of a pattern, at most: with more, its `$or`s are no conditions."""


class PatternIndex:
    """Finds those of many patterns that an event may match."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._numbers = list[int]()
        columns = defaultdict[Keys, Column](Column)
        for number, pattern in enumerate(patterns):
            for conditions in _alternatives(pattern.node):
                row = 1 << len(self._numbers)
                self._numbers.append(number)
                for path, leaf in conditions.items():
                    columns[path].add(leaf, row)
        self._every: Rows = (1 << len(self._numbers)) - 1
        best = sorted(columns, key=lambda path: columns[path].rows_left(self._every))
        self.columns = [_compiled(path, columns[path], self._every) for path in best[:MAX_COLUMNS]]

    @classmethod
    def if_it_pays(cls, patterns: Sequence[Pattern]) -> PatternIndex | None:
        """Return the index, or None where trying one pattern after the other is as quick."""
        index = cls(patterns) if len(patterns) >= FEWEST else None
        return index if index and index.columns else None

    def candidates(self, event: dict[str, Any]) -> Iterator[int]:
        """Yield the numbers of the patterns that the event may match, in order."""
        rows = self._every
        for accepting in self.columns:
            rows &= accepting(event)
            if not rows & (rows - 1):
                break
        last = -1
        while rows:
            lowest = rows & -rows
            rows ^= lowest
            number = self._numbers[lowest.bit_length() - 1]
            if number != last:
                yield number
            last = number


def _alternatives(node: Node) -> list[Conditions]:
    """Multiply the `$or`s out: an event that matches satisfies all conditions of one item."""
    return _multiplied(node, (), ors=node.combinations() <= MAX_ALTERNATIVES)


def _multiplied(node: Node, path: Keys, *, ors: bool) -> list[Conditions]:
    groups = list[list[Conditions]]()
    for key, asked in node.fields.items():
        inside = (*path, key)
        groups += [[{inside: leaf}] for leaf in asked.leaves if not leaf.absent]
        groups += [_multiplied(asked.node, inside, ors=ors)] if asked.node else []
    for group in node.ors if ors else ():
        groups.append([found for child in group for found in _multiplied(child, path, ors=ors)])
    return [reduce(dict.__or__, chosen, {}) for chosen in product(*groups)]


def _compiled(path: Keys, column: Column, every: Rows) -> Callable[[dict[str, Any]], Rows]:
    """Compile a column to a look-up of the rows that an event leaves."""
    table, others = column.table(), every & ~column.rows

    def of_arrays(event: dict[str, Any]) -> Rows:
        values: list[Any] = [event]
        for key in path:
            objects = (value for value in flat(values) if type(value) is dict)
            values = [value[key] for value in objects if key in value]
        return reduce(or_, (table[type(value)](value) for value in flat(values)), others)

    def accepting(event: dict[str, Any]) -> Rows:
        value: Any = event
        for key in path:
            if type(value) is not dict:
                break
            value = value.get(key, MISSING)
        else:
            if type(value) is not list:
                return table[type(value)](value) | others
        return of_arrays(event) if type(value) is list else others

    return accepting
