"""Forms: CSV that no spreadsheet calculates, a row a line, JSON as it is."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.operations.results import forms
from consumer.operations.results.columns import COLUMNS, row_of
from consumer.records.result import Reason
from tests.unit.operations.results.made import WRITTEN, made


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text, newline="")))


@given(st.text())
def test_no_cell_is_a_formula_and_a_row_is_a_line(text: str) -> None:
    row = row_of(made(vendor_message=text, event_id=text))
    lines = list(forms.csv_lines([row], COLUMNS))
    assert len(lines) == 2
    assert all(line.endswith("\n") and len(line.splitlines()) == 1 for line in lines)
    (cells,) = parsed(lines[1])
    assert len(cells) == len(COLUMNS)
    assert not any(cell.lstrip()[:1] in tuple("=+-@\t\r") for cell in cells if cell.strip())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1+1"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert str(forms.cell(text)).startswith(("'", "\N{REPLACEMENT CHARACTER}"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, "true"),
        (False, "false"),
        (7, 7),
        (0.25, 0.25),
        (["a", "b"], '["a","b"]'),
        ({"store.id": None}, '{"store.id":null}'),
        ("a=b", "a=b"),
        ("it's\nso", "it's\N{REPLACEMENT CHARACTER}so"),
    ],
)
def test_cells(value: object, shown: object) -> None:
    assert forms.cell(value) == shown


def test_json_lines_have_every_column() -> None:
    row = row_of(made(keys={"store.id": "12"}))
    (line,) = forms.json_lines([row])
    assert json.loads(line) == row


@given(st.lists(st.integers(0, 50)), st.integers(1, 9))
def test_the_newest_are_kept_oldest_first(ages: list[int], number: int) -> None:
    rows = [row_of(made(at=WRITTEN - age)) for age in ages]
    times = [row["written_at"] for row in forms.newest(iter(rows), number)]
    assert times == sorted(row["written_at"] for row in rows)[-number:]


def test_a_line_of_tail_has_no_control_characters() -> None:
    (line,) = forms.text_lines([row_of(made(event_id="e\x1b[2J"))])
    assert line == (
        "2026-11-22T14:26:40.000Z  accepted  accepted  store  purchase-sms  "
        "e\N{REPLACEMENT CHARACTER}[2J  b1  k1:p1\n"
    )


def test_tables_print_results_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    forms.show_rows([row_of(made(Reason.CONTACT_LIMIT, rule="month"))])
    assert "contact_limit" in capsys.readouterr().out
    row: dict[str, Any] = {"route": None, "results": 3, "share": 1.0, "accepted_rate": 1 / 3}
    counts = dict.fromkeys(("rejected", "expired", "failed", "unknown"), 0)
    forms.show_summary([{**row, **counts, "accepted": 1, "suppressed": 2}], ["route"])
    heads, cells = capsys.readouterr().out.splitlines()
    assert heads.split() == [
        *("route", "results", "share", "accepted", "suppressed", "accepted_rate"),
    ]
    assert cells.split() == ["3", "100.0%", "1", "2", "33.3%"]
