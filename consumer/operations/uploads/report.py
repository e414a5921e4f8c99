"""Report of an upload: a CSV file with a line for each row that brings no survey, and why.

It repeats no cell. An earlier report of the same name is replaced, any other file is left alone.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consumer.errors import OperationError
from consumer.operations.uploads.row_checks import SENT_BEFORE, Note

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

HEADS: Final = ("row", "line", "outcome", "reason", "explanation", "columns")
_FIRST_LINE: Final = ",".join(HEADS).encode()

ColumnsOf = Callable[[str], Sequence[str]]
"""Field of an invitation → the columns that it is read from."""


def outcome_of(note: Note) -> str:
    """Return what happens to the row, in words."""
    if note.reason == SENT_BEFORE:
        return "sent before"
    return "not sent" if note.is_held else "no survey"


def columns_of(note: Note, columns: ColumnsOf) -> str:
    """Return the columns to look at."""
    fields = [name for one in note.fields for name in columns(one) or [one]]
    return ", ".join(dict.fromkeys([*note.columns, *fields]))


def report_to(
    path: Path | None, source: Path, columns: ColumnsOf
) -> AbstractContextManager[Callable[[Note], None]]:
    """Return a context that takes notes and writes them to a file; None: to none. Raises
    OperationError."""
    return nullcontext(lambda _note: None) if path is None else _report(path, source, columns)


@contextmanager
def _report(path: Path, source: Path, columns: ColumnsOf) -> Iterator[Callable[[Note], None]]:
    _refuse_other_file(path, source)
    part = path.with_name(f"{path.name}.part")
    try:
        with _text_of(part) as file:
            writer = csv.writer(file)
            writer.writerow(HEADS)
            yield lambda note: writer.writerow(_cells(note, columns))
        part.replace(path)
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _text_of(part: Path) -> TextIOWrapper:
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return open(number, "w", encoding="utf-8", newline="")  # noqa: PTH123 - of a descriptor


def _cells(note: Note, columns: ColumnsOf) -> Sequence[object]:
    named = columns_of(note, columns)
    return note.row, note.line, outcome_of(note), note.reason, note.meaning, named


def _refuse_other_file(path: Path, source: Path) -> None:
    if not path.exists():
        return
    if path.samefile(source):
        raise OperationError(f"--report {path}: is the file that is sent; name another one")
    with path.open("rb") as file:
        if not file.readline().startswith(_FIRST_LINE):
            raise OperationError(f"--report {path}: exists and is no report; name another file")
