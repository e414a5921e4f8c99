"""Errors: one tree, documented from the classes, and messages that are only what was given."""

from __future__ import annotations

import re
import traceback

import pytest

from consumer import errors
from consumer.errors import (
    ConfigError,
    DataError,
    DispatcherError,
    EventError,
    KafkaSessionError,
    Problem,
    StartPositionError,
    TopicsError,
)
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    ours = [var for var in vars(errors).values() if isinstance(var, type)]
    branches = [our.__name__ for our in ours if DispatcherError in our.__mro__[1:]]
    assert drawn == branches
    assert all(our in (DispatcherError, Problem) or our.__name__ in drawn for our in ours)


@pytest.mark.parametrize(
    "error",
    [
        ConfigError([Problem("f", 1, "p", "m")]),
        TopicsError("t"),
        StartPositionError("s"),
        KafkaSessionError("k"),
        EventError(DeadLetterReason.NO_ID, "e"),
        DataError(Reason.INVALID_DATA, "d"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_all_that_we_raise_can_be_caught_as_ours_and_nothing_more(error: Exception) -> None:
    assert isinstance(error, DispatcherError)
    assert not isinstance(error, (ValueError, OSError, RuntimeError))


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        ("", "surveys.yaml:7: routes[0].send: unknown campaign"),
        ("did you mean `sms`?", "surveys.yaml:7: routes[0].send: unknown campaign (did you mean"),
    ],
)
def test_a_problem_begins_with_file_and_line(hint: str, text: str) -> None:
    problem = Problem("surveys.yaml", 7, "routes[0].send", "unknown campaign", hint)
    assert str(problem).startswith(text)
    assert str(problem).endswith(f"({hint})" if hint else "campaign")


def test_a_config_error_lists_all_problems_one_a_line() -> None:
    problems = [Problem("f", line, "p", "m") for line in (3, 1, 2)]
    error = ConfigError(problems)
    assert error.problems == tuple(problems)
    assert str(error).splitlines() == ["f:3: p: m", "f:1: p: m", "f:2: p: m"]


def test_an_event_error_has_the_dead_letters_reason_and_only_its_own_text() -> None:
    error = EventError(DeadLetterReason.BAD_TIME, "expected a time")
    assert (error.reason, str(error)) == (DeadLetterReason.BAD_TIME, "expected a time")
    assert traceback.format_exception(error) == ["consumer.errors.EventError: expected a time\n"]


def test_a_data_error_has_the_results_reason_and_only_its_own_text() -> None:
    error = DataError(Reason.INVALID_DATA, "place is required")
    assert (error.reason, str(error)) == (Reason.INVALID_DATA, "place is required")
    assert error.args == ("place is required",)
