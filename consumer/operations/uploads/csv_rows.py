"""Rows of a CSV file, one at a time; a broken row is reported and takes no other with it.

A quote that is never closed would swallow the rest of the file. So the lines of a record of several
lines that turns out broken are given back: its first line is the broken row, and reading goes on
with the second.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MOST_LINES: Final = 200
"""Lines of one row, at most: more are a quote that is never closed."""


EMPTY: Final = "is empty"


class Row(NamedTuple):
    """A row. `number`: as a spreadsheet counts, the header is 1; `line`: of the file; `problem`:
    why it cannot be read, in words that repeat none of it."""

    number: int
    line: int
    cells: list[str]
    problem: str = ""


class _EndlessRowError(Exception):
    """A row takes more than `MOST_LINES` lines."""


class _Lines:
    """The lines of a text; those of the row in work can be given back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._back: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self.taken.append(line)
        if len(self.taken) > MOST_LINES:
            raise _EndlessRowError
        return line

    def give_back(self) -> None:
        """Give back all lines of this row but the first."""
        self._back.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def read_rows(text: Iterable[str], separator: str, *, skipped_lines: int = 0) -> Iterator[Row]:
    """Yield all rows, the header first; cells without the blanks around them. `text`: lines with
    their line breaks; `skipped_lines`: stand before them in the file."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    number, line, width = 0, 1 + skipped_lines, 0
    while True:
        lines.taken.clear()
        try:
            cells, problem = next(reader), ""
        except StopIteration:
            return
        except (csv.Error, _EndlessRowError) as error:
            cells, problem = [], _why(error)
        if not problem and width:
            problem = _row_problem(cells, width)
        if problem not in {"", EMPTY}:  # an empty row is whole, also one of several lines
            lines.give_back()
        number += 1
        yield Row(number, line, [cell.strip() for cell in cells], problem)
        width = width or len(cells)
        line += len(lines.taken)


def _row_problem(cells: list[str], width: int) -> str:
    if not any(map(str.strip, cells)):
        return EMPTY
    if len(cells) == width:
        return ""
    found = f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}"
    return f"has {found}, and the header {width}"


def _why(error: Exception) -> str:
    text = str(error)
    if "field limit" in text:
        return f"has a cell of more than {csv.field_size_limit():,} characters"
    if isinstance(error, _EndlessRowError) or "end of data" in text:
        return "opens a quote that is never closed"
    return "has a quote at a wrong place"
