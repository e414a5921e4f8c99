"""Checks of quiet hours when a config is loaded."""

from __future__ import annotations

import datetime as dt
import math
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.quiet_checks import (
    always_quiet,
    longest_quiet_stretch,
    shortest_open_stretch,
    suspicious_gap,
)
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.quiet_text import quiet_time_from_parts as parts
from consumer.policy.quiet_text import quiet_time_from_text as every_day
from tests.support.wall_clock import is_quiet_minute

HOUR = 3600
UTC = ZoneInfo("UTC")
WEEK = ["mon", "tue", "wed", "thu", "fri"]
WEEKEND = parts(days=["sat", "sun"], all_day=True)
HOLIDAY = parts(dates=["2026-01-07"])


def hours(*times: QuietTime, margin: float = 0.0) -> QuietHours:
    return QuietHours(times, margin)


def night(*days: str, times: str = "21:00-09:00") -> QuietTime:
    return parts(days=list(days), times=times)


def test_stretches_of_every_night() -> None:
    nights = hours(every_day("21:00-09:00"), HOLIDAY, margin=600.0)
    assert longest_quiet_stretch(nights) == 12 * HOUR + 600
    assert shortest_open_stretch(nights) == 12 * HOUR - 600
    assert not always_quiet(nights)


def test_stretches_of_weekends_go_over_the_weeks_end() -> None:
    assert longest_quiet_stretch(hours(WEEKEND, every_day("21:00-09:00"))) == 60 * HOUR
    assert shortest_open_stretch(hours(WEEKEND, HOLIDAY)) == 5 * 24 * HOUR


def test_without_weekly_times_all_is_open() -> None:
    assert longest_quiet_stretch(hours(HOLIDAY)) == 0
    assert shortest_open_stretch(hours(HOLIDAY)) == math.inf


@pytest.mark.parametrize(
    "quiet", [hours(parts(all_day=True)), hours(every_day("09:05-09:00"), margin=300.0)]
)
def test_what_is_never_open(quiet: QuietHours) -> None:
    assert always_quiet(quiet)
    assert longest_quiet_stretch(quiet) == math.inf
    assert shortest_open_stretch(quiet) == 0


times_of_day = st.builds(dt.time, st.integers(0, 23))
quiet_times = st.builds(
    QuietTime, times_of_day, times_of_day, st.none() | st.frozensets(st.integers(0, 6))
)


@given(st.lists(quiet_times, max_size=3))
def test_stretches_are_those_of_four_weeks_walked_by_the_hour(times: list[QuietTime]) -> None:
    monday = dt.datetime(2026, 1, 5, tzinfo=dt.UTC).timestamp()
    quiet = hours(*times)
    states = [is_quiet_minute(times, monday + HOUR * hour, UTC) for hour in range(4 * 168)]
    runs = [(state, HOUR * len(list(run))) for state, run in groupby(states)]
    inner = runs[1:-1] if len(runs) > 1 else [(runs[0][0], math.inf)]
    assert longest_quiet_stretch(quiet) == max((long for state, long in inner if state), default=0)
    assert shortest_open_stretch(quiet) == min(
        (long for state, long in inner if not state), default=0
    )


@pytest.mark.parametrize(
    ("quiet", "gap"),
    [
        (hours(WEEKEND, night(*WEEK)), "Monday 00:00-09:00"),
        (hours(WEEKEND, night(*WEEK), margin=600.0), "Monday 00:00-09:00"),
        (hours(night(*WEEK), parts(days=["sun"], all_day=True)), "Saturday 21:00-24:00"),
        (hours(WEEKEND, night("mon", "tue", "wed", "thu", "sun")), "Friday 21:00-24:00"),
        (
            hours(WEEKEND, night(*WEEK), parts(days=["mon"], times="05:30-08:00")),
            "Monday 00:00-05:30",
        ),
        (
            hours(WEEKEND, night(*WEEK[:4], "sun"), parts(days=["fri"], times="20:00-22:15")),
            "Friday 22:15-24:00",
        ),
    ],
)
def test_a_gap_that_looks_like_a_mistake_is_named(quiet: QuietHours, gap: str) -> None:
    sentence = suspicious_gap(quiet)
    assert sentence is not None
    assert sentence.startswith(f"{gap} is not quiet, and 21:00-09:00 is on other nights")


@pytest.mark.parametrize(
    "quiet",
    [
        hours(),
        hours(HOLIDAY),
        hours(every_day("21:00-09:00"), parts(days=["sun"], all_day=True)),
        hours(WEEKEND, night(*WEEK, "sun")),
        hours(night(*WEEK)),
        hours(night("fri", "sat", times="23:00-10:00"), night("sun", *WEEK[:4])),
        hours(night("mon", times="21:00-24:00"), WEEKEND),
        hours(parts(dates=["2026-01-07"], times="21:00-09:00"), WEEKEND),
        hours(parts(all_day=True), night("mon")),
    ],
)
def test_a_gap_that_is_meant_is_not_named(quiet: QuietHours) -> None:
    assert suspicious_gap(quiet) is None
