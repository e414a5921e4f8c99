"""Calendar periods: half-open, without gaps, bounded by local midnights."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.contacts.periods import PeriodUnit, period_at

UNITS: list[PeriodUnit] = ["day", "week", "month", "quarter", "year"]
ZONES = ["UTC", "Europe/Istanbul", "America/New_York", "Asia/Beirut", "America/Sao_Paulo"]


def at(text: str, zone: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@given(st.sampled_from(UNITS), st.sampled_from(ZONES), st.floats(0, 4e9))
def test_periods_follow_each_other_without_gap(unit: PeriodUnit, zone: str, when: float) -> None:
    start, end = period_at(unit, zone, when)
    assert start <= when < end
    assert period_at(unit, zone, start) == (start, end)
    assert period_at(unit, zone, end)[0] == end
    assert period_at(unit, zone, start - 1)[1] == start


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        ("day", "2026-11-25", "2026-11-26"),
        ("week", "2026-11-23", "2026-11-30"),
        ("month", "2026-11-01", "2026-12-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("year", "2026-01-01", "2027-01-01"),
    ],
)
@pytest.mark.parametrize("zone", ZONES)
def test_period_is_one_of_the_zones_calendar(
    unit: PeriodUnit, start: str, end: str, zone: str
) -> None:
    assert period_at(unit, zone, at("2026-11-25T00:30", zone)) == (at(start, zone), at(end, zone))


def test_day_on_which_the_clock_goes_back_has_25_hours() -> None:
    start, end = period_at("day", "America/New_York", at("2026-11-01T12:00", "America/New_York"))
    assert end - start == 25 * 3600


def test_day_without_midnight_begins_after_the_gap() -> None:
    """In Beirut clocks went from 24:00 on 30 March 2024 to 01:00."""
    start, end = period_at("day", "Asia/Beirut", at("2024-03-31T12:00", "Asia/Beirut"))
    assert dt.datetime.fromtimestamp(start, ZoneInfo("Asia/Beirut")).hour == 1
    assert end - start == 23 * 3600
