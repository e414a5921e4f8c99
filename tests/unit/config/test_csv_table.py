"""What a CSV file becomes, and how a bad one is refused: by line, and without its cells."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config.csv_table import MOST_PROBLEMS, TableError, parse_table
from consumer.config.table_files import MOST_BYTES
from consumer.config.tables import lookup_tables
from tests.unit.config.tables import SECRET, STORES, TEXT, loaded, refused

NO_HEADER = "the first row names the columns; `key` is one of them"
QUOTES = 'a cell with a delimiter, a line break or a quote in it is written "a ""b"" c"'


@pytest.mark.parametrize("before", ["", "\ufeff"])
@pytest.mark.parametrize("mark", [",", ";", "|", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_is_read_as_tools_write_it(before: str, mark: str, end: str, tmp_path: Path) -> None:
    rows = ["store_id", "location_id", "city"], ["0042", " izmir-1 ", '"a ""b"", c"'], ["", "", " "]
    text = before + "".join(mark.join(row) + end for row in (*rows, ["43", "", ""]))
    config = loaded(tmp_path, stores=text)
    table = config.tables["stores"].content
    assert table.columns == {"store_id": 0, "location_id": 1, "city": 2}
    assert table.rows == {"0042": ("0042", "izmir-1", 'a "b", c'), "43": ("43", None, None)}
    assert lookup_tables(config.tables) == {"stores": table}


def test_a_column_without_a_name_is_left_out() -> None:
    table = parse_table("a,,b,\n1,x,2,\n", "a")
    assert (table.columns, table.rows) == ({"a": 0, "b": 1}, {"1": ("1", "2")})


def test_equal_cells_are_one_text_and_many_different_ones_are_kept() -> None:
    rows = {f"k{number}": (f"k{number}", "cell of all") for number in range(12_000)}
    table = parse_table("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows.values()), "a")
    assert table.rows == rows
    assert len({id(row[1]) for row in table.rows.values()}) == 1


def test_the_delimiter_is_the_one_that_gives_the_key() -> None:
    assert parse_table("a;b,c,d;e\n1;2;3\n", "a").columns == {"a": 0, "b,c,d": 1, "e": 2}
    assert parse_table('"a,b";"c"\n1;2\n', "a,b").rows == {"1": ("1", "2")}
    assert parse_table('a, b\n1, "x, y"\n', "a").rows == {"1": ("1", "x, y")}
    assert parse_table("a\n1\n", "a").rows == {"1": ("1",)}


def test_a_delimiter_that_is_given_is_the_only_one(tmp_path: Path) -> None:
    text = TEXT.replace("key: store_id}", "key: store_id, delimiter: tab}")
    tabbed = STORES.replace(",", "\t")
    assert len(loaded(tmp_path, text, tabbed).tables["stores"].content.rows) == 2
    (problem,) = refused(tmp_path, text)
    assert problem.startswith("stores.csv:1: tables.stores: names no column 'store_id'")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=5, unique_by=lambda row: row[0].strip()),
    mark=st.sampled_from(",;|\t"),
)
def test_whatever_a_csv_writer_writes_is_read(rows: list[tuple[str, str]], mark: str) -> None:
    rows = [row for row in rows if row[0].strip()]
    out = StringIO(newline="")
    writer = csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL)
    writer.writerows([("key", "value"), *rows])
    table = parse_table(out.getvalue(), "key")
    expected = {key.strip(): (key.strip(), value.strip() or None) for key, value in rows}
    assert table.rows == expected


@given(text=st.text("ab,;|\t\"\r\n \0'=x", max_size=60))
def test_any_text_is_a_table_or_is_refused_by_line(text: str) -> None:
    for content in (text, "a,b\n" + text):
        try:
            table = parse_table(content, "a")
        except TableError as error:
            lines = [problem.line for problem in error.problems]
            inside = all(1 <= line <= len(content) + 1 for line in lines)
        else:
            lines = [1]
            width, at = len(table.columns), table.columns["a"]
            inside = all(len(row) == width and row[at] == it for it, row in table.rows.items())
        assert inside
        assert 1 <= len(lines) <= MOST_PROBLEMS


@pytest.mark.parametrize(
    ("stores", "problems"),
    [
        ("", ["1: is empty (its first row names the columns)"]),
        (" ,;\n\n", [f"1: names no column 'store_id' ({NO_HEADER})"]),
        ("storeid,b\n", ["1: names no column 'store_id' (did you mean 'storeid'?)"]),
        (
            f"{SECRET},b\n1,2\n",
            [f"1: names no column 'store_id' ({NO_HEADER})"],
        ),
        (
            "\nstore_id,b,b\n1,2,3\n",
            ["2: names the column 'b' twice (rename or remove one of them)"],
        ),
        (
            f"store_id,b\n{SECRET},\n\n{SECRET} ,\n,{SECRET}\n{SECRET}\n1,2\n1,2\n1,2,{SECRET}\n",
            [
                "4: has the same key as line 2 (keep one of them)",
                "5: has no key (write one, or take the row out)",
                "6: has 1 cell, and the header 2 (QUOTES)",
                "8: has the same key as line 7 (keep one of them)",
                "9: has 3 cells, and the header 2 (QUOTES)",
            ],
        ),
        (
            f'store_id,b\n1,"2\n\n3"\n2,"{SECRET}\n4,5\n',
            ["5: opens a quote that is never closed (QUOTES)"],
        ),
        (
            "store_id,b\n1\n1,2\n1,2\n",
            [
                "2: has 1 cell, and the header 2 (QUOTES)",
                "4: has the same key as line 3 (keep one of them)",
            ],
        ),
        (f'store_id,b\n1,"{SECRET}"x\n', ["2: has a quote at a wrong place (QUOTES)"]),
        (f'"store_id,{SECRET}', ["1: opens a quote that is never closed (QUOTES)"]),
        (
            f"store_id,b\n1,{SECRET * 20_000}\n",
            ["2: has a cell of more than 131072 characters (shorten it)"],
        ),
        ("store_id,b\n" + "1\n" * 50, ["2: has 1 cell, and the header 2 (QUOTES)"] * MOST_PROBLEMS),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_lines(
    stores: str, problems: list[str], tmp_path: Path
) -> None:
    found = refused(tmp_path, stores=stores)
    assert len(found) == len(problems)
    for number, (problem, expected) in enumerate(zip(found, problems, strict=True)):
        line, _, said = expected.replace("QUOTES", QUOTES).partition(": ")
        if len(set(problems)) == 1:
            line = str(int(line) + number)
        assert problem == f"stores.csv:{line}: tables.stores: {said}"


def test_rows_and_bytes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.config.csv_table.MOST_ROWS", 3)
    rows = "".join(f"{number},x\n" for number in range(9))
    assert refused(tmp_path, stores=f"store_id,location_id\n{rows}") == [
        "stores.csv:5: tables.stores: is beyond 3 rows (leave some out)"
    ]
    problem, *_ = refused(tmp_path, stores="x" * (MOST_BYTES + 1))
    assert problem.endswith(f"the file stores.csv has more than {MOST_BYTES} bytes")
