"""Exports: a whole file or none, in three forms with the same rows."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from consumer.errors import KafkaSessionError, OperationError
from consumer.operations.results.columns import COLUMNS, Row, row_of
from consumer.operations.results.export import export
from consumer.operations.results.forms import FileForm
from tests.unit.operations.results.made import made

ROWS = [
    row_of(made()),
    row_of(made(tags=["vip"], keys={"store.id": "12"}, bucket=0.25, redirected=True)),
]
needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="the `parquet` extra")


def test_json_lines_and_csv_have_all_rows(tmp_path: Path) -> None:
    lines, table = tmp_path / "r.jsonl", tmp_path / "r.csv"
    assert export(lines, FileForm.JSONL, ROWS) == 2
    assert [json.loads(line) for line in lines.read_text().splitlines()] == ROWS
    assert export(table, FileForm.CSV, ROWS) == 2
    with table.open(newline="") as file:
        heads, *rows = csv.reader(file)
    assert heads == list(COLUMNS)
    assert [row[heads.index("keys")] for row in rows] == ["", '{"store.id":"12"}']
    assert {path.stat().st_mode & 0o777 for path in (lines, table)} == {0o600}


@needs_pyarrow
def test_parquet_has_types(tmp_path: Path) -> None:
    import pyarrow.parquet  # noqa: PLC0415 - an extra

    path = tmp_path / "r.parquet"
    assert export(path, FileForm.PARQUET, ROWS) == 2
    table = pyarrow.parquet.ParquetFile(path).read()
    assert table.column_names == list(COLUMNS)
    assert table.to_pylist() == [ROWS[0], {**ROWS[1], "keys": '{"store.id":"12"}'}]
    kinds = {str(table.schema.field(name).type) for name in ("attempt", "bucket", "redirected")}
    assert kinds == {"int64", "double", "bool"}


@needs_pyarrow
def test_parquet_without_rows_is_a_file_with_columns(tmp_path: Path) -> None:
    import pyarrow.parquet  # noqa: PLC0415 - an extra

    path = tmp_path / "r.parquet"
    assert export(path, FileForm.PARQUET, []) == 0
    assert pyarrow.parquet.ParquetFile(path).schema.names[0] == "written_at"


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OperationError, match=r"pip install .*\[parquet\]"):
        export(tmp_path / "r.parquet", FileForm.PARQUET, ROWS)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield ROWS[0]
        raise KafkaSessionError("gone")

    with pytest.raises(KafkaSessionError):
        export(tmp_path / "r.csv", FileForm.CSV, rows())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("mine")
    with pytest.raises(OperationError, match="exists"):
        export(path, FileForm.CSV, ROWS)
    assert path.read_text() == "mine"


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="cannot be written: No such file"):
        export(tmp_path / "none" / "r.csv", FileForm.CSV, ROWS)
