"""The conditions of many patterns on one field as a look-up: a value → the rows that accept it.

A pattern is a row, one bit. The answer has every row that accepts the value, and may have others:

- scalars, and text by its beginning or its end, with or without case: no others;
- ranges of numbers: a row's ranges are one from the lowest to the highest end, and a range that
  includes its high end reaches up to the next end of any range;
- wildcards: text with the literal head, or without one the literal tail;
- `exists` and `anything-but`: every scalar.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from math import inf
from operator import xor
from types import NoneType
from typing import Any, Final, NamedTuple

from consumer.routing.patterns.match import MISSING
from consumer.routing.patterns.nodes import Leaf
from consumer.routing.patterns.scalars import FOLD, SCALARS, fold, kind_of, parts_of

Rows = int
"""A set of rows: bit n is row n."""
Lookup = Callable[[Any], Rows]
_TEXT: Final = frozenset({"prefix", "suffix", "wildcard", FOLD})


class Column:
    """The conditions of all rows on one field; `rows` have one."""

    def __init__(self) -> None:
        self.rows: Rows = 0
        self._any: Rows = 0
        self._equal = {kind: defaultdict[object, Rows](int) for kind in (int, bool, NoneType)}
        self._texts, self._folded = _Texts(), _Texts()
        self._ranges = list[_Range]()

    def add(self, leaf: Leaf, row: Rows) -> None:
        """Add a row's condition, which does not hold by absence."""
        self.rows |= row
        ranges = list[_Range]()
        for accepted in leaf.accepted:
            if not isinstance(accepted, Mapping):
                self._add_scalar(accepted, row)
                continue
            [(name, argument)] = accepted.items()
            if name == "numeric" and argument[0] == "=":
                self._add_scalar(argument[1], row)
            elif name == "numeric":
                ranges.append(_range(argument, row))
            elif name not in _TEXT:
                self._any |= row
            elif isinstance(argument, Mapping):
                self._folded.add(name, fold(argument[FOLD]), row)
            elif name == FOLD:
                self._folded.add(name, fold(argument), row)
            else:
                self._texts.add(name, argument, row)
        if ranges:
            lows, highs, closed, _ = zip(*ranges, strict=True)
            self._ranges.append(_Range(min(lows), max(highs), any(closed), row))

    def _add_scalar(self, value: Any, row: Rows) -> None:
        kind = kind_of(value) or NoneType
        if kind is str:
            self._texts.whole[value] |= row
        else:
            self._equal[kind][value] |= row

    def rows_left(self, every: Rows) -> float:
        """Estimate how many of all rows remain if all values of the column are equally frequent."""
        values = len(self._texts) + len(self._folded) + sum(map(len, self._equal.values()))
        values += len({(entry.low, entry.high) for entry in self._ranges})
        own = self.rows.bit_count()
        return every.bit_count() - own + own / max(values, 1)

    def table(self) -> Mapping[type, Lookup]:
        """Map the type of an event's value, but an array, to the look-up of its rows."""
        found: dict[type, list[Lookup]] = {kind: [] for kind in SCALARS}
        for kind, rows in self._equal.items():
            found[kind] += [_equal(rows)] if rows else []
        found[int] += [_ranges(self._ranges)] if self._ranges else []
        found[float] = found[int]
        found[str] = self._texts.lookups()
        if folded := self._folded.lookups():
            found[str].append(_after_folding(_union(folded)))
        always: list[Lookup] = [lambda _value: self._any] if self._any else []
        table = {kind: _union(lookups + always) for kind, lookups in found.items()}
        table[dict] = table[type(MISSING)] = _union([])
        return table


class _Range(NamedTuple):
    """A range of numbers with its low end; with its high end if `closed`."""

    low: float
    high: float
    closed: bool
    row: Rows


def _range(argument: Sequence[Any], row: Rows) -> _Range:
    sign, number, *end = argument
    if end:
        return _Range(number, end[1], end[0] == "<=", row)
    return _Range(number, inf, True, row) if ">" in sign else _Range(-inf, number, "=" in sign, row)


def _ranges(ranges: Sequence[_Range]) -> Lookup:
    """Look a number up among ranges: their ends cut the line into pieces, each with its rows."""
    ends = sorted({end for entry in ranges for end in (entry.low, entry.high)})
    changes = [0] * (len(ends) + 2)
    for low, high, closed, row in ranges:
        changes[bisect_left(ends, low) + 1] ^= row
        changes[bisect_left(ends, high) + 1 + closed] ^= row
    pieces = list(accumulate(changes, xor))
    return lambda number: pieces[bisect_right(ends, number)]


class _Texts:
    """Rows by a text, by its beginning and by its end."""

    def __init__(self) -> None:
        self.whole, self._heads, self._tails = (defaultdict[str, Rows](int) for _ in range(3))

    def __len__(self) -> int:
        return len(self.whole) + len(self._heads) + len(self._tails)

    def add(self, name: str, text: str, row: Rows) -> None:
        """Add the operator `name` with its text."""
        if name == "wildcard":
            head, *middle = parts_of(text)
            name = "prefix" if head else "suffix"
            name, text = (name, head or middle[-1]) if middle else (FOLD, head)
        if name == FOLD:
            self.whole[text] |= row
        elif name == "prefix" or not text:
            self._heads[text] |= row
        else:
            self._tails[text] |= row

    def lookups(self) -> list[Lookup]:
        """Return the look-ups of a text, of which each finds some of the rows."""
        heads = [slice(length) for length in set(map(len, self._heads))]
        tails = [slice(-length, None) for length in set(map(len, self._tails))]
        found = [_equal(self.whole)] if self.whole else []
        found += [_by_part(self._heads, heads)] if heads else []
        found += [_by_part(self._tails, tails)] if tails else []
        return found


def _equal(rows: Mapping[Any, Rows]) -> Lookup:
    return lambda value: rows.get(value, 0)


def _by_part(rows: Mapping[str, Rows], parts: Sequence[slice]) -> Lookup:
    def lookup(text: str) -> Rows:
        found = 0
        for part in parts:
            found |= rows.get(text[part], 0)
        return found

    return lookup


def _after_folding(lookup: Lookup) -> Lookup:
    return lambda text: lookup(fold(text))


def _union(lookups: Sequence[Lookup]) -> Lookup:
    if not lookups:
        return lambda _value: 0
    return reduce(lambda one, two: lambda value: one(value) | two(value), lookups)
