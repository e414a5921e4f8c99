"""The same thing is said once a minute, and how often it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.observability.logs.repeats import Line, Repeats


def line(event: str = "login_failed", level: str = "warning", **fields: object) -> Line:
    return {"event": event, "level": level, **fields}


def told(lines: list[Line]) -> list[tuple[str, int]]:
    """Event and how many occurrences the line stands for."""
    return [(each["event"], each.get("repeated", 1)) for each in lines]


def test_repeats_are_held_back_and_the_next_one_speaks_for_them() -> None:
    repeats = Repeats(period=60)
    assert told(repeats.take(line(), 0)) == [("login_failed", 1)]
    assert [repeats.take(line(), at) for at in (1, 30, 59.9)] == [[], [], []]
    assert told(repeats.take(line(), 60)) == [("login_failed", 4)]
    assert repeats.take(line(), 119) == []


@pytest.mark.parametrize("other", [line("stopping", "info"), line("call", batch="b1")])
def test_a_kind_that_stops_is_summed_up_by_the_next_line_of_any_kind(other: Line) -> None:
    repeats = Repeats(period=60)
    for at in range(5):
        repeats.take(line(vendor="pisano"), at)
    assert told(repeats.take(line("lane_lost"), 59)) == [("lane_lost", 1)]
    assert repeats.take(other, 60) == [line(vendor="pisano", repeated=4), other]


def test_the_end_tells_what_was_held_back() -> None:
    repeats = Repeats(period=60)
    for _ in range(3):
        repeats.take(line(), 0)
    repeats.take(line("lane_lost"), 0)
    assert told(repeats.rest()) == [("login_failed", 2)]
    assert repeats.rest() == []


@pytest.mark.parametrize(
    "other",
    [
        line(vendor="pisano", status=403),
        line(vendor="radar", status=401),
        line(vendor="pisano", status=401, more=None),
        line("lane_lost", vendor="pisano", status=401),
        line(level="error", vendor="pisano", status=401),
    ],
)
def test_event_level_and_every_field_make_a_kind(other: Line) -> None:
    repeats = Repeats()
    repeats.take(line(vendor="pisano", status=401), 0)
    assert repeats.take(other, 0) == [other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"timestamp": "12:00"}, {"timestamp": "12:01"}),
        ({"lane": "radar", "offset": 17}, {"lane": "radar", "offset": 18}),
        (
            {"says": "FAIL [router#consumer-1] [thrd:a]: refused (after 0ms, 3 identical)"},
            {"says": "FAIL [delay#consumer-7] [thrd:b]: refused (after 12ms, 9 identical)"},
        ),
    ],
)
def test_what_is_only_measured_makes_no_difference(one: Line, other: Line) -> None:
    repeats = Repeats()
    repeats.take(line(**one), 0)
    assert repeats.take(line(**other), 0) == []


@pytest.mark.parametrize("name", ["batch", "event_id"])
def test_a_line_about_one_batch_or_event_is_always_written(name: str) -> None:
    """The log is followed."""
    repeats = Repeats()
    assert [len(repeats.take(line("call", **{name: "a"}), 0)) for _ in range(3)] == [1, 1, 1]


def test_changes_of_state_are_counted_on_until_they_flap() -> None:
    """A reader that adds up `router_assigned` and `router_revoked` must not miss one of a few."""
    repeats = Repeats(period=60)
    written = [bool(repeats.take(line("router_assigned", "info"), 0)) for _ in range(12)]
    assert written == [True] * 10 + [False] * 2


def test_memory_is_bounded() -> None:
    repeats = Repeats(most=3)
    repeats.take(line("a"), 0)
    repeats.take(line("a"), 0)
    written = [told(repeats.take(line(str(each)), 0)) for each in range(5)]
    assert written[2] == [("a", 1), ("2", 1)]
    assert sum(map(len, written)) == 6
    assert len(repeats._seen) <= 3


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 50))), st.integers(2, 5))
def test_nothing_is_lost(said: list[tuple[str, float]], most: int) -> None:
    """What is written stands for as many occurrences as there were, of each kind."""
    repeats = Repeats(period=60, most=most)
    now, written = 0.0, []
    for event, later in said:
        now += later
        written += repeats.take(line(event), now)
    written += repeats.rest()
    for event in "abcd":
        stands_for = sum(number for name, number in told(written) if name == event)
        assert stands_for == sum(name == event for name, _ in said)
