"""The delay ladder's steps, and what a record carries up and down."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.ladder import PUT_OFF, STEPS, PutOff, step_for, wait_of
from consumer.model import InvitationReader
from tests.support.lanes import NOW, held, invitation, written


@given(st.floats(0, 10 * 24 * 3600))
def test_a_step_is_the_longest_that_is_not_too_long_or_else_the_first(seconds: float) -> None:
    length = STEPS[step_for(seconds)]
    assert length <= seconds or length == min(STEPS.values())
    assert not [each for each in STEPS.values() if length < each <= seconds]


def test_exactly_a_steps_length_takes_that_step() -> None:
    assert [step_for(length) for length in STEPS.values()] == list(STEPS)


def test_who_was_put_off_before_waits_longer_but_not_ever_longer() -> None:
    assert [wait_of(delays) for delays in (0, 1, 2, 99)] == [*PUT_OFF, PUT_OFF[-1], PUT_OFF[-1]]


def test_a_put_off_invitation_is_the_same_one_with_its_attempts_and_delays() -> None:
    away = written(7, attempt=1, delays=2)
    away.attempt = 3
    record = PutOff(away, NOW + 600, "10m").record()
    assert InvitationReader.validate_json(record) == {
        **invitation(7, "r7", "a"),
        "data": {"text": ""},
        "attempt": 3,
        "delays": 3,
        "due_at": NOW + 600,
    }


def test_putting_off_leaves_the_invitation_in_memory_as_it_was() -> None:
    away = held(7)
    before = orjson.dumps(away.invitation)
    PutOff(away, NOW, "1m").record()
    assert orjson.dumps(away.invitation) == before
