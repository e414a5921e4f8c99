"""Quiet hours against a slow reference: walk the minutes in UTC and ask the wall clock of each."""

from __future__ import annotations

import datetime as dt
import math
from itertools import groupby
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.quiet_hours import (
    HORIZON_DAYS,
    QuietClock,
    QuietHours,
    QuietTime,
    Stretch,
)
from consumer.policy.zones import DAY
from tests.support.wall_clock import MOMENTS, ODD_MOMENTS, Moment, epoch, is_quiet_minute

MINUTES: Final = 3 * 24 * 60
"""How far the reference walks."""

times_of_day = st.builds(dt.time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
weekdays = st.none() | st.frozensets(st.integers(0, 6))


def quiet_times(near: dt.date) -> st.SearchStrategy[QuietTime]:
    """Draw quiet times whose dates lie around a day."""
    days_near = st.integers(-2, 3).map(lambda days: near + dt.timedelta(days))
    dates = st.none() | st.frozensets(days_near)
    clock = st.builds(QuietTime, times_of_day, times_of_day, weekdays, dates)
    return clock | st.builds(QuietTime, days=weekdays, dates=dates)


@st.composite
def quiet_hours(draw: st.DrawFn, at: int) -> QuietHours:
    """Draw quiet hours with a margin of whole minutes."""
    near = dt.datetime.fromtimestamp(at, dt.UTC).date()
    times = draw(st.lists(quiet_times(near), min_size=1, max_size=3))
    return QuietHours(tuple(times), 60.0 * draw(st.sampled_from([0, 1, 10, 90])))


def reference(hours: QuietHours, moment: Moment) -> list[bool]:
    """Tell for each minute from a moment on whether it is quiet."""
    margin = int(hours.margin) // 60
    raw = [
        is_quiet_minute(hours.times, moment.at + 60 * minute, moment.zone)
        for minute in range(MINUTES + margin)
    ]
    return [any(raw[minute : minute + margin + 1]) for minute in range(MINUTES)]


def stretches_of(states: list[bool]) -> list[tuple[bool, int]]:
    """Group minutes of one state, each with its number of minutes."""
    return [(quiet, len(list(group))) for quiet, group in groupby(states)]


@given(st.data(), MOMENTS | st.sampled_from(ODD_MOMENTS))
def test_stretches_change_at_the_minutes_at_which_the_wall_clock_says_so(
    data: st.DataObject, moment: Moment
) -> None:
    hours = data.draw(quiet_hours(moment.at))
    at = float(moment.at)
    for quiet, minutes in stretches_of(reference(hours, moment))[:-1]:
        assert hours.stretch(at, moment.zone) == Stretch(quiet, at + 60 * minutes)
        at += 60 * minutes
    assert hours.stretch(at, moment.zone).until >= moment.at + 60 * MINUTES


@given(st.data(), MOMENTS | st.sampled_from(ODD_MOMENTS))
def test_a_clock_that_goes_to_and_fro_is_right_at_each_minute(
    data: st.DataObject, moment: Moment
) -> None:
    hours = data.draw(quiet_hours(moment.at))
    expected = reference(hours, moment)
    clock = QuietClock(hours)
    for minute in data.draw(st.lists(st.integers(0, MINUTES - 1), max_size=50)):
        at = moment.at + 60 * minute
        assert clock.is_quiet(at, moment.zone.key) == expected[minute]
        opening = clock.next_open(at, moment.zone.key)
        open_minutes = [later for later in range(minute, MINUTES) if not expected[later]]
        first = moment.at + 60 * (open_minutes[0] if open_minutes else MINUTES)
        assert opening == first if open_minutes else opening >= first


@given(st.data(), MOMENTS)
def test_quiet_hours_answer_as_their_clock(data: st.DataObject, moment: Moment) -> None:
    hours = data.draw(quiet_hours(moment.at))
    at, zone = moment
    assert hours.is_quiet(at, zone) == hours.stretch(at, zone).quiet
    assert hours.next_open(at, zone) == QuietClock(hours).next_open(at, zone.key)


@given(st.data(), MOMENTS, st.floats(0, DAY))
def test_a_moment_within_a_minute_has_the_state_of_its_stretch(
    data: st.DataObject, moment: Moment, later: float
) -> None:
    hours = data.draw(quiet_hours(moment.at))
    at = moment.at + later
    stretch = hours.stretch(at, moment.zone)
    assert stretch.until > at
    just_before = min(stretch.until, at + DAY) - 0.25
    if just_before > at:
        assert hours.stretch(just_before, moment.zone).quiet == stretch.quiet
    if stretch.until < math.inf:
        assert hours.stretch(stretch.until, moment.zone).quiet != stretch.quiet


NIGHT = QuietHours((QuietTime(dt.time(21), dt.time(9)),))


@pytest.mark.parametrize(
    ("zone", "wall", "quiet", "until"),
    [
        ("Europe/Istanbul", "2026-11-23 20:59", False, "2026-11-23 21:00"),
        ("Europe/Istanbul", "2026-11-23 21:00", True, "2026-11-24 09:00"),
        ("Europe/Istanbul", "2026-11-24 09:00", False, "2026-11-24 21:00"),
        ("Pacific/Apia", "2011-12-29 22:00", True, "2011-12-31 09:00"),
    ],
)
def test_a_night(zone: str, wall: str, quiet: bool, until: str) -> None:
    at, change = epoch(wall, zone), epoch(until, zone)
    assert QuietClock(NIGHT).stretch(at.at, zone) == Stretch(quiet, change.at)


def test_in_spring_a_time_that_does_not_exist_moves_after_the_gap() -> None:
    """Berlin, 29 March 2026: 02:00 to 03:00 are missing."""
    at = epoch("2026-03-29 00:00", "Europe/Berlin")
    after_gap = epoch("2026-03-29 03:00", "Europe/Berlin").at
    ends = QuietHours((QuietTime(dt.time(0), dt.time(2, 30)),))
    assert ends.stretch(at.at, at.zone) == Stretch(True, after_gap)
    starts = QuietHours((QuietTime(dt.time(2, 30), dt.time(5)),))
    assert starts.stretch(at.at, at.zone) == Stretch(False, after_gap)
    within = QuietHours((QuietTime(dt.time(2, 10), dt.time(2, 50)),))
    assert within.stretch(at.at, at.zone).until > after_gap + DAY / 2


def test_in_autumn_a_repeated_hour_is_quiet_twice() -> None:
    """Berlin, 25 October 2026: 02:00 to 03:00 come twice, first at midnight UTC."""
    at = epoch("2026-10-25 01:00", "Europe/Berlin")
    midnight = at.at + 3600
    hours = QuietHours((QuietTime(dt.time(2, 15), dt.time(2, 45)),))
    changes = [midnight + 60 * minute for minute in (15, 45, 75, 105)]
    found, moment = [], float(at.at)
    for _ in changes:
        moment = hours.stretch(moment, at.zone).until
        found.append(moment)
    assert found == changes


@pytest.mark.parametrize("quiet", [False, True])
def test_a_state_that_never_changes_has_no_end(quiet: bool) -> None:
    at = epoch("2026-10-25 01:00", "Europe/Berlin")
    hours = QuietHours((QuietTime(),) if quiet else ())
    assert hours.stretch(at.at, at.zone) == Stretch(quiet, math.inf)
    assert hours.next_open(at.at, at.zone) == (math.inf if quiet else at.at)


def test_a_margin_that_closes_every_gap_leaves_no_end() -> None:
    """Wherever in a day the horizon lies."""
    at = epoch("2026-11-23 00:00", "Europe/Istanbul")
    hours = QuietHours((QuietTime(dt.time(0, 30), dt.time(0)),), 5400.0)
    for minute in range(0, 1440, 10):
        assert hours.stretch(at.at + 60 * minute, at.zone) == Stretch(True, math.inf)


def test_a_last_date_ends() -> None:
    at = epoch("2026-12-25 01:00", "Europe/Berlin")
    christmas = QuietHours((QuietTime(dates=frozenset([dt.date(2026, 12, 25)])),))
    assert christmas.stretch(at.at, at.zone) == Stretch(True, at.at + 23 * 3600)
    assert christmas.stretch(at.at + DAY, at.zone) == Stretch(False, math.inf)


def test_a_clock_finds_a_date_that_was_behind_the_horizon() -> None:
    at = epoch("2026-12-25 01:00", "Europe/Berlin")
    clock = QuietClock(QuietHours((QuietTime(dates=frozenset([dt.date(2028, 12, 25)])),)))
    assert clock.stretch(at.at, at.zone.key) == Stretch(False, math.inf)
    later = epoch("2028-12-25 01:00", "Europe/Berlin").at
    assert later > at.at + HORIZON_DAYS * DAY
    assert clock.is_quiet(later, at.zone.key)


def test_an_unknown_zone_is_always_quiet() -> None:
    clock = QuietClock(QuietHours(()))
    assert clock.stretch(0.0, "Europe/Nowhere") == Stretch(True, math.inf)
    assert clock.next_open(0.0, "") == math.inf


def test_a_clock_asks_only_when_the_stretch_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    at = epoch("2026-11-23 22:00", "Europe/Istanbul")
    clock = QuietClock(NIGHT)
    assert clock.is_quiet(at.at, at.zone.key)

    def refuse(*_arguments: object) -> Stretch:
        raise AssertionError("computed again")

    monkeypatch.setattr(QuietHours, "stretch", refuse)
    assert clock.is_quiet(at.at + 11 * 3600 - 1, at.zone.key)
    with pytest.raises(AssertionError, match="computed again"):
        clock.is_quiet(at.at + 11 * 3600, at.zone.key)


def test_all_day_is_from_midnight_to_midnight() -> None:
    assert QuietTime().all_day
    assert not QuietTime(dt.time(9), dt.time(9)).all_day
    assert not QuietTime(dt.time(0), dt.time(9)).all_day
