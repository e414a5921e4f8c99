"""Reads a lookup table from CSV text, and tells where such a text is wrong.

A message names lines and columns and never repeats a cell. Memory is the rows': a cell that many
rows have is kept once, and lines of keys are looked up again for a message.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Final, NamedTuple, get_args

from consumer.config.checks.messages import nearest
from consumer.config.tables import Delimiter
from consumer.routing.lookup import LookupTable

MOST_ROWS: Final = 200_000
MOST_PROBLEMS: Final = 20
"""Problems of one text that are reported."""

_MOST_SHARED: Final = 10_000
"""Different cells that are compared with later ones: cells of a few values are among the first."""
_QUOTES: Final = 'a cell with a delimiter, a line break or a quote in it is written "a ""b"" c"'

Cells = tuple[str | None, ...]


class TableProblem(NamedTuple):
    """One thing wrong with a CSV text."""

    line: int
    message: str
    hint: str = ""


class TableError(ValueError):
    """The text is no lookup table; `problems` tells why."""

    def __init__(self, *problems: TableProblem) -> None:
        super().__init__()
        self.problems = problems


def parse_table(text: str, key: str, delimiter: str | None = None) -> LookupTable:
    """Return the table of a CSV text; raises TableError. Columns without a name are left out."""
    mark, header = _find_header(text, key, delimiter)
    named = [at for at, name in enumerate(header.cells) if name]
    columns: dict[str, int] = {}
    for place, at in enumerate(named):
        name = header.cells[at]
        if columns.setdefault(name, place) != place:
            message = f"names the column '{name}' twice"
            raise TableError(TableProblem(header.line, message, "rename or remove one of them"))
    return LookupTable(columns, _Body(text, mark, header, header.cells.index(key)).rows(named))


class _Row(NamedTuple):
    line: int
    cells: list[str]


class _Body:
    """The rows behind the header. `at`: the place of the key's cell."""

    def __init__(self, text: str, mark: str, header: _Row, at: int) -> None:
        self._text, self._mark, self._header, self._at = text, mark, header, at

    def rows(self, named: list[int]) -> dict[str, Cells]:
        """Return key → cells of the named columns; raises TableError."""
        rows: dict[str, Cells] = {}
        problems: list[TableProblem] = []
        shared: dict[str, str] = {}
        for row in self._split():
            problem = self._problem(row, rows)
            if problem is not None:
                problems.append(problem)
                if len(problems) == MOST_PROBLEMS or len(rows) == MOST_ROWS:
                    break
                continue
            rows[row.cells[self._at]] = tuple([_share(row.cells[at], shared) for at in named])
        if problems:
            raise TableError(*problems)
        return rows

    def _split(self) -> Iterator[_Row]:
        return _split(self._text, self._mark, after=self._header.line)

    def _problem(self, row: _Row, rows: dict[str, Cells]) -> TableProblem | None:
        found, width = len(row.cells), len(self._header.cells)
        if found != width:
            message = f"has {found} {'cell' if found == 1 else 'cells'}, and the header {width}"
            return TableProblem(row.line, message, _QUOTES)
        key = row.cells[self._at]
        if not key:
            return TableProblem(row.line, "has no key", "write one, or take the row out")
        if key in rows:
            message = f"has the same key as line {self._line_of(key)}"
            return TableProblem(row.line, message, "keep one of them")
        if len(rows) == MOST_ROWS:
            return TableProblem(row.line, f"is beyond {MOST_ROWS} rows", "leave some out")
        return None

    def _line_of(self, key: str) -> int:
        width = len(self._header.cells)
        rows = (row for row in self._split() if len(row.cells) == width)
        return next(row.line for row in rows if row.cells[self._at] == key)


def _share(cell: str, shared: dict[str, str]) -> str | None:
    """Return the cell, or the equal text of an earlier row; None for an empty one."""
    if len(shared) < _MOST_SHARED:
        return shared.setdefault(cell, cell) or None
    return shared.get(cell, cell) or None


def _find_header(text: str, key: str, delimiter: str | None) -> tuple[str, _Row]:
    """Return the delimiter and the first row, which names the columns."""
    found: dict[str, _Row] = {}
    refused: list[TableError] = []
    for name in get_args(Delimiter) if delimiter is None else [delimiter]:
        mark = "\t" if name == "tab" else name
        try:
            found[mark] = next(_split(text, mark), _Row(1, []))
        except TableError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    mark = max(found, key=lambda mark: (key in found[mark].cells, len(found[mark].cells)))
    header = found[mark]
    if not header.cells:
        raise TableError(TableProblem(1, "is empty", "its first row names the columns"))
    if key not in header.cells:
        # Without a list of what is there: it is a row's content where the header is missing.
        hint = nearest(key, header.cells) or "the first row names the columns; `key` is one of them"
        raise TableError(TableProblem(header.line, f"names no column '{key}'", hint))
    return mark, header


def _split(text: str, mark: str, after: int = 0) -> Iterator[_Row]:
    """Yield the rows behind a line, without blanks around cells; rows without text are passed."""
    lines = StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TableError(TableProblem(line, *_why(str(error)))) from None
        if cells is None:
            return
        stripped = [cell.strip() for cell in cells]
        if line > after and any(stripped):
            yield _Row(line, stripped)


def _why(error: str) -> tuple[str, str]:
    if "field limit" in error:
        return f"has a cell of more than {csv.field_size_limit()} characters", "shorten it"
    if "end of data" in error:
        return "opens a quote that is never closed", _QUOTES
    return "has a quote at a wrong place", _QUOTES
