"""Time zones: known names, offsets, zones of phone numbers."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, example_number, format_number
from phonenumbers.phonenumberutil import SUPPORTED_REGIONS
from phonenumbers.timezone import time_zones_for_number

from consumer.policy.zones import (
    DAY,
    ZONE_NAMES,
    known_zone,
    offset_at,
    steady_offset,
    zone_of_phone,
)
from tests.support.wall_clock import MOMENTS, Moment, epoch

HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "Europe",
    "Europe/",
    "Europe/../UTC",
    "Europe/\0Berlin",
    "Europe/İstanbul",
    "europe/istanbul",
    "x" * 1_000_000,
    "\ud800",
    "posixrules",
    "right/UTC",
    "localtime",
    "Factory",
    "tzdata.zi",
    "Etc/Unknown",
]


def test_every_name_of_the_data_is_known() -> None:
    assert available_timezones() - {"localtime", "Factory"} <= ZONE_NAMES
    for name in ZONE_NAMES:
        zone = known_zone(name)
        assert zone is not None
        assert zone.key == name
        assert known_zone(name) is zone


@pytest.mark.parametrize("name", [*HOSTILE, None, 3, ["Europe/Berlin"], {}])
def test_another_name_is_unknown(name: object) -> None:
    assert known_zone(name) is None


@given(st.text())
def test_a_text_never_raises(name: str) -> None:
    assert (known_zone(name) is None) == (name not in ZONE_NAMES)


@given(MOMENTS, st.floats(0, 60))
def test_an_offset_is_the_wall_clock_less_utc(moment: Moment, later: float) -> None:
    wall = dt.datetime.fromtimestamp(moment.at, moment.zone).replace(tzinfo=dt.UTC)
    assert moment.at + offset_at(moment.at + later / 100, moment.zone) == wall.timestamp()


@pytest.mark.parametrize("at", [-1e12, -1.0, 0.0, 3e11, 1e300])
def test_an_offset_beyond_the_calendar_is_that_of_its_end(at: float) -> None:
    assert offset_at(at, ZoneInfo("Asia/Tokyo")) == 9 * 3600
    assert offset_at(at, ZoneInfo("America/New_York")) == -5 * 3600


@given(MOMENTS)
def test_an_offset_holds_up_to_its_change(moment: Moment) -> None:
    at, zone = moment
    offset, until = steady_offset(at, at + DAY, zone)
    assert {offset_at(second, zone) for second in range(at, until, 60)} == {offset}
    if until < at + DAY:
        assert offset_at(until - 1, zone) == offset != offset_at(until, zone)


def test_a_change_is_found_to_the_second() -> None:
    at, zone = epoch("2026-03-29 00:00", "Europe/Berlin")
    assert steady_offset(at, at + DAY, zone) == (3600, at + 7200)
    assert steady_offset(at + 7200, at + DAY, zone) == (7200, at + DAY)


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+905551112233", "Europe/Istanbul"),
        ("+491701234567", "Europe/Berlin"),
        ("+393123456789", "Europe/Rome"),  # and the Vatican's, the same
        ("+79161234567", None),
        ("+34612345678", None),  # mainland or Canary Islands
        ("+88212345678", None),  # satellite: an unknown zone
        ("+1", None),
        ("905551112233", None),
        ("", None),
        ("x", None),
    ],
)
def test_a_phone_has_a_zone_if_all_of_its_zones_share_one_offset(
    number: str, zone: str | None
) -> None:
    assert zone_of_phone(number) == zone


@given(st.sampled_from(sorted(SUPPORTED_REGIONS)), st.integers(0, 3650 * 24))
def test_all_zones_of_a_phone_with_a_zone_show_the_same_time(region: str, hour: int) -> None:
    example = example_number(region)
    assert example is not None
    zone = zone_of_phone(format_number(example, PhoneNumberFormat.E164))
    names = time_zones_for_number(example)
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp() + 3600 * hour
    if zone is not None:
        assert {offset_at(at, ZoneInfo(name)) for name in names} == {offset_at(at, ZoneInfo(zone))}
    else:
        assert len(names) > 1 or names == ("Etc/Unknown",)
