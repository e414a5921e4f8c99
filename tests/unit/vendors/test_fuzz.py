"""The short form of `python -m tests.fuzz`, and that it would find what it looks for."""

from __future__ import annotations

import pytest

from consumer.records.call import Answer, Outcome, Token, Verdict
from tests.fuzz.__main__ import Fuzz
from tests.fuzz.answers import Reader


def test_no_exception_escapes_the_reading_of_any_answer() -> None:
    fuzz = Fuzz(17)

    fuzz.mutate(3_000)
    fuzz.heads(3_000)
    fuzz.imagine(100)

    assert fuzz.reads >= 4 * 3_000
    assert fuzz.failures == {}


def _raises(answer: Answer) -> Token | Outcome:
    raise KeyError(answer.status)


def _accepts(answer: Answer) -> Token | Outcome:
    return Outcome(Verdict.ACCEPTED, answer.status)


@pytest.mark.parametrize("broken", [_raises, _accepts])
def test_a_reader_that_fails_is_found(broken: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = Fuzz(17)
    fuzz._readers = {"broken": broken}

    fuzz.mutate(50)

    assert fuzz.failures
    assert "broken: " in capsys.readouterr().err
