"""The steps of the delay topics, and what a record carries through them."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.state.delay_steps import (
    NEAR,
    PUT_OFF,
    STEPS,
    DelayedInvitation,
    due_of,
    near_end,
    step_for,
    wait_of,
)
from consumer.records.readers import read_invitation
from tests.support.lanes import HAPPENED, NOW, held, invitation, written


@given(st.floats(0, 10 * 24 * 3600))
def test_a_step_is_the_longest_that_is_not_too_long_or_else_the_first(seconds: float) -> None:
    length = STEPS[step_for(seconds)]
    assert length <= seconds or length == min(STEPS.values())
    assert not [step for step in STEPS.values() if length < step <= seconds]


def test_exactly_a_steps_length_takes_that_step() -> None:
    assert [step_for(length) for length in STEPS.values()] == list(STEPS)


def test_repeated_delays_grow_to_a_bound() -> None:
    assert [wait_of(delays) for delays in (0, 1, 2, 99)] == [*PUT_OFF, PUT_OFF[-1], PUT_OFF[-1]]


def test_a_delayed_invitation_is_the_same_one_with_its_attempts_and_delays() -> None:
    away = written(7, attempt=1, delays=2)
    away.attempt = 3
    record = DelayedInvitation(away, NOW + 600, "10m").record()
    assert read_invitation(record) == {
        **invitation(7, "r7", "a"),
        "version": 2,
        "data": {"text": ""},
        "attempt": 3,
        "delays": 3,
        "due_at": NOW + 600,
        "event_at": HAPPENED,
    }


def test_putting_off_leaves_the_invitation_in_memory_as_it_was() -> None:
    away = held(7)
    before = orjson.dumps(away.invitation)
    DelayedInvitation(away, NOW, "1m").record()
    assert orjson.dumps(away.invitation) == before


def back_at(now: float, due_at: float) -> float:
    """When the delay topics give it back: by steps, the last of which may be too long."""
    while now < due_at:
        now += STEPS[step_for(due_at - now)]
    return now


@given(st.floats(0.0, 7 * 24 * 3600), st.floats(60.001, 7 * 24 * 3600))
def test_a_delayed_invitation_comes_back_in_the_last_minute_before_it_expires(
    wait: float, left: float
) -> None:
    """D12: it then waits in its lane, which tells its end within a sweep of 30 s."""
    back = back_at(0.0, due_of(0.0, wait, left))
    assert back <= left + 1e-6
    assert back_at(0.0, due_of(0.0, wait, None)) >= wait
    if wait >= left:
        assert left - back <= NEAR + 1e-6


def test_an_invitation_in_its_last_minute_is_not_delayed() -> None:
    assert near_end(NOW + NEAR, NOW)
    assert not near_end(NOW + NEAR + 1, NOW)
    assert not near_end(None, NOW)
