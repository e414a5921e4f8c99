"""Forms of output: a table for people, JSON lines and CSV for programs.

No cell of the CSV is a formula: a text that a spreadsheet would take for one has an apostrophe in
front, and control characters are replaced, so that a row is a line.
"""

from __future__ import annotations

import csv
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final

import orjson

from consumer.operations.results.columns import Row
from consumer.operations.tables import clean, table
from consumer.records.result import Status

SHOWN: Final = (
    *("written_at", "status", "reason", "route", "campaign", "event_id", "batch", "rule"),
    "recipient",
)
"""Columns of the table and of a line of `tail`."""

_FORMULA: Final = tuple("=+-@＝＋－＠")


class Form(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


class FileForm(StrEnum):
    """How results are exported."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class _Line:
    """Hands back what the CSV writer writes."""

    @staticmethod
    def write(text: str) -> str:
        return text


def lines_of(form: str, rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Iterator[str]:
    """Yield rows for a program: as JSON lines or CSV."""
    return json_lines(rows) if form == Form.JSONL else csv_lines(rows, columns)


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield each row as a line of JSON."""
    for row in rows:
        yield orjson.dumps(row).decode() + "\n"


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Iterator[str]:
    """Yield a line of heads, then one for each row."""
    names = list(columns)
    line = csv.writer(_Line, lineterminator="\n")
    yield line.writerow(names)
    for row in rows:
        yield line.writerow(map(cell, map(row.__getitem__, names)))


def text_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield what a person needs of each row as a line."""
    for row in rows:
        yield "  ".join(clean(str(row[name])) for name in SHOWN if row[name] is not None) + "\n"


def cell(value: object) -> object:
    """Return what stands in the CSV for a value: nothing for None, JSON for lists and maps."""
    if isinstance(value, str):
        plain = value[:1].isalnum() and value.isprintable()  # nearly all: no more is looked at
        return value if plain else _harmless(clean(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def newest(rows: Iterable[Row], number: int) -> list[Row]:
    """Return the rows that were written last, oldest first; no more are held at once."""
    return heapq.nlargest(number, rows, key=itemgetter("written_at"))[::-1]


def show_rows(rows: Iterable[Row]) -> None:
    """Print a table of results."""
    table(SHOWN, [[_shown(row[name]) for name in SHOWN] for row in rows])


def show_summary(rows: Sequence[Row], by: Sequence[str]) -> None:
    """Print a table of counts; a status that no result has takes no column."""
    met = [status.value for status in Status if any(row[status.value] for row in rows)]
    rates = [f"{name}_rate" for name in met if name == Status.ACCEPTED]
    heads = (*by, "results", "share", *met, *rates)
    table(heads, [[_shown(row[name], name) for name in heads] for row in rows])


def _shown(value: object, name: str = "") -> object:
    if isinstance(value, float) and (name == "share" or name.endswith("_rate")):
        return f"{value:.1%}"
    return "" if value is None else value
