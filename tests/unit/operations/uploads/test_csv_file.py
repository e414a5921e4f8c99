"""How a file is written, and its rows: a broken row takes no other with it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.errors import OperationError
from consumer.operations.uploads.csv_file import CsvFile
from consumer.operations.uploads.csv_rows import MOST_LINES, Row, read_rows

TURKISH = "Ad;Şehir\r\nIşıl Öğüt;İzmir\r\n"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content)
    return path


def read(text: str, separator: str = ";") -> list[Row]:
    return list(read_rows(io.StringIO(text, newline=""), separator))


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TURKISH.encode(), "utf-8"),
        (TURKISH.encode("utf-8-sig"), "utf-8-sig"),
        (TURKISH.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TURKISH.encode("utf-16-be"), "utf-16"),
        (TURKISH.encode("windows-1254"), "windows-1254"),
        (TURKISH.encode()[:-4] + b"\xc5", "windows-1254"),  # cut off amid a letter
    ],
)
def test_the_encoding_is_found(tmp_path: Path, content: bytes, encoding: str) -> None:
    file = CsvFile.find(written(tmp_path, content), None, None)
    assert (file.form.encoding, file.form.separator) == (encoding, ";")
    assert encoding in file.form.text
    with file.rows() as (rows, position):
        cells = [row.cells for row in rows]
        assert position() == len(content)
    if not content.endswith(b"\xc5"):
        assert cells == [["Ad", "Şehir"], ["Işıl Öğüt", "İzmir"]]


def test_what_is_told_is_not_looked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b|c\nż;1|2\n".encode("windows-1250"))
    file = CsvFile.find(path, "windows-1250", "|")
    with file.rows() as (rows, _):
        assert [row.cells for row in rows] == [["a;b", "c"], ["ż;1", "2"]]
    marked = written(tmp_path, TURKISH.encode("utf-8-sig"))
    assert CsvFile.find(marked, "UTF8", None).first_rows(1)[0] == ["Ad", "Şehir"]


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b,c\n1;5,2,3", ","),
        ("a;b;c\n1,2;5,0;x", ";"),
        ("a\tb\n1\t2", "\t"),
        ("a|b\n1|2", "|"),
        ('"a,b";c;d\n1;2;3', ";"),
        ("phone\n532", ","),
        ("sep=;\r\na,b;c\r\n1;2\r\n", ";"),
    ],
)
def test_the_separator_is_the_headers(tmp_path: Path, text: str, separator: str) -> None:
    assert CsvFile.find(written(tmp_path, text.encode()), None, None).form.separator == separator


def test_the_line_that_names_the_separator_is_no_row_and_counts_as_a_line(tmp_path: Path) -> None:
    file = CsvFile.find(written(tmp_path, b"sep=;\r\na,b;c\r\n1;2\r\n"), None, None)
    header, rows = file.first_rows(9)
    assert header == ["a,b", "c"]
    assert rows == [Row(2, 3, ["1", "2"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b'"a;b\n1;2', "never closed"),
        (b"a;b\n", "no readable row behind the header: there is none"),
        (b"a;b\n1\n2\n", "row 2 has 1 cell, and the header 2"),
        (b"x" * (2 * 1024 * 1024), "is it a CSV file?"),
        (b"a\n" + b"\x00\xff" * (1024 * 1024), "is it a CSV file?"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(OperationError, match=message.replace("?", r"\?")):
        CsvFile.find(written(tmp_path, content), None, None).first_rows(100)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="is no file"):
        CsvFile.find(tmp_path, None, None)
    with pytest.raises(OperationError, match="unknown encoding 'klingon'"):
        CsvFile.find(written(tmp_path, b"a\n1\n"), "klingon", None)


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, b"a\n1\n")
    file = CsvFile.find(path, None, None)
    file.refuse_changed()
    path.write_bytes(b"a\n1\n2\n")
    with pytest.raises(OperationError, match="changed while it was read"):
        file.refuse_changed()


def test_rows_are_counted_as_a_spreadsheet_does_and_lines_as_the_file_has_them() -> None:
    found = read('a;b\r\n" x ";"two\r\nlines"\r\n\r\n3;4')
    assert found == [
        Row(1, 1, ["a", "b"]),
        Row(2, 2, ["x", "two\r\nlines"]),
        Row(3, 4, [], "is empty"),
        Row(4, 5, ["3", "4"]),
    ]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("1;2;3", "has 3 cells, and the header 2"),
        ("1", "has 1 cell, and the header 2"),
        (";;", "is empty"),
        ('1;"never closed', "opens a quote that is never closed"),
        ('1;"two"x', "has a quote at a wrong place"),
        ("1;" + "x" * 140_000, "has a cell of more than 131,072 characters"),
    ],
)
@pytest.mark.parametrize("after", ["3;4\n5;6\n", '3;"4"\n5;6\n', '"3";"4"\n"5";6\n'])
def test_a_broken_row_is_named_and_the_next_ones_are_read(
    broken: str, problem: str, after: str
) -> None:
    found = read(f"a;b\n{broken}\n{after}")
    assert [row.problem for row in found if row.problem][:1] != []
    assert found[1][:2] == (2, 2)
    good = [row for row in found if not row.problem]
    assert good == [Row(1, 1, ["a", "b"]), Row(3, 3, ["3", "4"]), Row(4, 4, ["5", "6"])]
    if after == "3;4\n5;6\n":
        assert found[1].problem == problem


def test_a_quote_that_is_never_closed_costs_its_row_alone_in_a_long_file() -> None:
    lines = [f"{number};x\n" for number in range(3 * MOST_LINES)]
    lines[7] = '7;"x\n'
    found = read("a;b\n" + "".join(lines))
    assert [row.number for row in found if row.problem] == [9]
    assert len(found) == 1 + 3 * MOST_LINES


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@given(st.lists(st.tuples(cells, cells), max_size=20))
@example([("", "\r")])  # an empty row of two lines
def test_rows_are_read_as_they_were_written(table: list[tuple[str, str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL).writerows([("a", "b"), *table])
    found = read(out.getvalue())[1:]
    assert [row.cells for row in found] == [[one.strip(), two.strip()] for one, two in table]


@given(st.text('a;"\n\r ', max_size=60))
def test_no_text_raises_and_no_line_is_lost(text: str) -> None:
    """Each line is of one row, and rows are in the file's order."""
    found = read(f"a;b\n{text}")
    numbers = [row.number for row in found]
    assert numbers == list(range(1, len(found) + 1))
    assert [row.line for row in found] == sorted({row.line for row in found})
    assert all(len(row.cells) == 2 for row in found if not row.problem)
