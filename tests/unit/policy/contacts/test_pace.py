"""Pace: how many of a period may go by now, and when the next may."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.periods import period_at
from tests.support.contacts import ISTANBUL, NOW

START, END = period_at("month", ISTANBUL, NOW)
AT_ONCE = Pace("at once", 200, "month", ISTANBUL)
EVEN = Pace("even", 200, "month", ISTANBUL, distribute="even")


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 1000))
def test_even_pace_allows_the_part_of_the_number_that_the_period_has_gone(
    part: float, at_most: int
) -> None:
    now = START + part * (END - START)
    assume(now < END)
    pace = Pace("even", at_most, "month", ISTANBUL, distribute="even")
    assert pace.allowed(now) == math.ceil((now - START) / (END - START) * at_most) <= at_most


@given(st.integers(0, 199))
def test_even_pace_allows_one_more_right_after_its_eligible_time(count: int) -> None:
    at = EVEN.eligible_at(count, NOW)
    assert EVEN.allowed(max(at - 1, START)) <= count < EVEN.allowed(at + 1)


def test_full_pace_is_free_again_in_the_next_period() -> None:
    assert AT_ONCE.allowed(START) == 200
    assert [AT_ONCE.eligible_at(200, NOW), EVEN.eligible_at(200, NOW)] == [END, END]


def test_pace_counts_this_period_and_times_ahead_of_the_clock() -> None:
    times = [START - 1, START, NOW, END]
    assert [AT_ONCE.counts_time(when, NOW) for when in times] == [False, True, True, True]
