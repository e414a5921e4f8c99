"""Due time: after the delay, at a time of day, out of quiet hours, spread."""

from __future__ import annotations

import datetime as dt
import math
import random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumer.policy.due_time import DueTime, next_time_of_day
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.zones import DAY
from tests.support.wall_clock import MOMENTS, ODD_MOMENTS, Moment, epoch

NIGHT = QuietHours((QuietTime(dt.time(21), dt.time(9)),))
ISTANBUL = ZoneInfo("Europe/Istanbul")

times_of_day = st.builds(dt.time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
quiet_times = st.builds(
    QuietTime, times_of_day, times_of_day, st.none() | st.frozensets(st.integers(0, 6))
)
quiet_hours = st.builds(
    QuietHours,
    st.lists(quiet_times, max_size=3).map(tuple),
    st.sampled_from([0.0, 0.5, 60.0, 5400.0]),
)
policies = st.builds(
    DueTime,
    st.sampled_from([0.0, 0.25, 7200.0, 3.0 * DAY]),
    st.none() | times_of_day,
    st.none() | quiet_hours,
    st.sampled_from([0.0, 0.5, 1800.0, 2.0 * DAY]),
)
all_moments = MOMENTS | st.sampled_from(ODD_MOMENTS)


@given(policies, all_moments, st.floats(0, 60), st.text())
def test_a_due_time_is_open_and_not_before_the_delay(
    policy: DueTime, moment: Moment, later: float, key: str
) -> None:
    event_time = moment.at + later
    due = policy.compute(event_time, moment.zone, key)
    assert due >= event_time + policy.delay
    if policy.quiet is not None and due < math.inf:
        assert not policy.quiet.is_quiet(due, moment.zone)


@given(policies, st.lists(st.tuples(all_moments, st.text()), min_size=1, max_size=5), st.randoms())
def test_a_due_time_does_not_depend_on_what_was_computed_before(
    policy: DueTime, events: list[tuple[Moment, str]], order: random.Random
) -> None:
    events += [(Moment(moment.at + 3600, moment.zone), key) for moment, key in events]
    order.shuffle(events)
    for moment, key in events:
        fresh = DueTime(policy.delay, policy.send_at, policy.quiet, policy.spread)
        at = float(moment.at)
        assert policy.compute(at, moment.zone, key) == fresh.compute(at, moment.zone, key)


@given(all_moments, st.floats(0, DAY), times_of_day)
def test_the_next_time_of_day_is_the_first_that_a_walk_by_minutes_meets(
    moment: Moment, later: float, time: dt.time
) -> None:
    at = moment.at + later
    found = next_time_of_day(at, time, moment.zone)
    first_minute = math.ceil(at / 60) * 60
    for minute in range(first_minute, int(found), 60):
        assert dt.datetime.fromtimestamp(minute, moment.zone).time() != time
    assert found >= at
    wall = dt.datetime.fromtimestamp(found, moment.zone)
    if wall.time() != time:  # missing on the day before the clock leapt
        before = dt.datetime.fromtimestamp(found - DAY, moment.zone)
        assert wall.utcoffset() != before.utcoffset()


@given(quiet_hours, all_moments, st.text(), st.sampled_from([1.0, 1800.0, 2.0 * DAY]), times_of_day)
def test_only_what_quiet_hours_moved_is_spread(
    quiet: QuietHours, moment: Moment, key: str, spread: float, send_at: dt.time
) -> None:
    asked = next_time_of_day(moment.at, send_at, moment.zone)
    due = DueTime(0.0, send_at, quiet, spread).compute(moment.at, moment.zone, key)
    opening = quiet.next_open(asked, moment.zone)
    assume(opening < math.inf)
    if opening == asked:
        assert due == asked
    else:
        assert opening <= due < opening + spread
        assert due < quiet.stretch(opening, moment.zone).until


@pytest.mark.parametrize(
    ("policy", "event", "due"),
    [
        (DueTime(), "2026-11-23 22:00", "2026-11-23 22:00"),
        (DueTime(7200.0), "2026-11-23 22:00", "2026-11-24 00:00"),
        (DueTime(7200.0, dt.time(10)), "2026-11-23 08:00", "2026-11-23 10:00"),
        (DueTime(7200.0, dt.time(10)), "2026-11-23 08:01", "2026-11-24 10:00"),
        (DueTime(7200.0, None, NIGHT), "2026-11-23 18:59", "2026-11-23 20:59"),
        (DueTime(7200.0, None, NIGHT), "2026-11-23 19:00", "2026-11-24 09:00"),
        (DueTime(0.0, dt.time(22), NIGHT), "2026-11-23 12:00", "2026-11-24 09:00"),
    ],
)
def test_steps(policy: DueTime, event: str, due: str) -> None:
    at = epoch(event, "Europe/Istanbul")
    assert policy.compute(at.at, at.zone, "k") == epoch(due, "Europe/Istanbul").at


def test_a_time_that_is_missing_is_as_much_later_and_one_twice_counts_twice() -> None:
    spring = epoch("2026-03-29 00:00", "Europe/Berlin")
    moved = epoch("2026-03-29 03:30", "Europe/Berlin").at
    assert next_time_of_day(spring.at, dt.time(2, 30), spring.zone) == moved
    autumn = epoch("2026-10-25 02:30", "Europe/Berlin")
    assert next_time_of_day(autumn.at, dt.time(2, 30), autumn.zone) == autumn.at
    assert next_time_of_day(autumn.at + 1, dt.time(2, 30), autumn.zone) == autumn.at + 3600


def test_spread_fills_its_time_evenly() -> None:
    at = epoch("2026-11-23 23:00", "Europe/Istanbul").at
    nine = epoch("2026-11-24 09:00", "Europe/Istanbul").at
    policy = DueTime(0.0, None, NIGHT, 1800.0)
    later = [policy.compute(at, ISTANBUL, f"key {number}") - nine for number in range(6000)]
    minutes = [sum(60 * m <= seconds < 60 * m + 60 for seconds in later) for m in range(30)]
    assert sum(minutes) == 6000
    assert all(130 < count < 280 for count in minutes)


def test_a_spread_longer_than_the_open_stretch_is_cut_to_it() -> None:
    at = epoch("2026-11-23 23:00", "Europe/Istanbul").at
    nine = epoch("2026-11-24 09:00", "Europe/Istanbul").at
    quiet = QuietHours((QuietTime(dt.time(9, 10), dt.time(9)),))
    policy = DueTime(0.0, None, quiet, 2.0 * DAY)
    later = {policy.compute(at, ISTANBUL, f"key {number}") - nine for number in range(6000)}
    assert later == set(range(600))


def test_quiet_hours_without_an_end_are_never_due() -> None:
    policy = DueTime(0.0, None, QuietHours((QuietTime(),)), 60.0)
    assert policy.compute(1.7e9, ISTANBUL, "k") == math.inf


def test_what_quiet_hours_drop_is_not_moved() -> None:
    at = epoch("2026-11-23 23:00", "Europe/Istanbul").at
    quiet = QuietHours(NIGHT.times, at_quiet="drop")
    assert DueTime(60.0, None, quiet, 60.0).compute(at, ISTANBUL, "k") == at + 60


def test_an_event_of_the_year_1_has_a_due_time() -> None:
    policy = DueTime(0.0, dt.time(10), NIGHT, 60.0)
    for zone in ("Europe/Istanbul", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert 0 <= policy.compute(-62_135_596_800.0, ZoneInfo(zone), "k") <= 2 * DAY
