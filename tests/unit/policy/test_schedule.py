"""Schedule: whose clock counts, when an invitation is due, and when none is sent."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.due_time import DueTime
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.schedule import Schedule, ZoneSources
from consumer.records.fields import LAST_MOMENT
from consumer.records.result import Reason
from tests.support.candidates import FakeCandidate

ISTANBUL = ZoneInfo("Europe/Istanbul")
HOUR = 3600.0
NIGHT = QuietHours((QuietTime(dt.time(21), dt.time(9)),))


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ISTANBUL).timestamp()


def zone(body: dict[str, object]) -> object:
    return body.get("zone")


def store_zone(body: dict[str, object]) -> object:
    return body.get("store")


SOURCES = ("customer.zone", zone), ("phone", None), ("store.zone", store_zone)
ZONES = ZoneSources(SOURCES, ISTANBUL)


@pytest.mark.parametrize(
    ("body", "phone", "expected"),
    [
        ({"zone": "Asia/Tokyo"}, "+905321234567", ("Asia/Tokyo", "customer.zone")),
        ({"zone": "Tokyo"}, "+442071234567", ("Europe/London", "phone")),
        ({"zone": None, "store": "Asia/Dubai"}, None, ("Asia/Dubai", "store.zone")),
        ({"store": "Asia/Dubai"}, "+79161234567", ("Asia/Dubai", "store.zone")),
        ({"store": "../etc/passwd"}, "+79161234567", ("Europe/Istanbul", "'Europe/Istanbul'")),
        ({"zone": 3, "store": ["Asia/Dubai"]}, None, ("Europe/Istanbul", "'Europe/Istanbul'")),
    ],
)
def test_the_first_source_that_gives_a_zone_counts(
    body: dict[str, object], phone: str | None, expected: tuple[str, str]
) -> None:
    """A phone number of +7 may be in any of many zones."""
    candidate = FakeCandidate(body, phone=phone, event_time=at("2026-11-20T12:00"))
    due, name, reason = Schedule(DueTime(quiet=NIGHT), ZONES).plan(candidate, "key")
    found = candidate.found
    assert (found["timezone"], found["timezone_from"]) == expected
    assert (name, reason) == (expected[0], None)
    assert not NIGHT.is_quiet(due, ZoneInfo(name))


def test_a_delay_alone_asks_for_no_zone() -> None:
    candidate = FakeCandidate(event_time=1_000_000.0)
    assert Schedule(DueTime(delay=2 * HOUR)).plan(candidate, "k") == (1_007_200.0, "", None)
    assert candidate.found == {}


def test_an_invitation_that_expires_before_it_is_due_is_not_sent() -> None:
    event_time = at("2026-11-20T22:00")
    schedule = Schedule(DueTime(quiet=NIGHT), ZoneSources([], ISTANBUL))
    for after, expected in ((11 * HOUR, Reason.EXPIRED_IN_QUIET_HOURS), (11 * HOUR + 1, None)):
        candidate = FakeCandidate(event_time=event_time, expires_at=event_time + after)
        assert schedule.plan(candidate, "k") == (
            at("2026-11-21T09:00"),
            "Europe/Istanbul",
            expected,
        )


def test_quiet_hours_that_never_end_end_the_invitation() -> None:
    """Checks refuse such weeks; a list of dates may have them all the same."""
    always = QuietHours((QuietTime(),))
    schedule = Schedule(DueTime(quiet=always), ZoneSources([], ISTANBUL))
    due, _, reason = schedule.plan(FakeCandidate(), "k")
    assert (due, reason) == (LAST_MOMENT, Reason.EXPIRED_IN_QUIET_HOURS)
    assert due < math.inf


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("2026-11-20T20:59", None),
        ("2026-11-20T21:00", Reason.QUIET_HOURS),
        ("2026-11-21T08:59", Reason.QUIET_HOURS),
        ("2026-11-21T09:00", None),
    ],
)
def test_drop_ends_what_is_due_in_quiet_hours(event: str, reason: Reason | None) -> None:
    drop = QuietHours(NIGHT.times, at_quiet="drop")
    schedule = Schedule(DueTime(quiet=drop), ZoneSources([], ISTANBUL))
    candidate = FakeCandidate(event_time=at(event))
    assert schedule.plan(candidate, "k") == (at(event), "Europe/Istanbul", reason)


@given(
    st.floats(1.7e9, 1.9e9),
    st.floats(0, 90 * 24 * HOUR),
    st.sampled_from([None, dt.time(10), dt.time(22, 30)]),
    st.floats(0, 30 * HOUR),
    st.sampled_from(["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "nowhere", None]),
    st.text(max_size=5),
)
def test_an_invitation_is_due_after_its_delay_and_never_in_quiet_hours(
    event_time: float,
    delay: float,
    send_at: dt.time | None,
    spread: float,
    name: str | None,
    key: str,
) -> None:
    """And a replay plans alike, however late."""
    schedule = Schedule(DueTime(delay, send_at, NIGHT, spread), ZONES)
    candidate = FakeCandidate({"zone": name}, event_time=event_time)
    due, zone_name, reason = schedule.plan(candidate, key)
    assert reason is None
    assert due >= event_time + delay
    assert not NIGHT.is_quiet(due, ZoneInfo(zone_name))
    again = Schedule(DueTime(delay, send_at, NIGHT, spread), ZONES)
    assert again.plan(FakeCandidate({"zone": name}, event_time=event_time), key)[0] == due
