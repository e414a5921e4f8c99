"""Quiet times as a user writes them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.quiet_hours import QuietTime
from consumer.policy.quiet_text import (
    WEEKDAYS,
    dates_from_text,
    quiet_time_from_parts,
    quiet_time_from_text,
    time_of_day_from_text,
    weekdays_from_names,
)

minutes = st.builds(dt.time, st.integers(0, 23), st.integers(0, 59))
CHRISTMAS, NEW_YEAR = dt.date(2026, 12, 25), dt.date(2027, 1, 1)


@given(minutes, minutes)
def test_a_range_parses_to_its_times(start: dt.time, end: dt.time) -> None:
    text = f"{start:%H:%M}-{end:%H:%M}"
    if start == end:
        with pytest.raises(ValueError, match="all_day"):
            quiet_time_from_text(text)
    else:
        assert quiet_time_from_text(text) == QuietTime(start, end)


def test_a_range_may_end_at_24() -> None:
    assert quiet_time_from_text("21:00-24:00") == QuietTime(dt.time(21), dt.time(0))
    assert quiet_time_from_text("00:00-24:00").all_day


@pytest.mark.parametrize(
    "text", ["", "21:00", "9:00-21:00", "24:00-09:00", "21:00-09:60", "21:00 - 09:00", 600, None]
)
def test_another_range_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="as in 21:00-09:00"):
        quiet_time_from_text(text)


@pytest.mark.parametrize("text", ["", "9:00", "24:00", "10:00:00", "٠٩:00", 600])
def test_another_time_of_day_is_refused(text: object) -> None:
    assert time_of_day_from_text("09:30") == dt.time(9, 30)
    with pytest.raises(ValueError, match="as in 09:30"):
        time_of_day_from_text(text)


@given(st.lists(st.integers(0, 6), min_size=1))
def test_weekdays_parse_to_numbers(days: list[int]) -> None:
    assert weekdays_from_names([WEEKDAYS[day] for day in days]) == set(days)


@pytest.mark.parametrize("names", [[], "sun", ["Sun"], ["sunday"], [0], [["sun"]], None])
def test_other_weekdays_are_refused(names: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        weekdays_from_names(names)


@given(st.lists(st.dates(), min_size=1))
def test_dates_parse_from_a_list_and_from_lines(dates: list[dt.date]) -> None:
    texts = [date.isoformat() for date in dates]
    assert dates_from_text(texts) == set(dates)
    assert dates_from_text("# ours\n\n" + " # closed\r\n".join(texts)) == set(dates)


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (20261225, "expected a list of dates"),
        ([], "at least one date"),
        ("# none\n", "at least one date"),
        (["2026-12-25", "2026-02-30"], "entry 2: expected a date of the calendar"),
        ("2026-12-25\n\n25.12.2026", "entry 3: expected a date of the calendar"),
        (["20261225"], "entry 1: expected a date"),
        (["2026-12-25", ""], "entry 2: expected a date"),
        ([None], "entry 1: expected a date"),
    ],
)
def test_other_dates_are_refused(dates: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dates_from_text(dates)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"times": "21:00-09:00"}, QuietTime(dt.time(21), dt.time(9))),
        ({"days": ["sun"], "all_day": True}, QuietTime(days=frozenset([6]))),
        (
            {"days": ["fri", "sat"], "times": "23:00-10:00"},
            QuietTime(dt.time(23), dt.time(10), frozenset([4, 5])),
        ),
        (
            {"dates": ["2026-12-25", "2027-01-01"]},
            QuietTime(dates=frozenset([CHRISTMAS, NEW_YEAR])),
        ),
        ({"dates": "2026-12-25", "all_day": True}, QuietTime(dates=frozenset([CHRISTMAS]))),
        (
            {"dates": "2026-12-25", "times": "00:00-12:00"},
            QuietTime(dt.time(0), dt.time(12), dates=frozenset([CHRISTMAS])),
        ),
        ({"all_day": True}, QuietTime()),
    ],
)
def test_a_mapping_parses(parts: dict[str, Any], expected: QuietTime) -> None:
    assert quiet_time_from_parts(**parts) == expected


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "give times"),
        ({"days": ["sun"]}, "give times"),
        ({"days": ["sun"], "dates": "2026-12-25"}, "days or dates"),
        ({"days": ["sun"], "times": "21:00-09:00", "all_day": True}, "times or all_day"),
    ],
)
def test_a_mapping_that_is_not_clear_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quiet_time_from_parts(**parts)
