"""Exports of results to a file, which is complete or not there.

A file that exists is left alone; only its owner may read a new one. Memory: `CHUNK` rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import orjson

from consumer.errors import OperationError
from consumer.operations.results.columns import COLUMNS, Kind, Row
from consumer.operations.results.forms import FileForm, lines_of

CHUNK: Final = 10_000
_MISSING: Final = 'Parquet needs pyarrow: pip install "survey-dispatcher[parquet]"'


def export(path: Path, form: FileForm, rows: Iterable[Row]) -> int:
    """Write the rows, and return their number. Raises OperationError."""
    counted = _Counted(rows)
    with _new_file(path) as file:
        if form is FileForm.PARQUET:
            _write_parquet(file, counted)
        else:
            file.writelines(line.encode() for line in lines_of(form, counted, COLUMNS))
    return counted.number


class _Counted:
    """Counts rows as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows, self.number = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += 1
            yield row


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that gets its name at the end, and is deleted after an error."""
    if path.exists():
        raise OperationError(f"{path} exists: delete it, or name another file")
    part = path.with_name(f"{path.name}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
            yield file
        part.replace(path)
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _write_parquet(file: IO[bytes], rows: Iterable[Row]) -> None:
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise OperationError(_MISSING) from None
    text = pyarrow.string()
    types: Mapping[Kind, Any] = {
        "text": text,
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "yes_no": pyarrow.bool_(),
        "list": pyarrow.list_(text),
        "json": text,
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with parquet.ParquetWriter(file, schema) as writer:
        flat = map(_flat, rows)
        while chunk := list(islice(flat, CHUNK)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))


def _flat(row: Row) -> Row:
    """Return the row with what Parquet has no column type for as JSON text."""
    maps = [name for name, kind in COLUMNS.items() if kind == "json" and row[name] is not None]
    return row | {name: orjson.dumps(row[name]).decode() for name in maps}
