"""Filters of results."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.operations.results.choice import TRACE_ID, Choice
from consumer.records.result import Reason
from tests.unit.operations.results.made import WRITTEN, made


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), True),
        (Choice({"status": ["accepted", "failed"]}), True),
        (Choice({"status": ["failed"]}), False),
        (Choice({"status": []}), True),
        (Choice({"status": ["accepted"], "route": ["web"]}), False),
        (Choice({"event_id": ["e1"], "batch": ["b1"]}), True),
        (Choice(persons=frozenset({"k1:p1"})), True),
        (Choice(persons=frozenset({"k0:p1"})), True),
        (Choice(persons=frozenset({"k1:p2"})), False),
        (Choice(since=WRITTEN), True),
        (Choice(since=WRITTEN + 0.001), False),
        (Choice(until=WRITTEN), False),
        (Choice(until=WRITTEN + 0.001), True),
    ],
)
def test_a_result_is_taken_that_has_all_that_is_asked_for(choice: Choice, taken: bool) -> None:
    assert choice.takes(made(person=["k1:p1", "k0:p1"])) is taken


def test_a_result_without_a_person_is_of_none() -> None:
    found = made(Reason.NO_RECIPIENT, recipient=None)
    assert not Choice(persons=frozenset({"k1:p1"})).takes(found)


@pytest.mark.parametrize(
    ("context", "taken"), [(f"00-{'a' * 32}-{'b' * 16}-00", True), ("", False)]
)
def test_a_result_is_found_by_the_trace_of_its_event(context: str, taken: bool) -> None:
    carried: dict[str, Any] = {"traceparent": context} if context else {}
    assert Choice({TRACE_ID: ["a" * 32]}).takes(made(**carried)) is taken
    assert not Choice({TRACE_ID: ["b" * 32]}).takes(made(**carried))
