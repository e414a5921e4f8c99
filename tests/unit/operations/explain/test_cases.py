"""`explain --json` for events and configs of every kind: what it prints is checked in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.operations.explain.view import print_explanation
from consumer.records.result import Status
from tests.e2e.leaks import found
from tests.unit.operations.explain.cases import CASES, run_case

PERSONAL = {
    "phone": "5321234567",
    "other phone": "5321234568",
    "e-mail": "ada@example.com",
    "name": "Ada Lovelace",
    "last name": "Lovelace",
}


def test_there_are_cases_of_every_decision() -> None:
    decisions = {json.loads(path.read_text())["expected"]["decision"] for path in CASES}
    assert decisions == {
        "invite",
        "unmatched",
        "skipped",
        "dead_letter",
        Status.SUPPRESSED,
        Status.REJECTED,
        Status.EXPIRED,
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_prints_what_is_checked_in(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert json.loads(run_case(case["given"], "--json")) == case["expected"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_for_a_reader_it_says_the_decision_and_no_personal_data(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))["expected"]
    print_explanation(expected)
    shown = capsys.readouterr().out
    assert f"\n{expected['decision'].upper()}" in shown
    assert all(rule["rule"] in shown for rule in expected["rules"])
    if expected["masked"]:
        assert found(PERSONAL, shown) == set()
        assert found(PERSONAL, json.dumps(expected)) == set()
