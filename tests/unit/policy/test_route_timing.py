"""Route timing: what quiet hours do to an invitation that could go now."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.due_time import DueTime
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.route_timing import GoneRoute, HeldBack, RouteTiming
from consumer.records.result import Reason

NIGHT = QuietHours((QuietTime(dt.time(21), dt.time(9)),))
HOUR = 3600.0


def at(text: str, zone: str = "Europe/Istanbul") -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def timing(hours: QuietHours = NIGHT, spread: float = 0.0) -> RouteTiming:
    return RouteTiming(DueTime(quiet=hours, spread=spread), "Europe/Istanbul")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-20T20:59:59", None),
        ("2026-11-20T21:00", "2026-11-21T09:00"),
        ("2026-11-21T08:59:59", "2026-11-21T09:00"),
        ("2026-11-21T09:00", None),
    ],
)
def test_it_waits_for_the_end_of_quiet_hours_by_its_own_clock(now: str, until: str | None) -> None:
    for zone in ("Europe/Istanbul", "Asia/Tokyo", "America/New_York"):
        held = timing().quiet(at(now, zone), zone, "k", None)
        assert held == (until and HeldBack(until=at(until, zone)))


@pytest.mark.parametrize("zone", ["", "Nowhere/At_All", "../../etc/passwd", "Factory"])
def test_an_invitation_without_a_known_zone_goes_by_the_routes_last_one(zone: str) -> None:
    """One that was routed before the route had quiet hours has none."""
    night, noon = at("2026-11-20T23:00"), at("2026-11-20T12:00")
    assert timing().quiet(night, zone, "k", None) == HeldBack(until=at("2026-11-21T09:00"))
    assert timing().quiet(noon, zone, "k", None) is None


def test_a_route_without_quiet_hours_holds_none_back() -> None:
    for without in (RouteTiming(), RouteTiming(DueTime(delay=HOUR)), RouteTiming(shadow=True)):
        assert without.quiet(at("2026-11-20T23:00"), "Europe/Istanbul", "k", None) is None


def test_it_ends_where_it_would_expire_before_quiet_hours_do() -> None:
    now, opens = at("2026-11-20T23:00"), at("2026-11-21T09:00")
    expired = HeldBack(Reason.EXPIRED_IN_QUIET_HOURS)
    assert timing().quiet(now, "", "k", opens) == expired
    assert timing().quiet(now, "", "k", opens + 1) == HeldBack(until=opens)
    always = timing(QuietHours((QuietTime(),)))
    assert always.quiet(now, "", "k", None) == expired


def test_drop_ends_it_at_once() -> None:
    drop = timing(QuietHours(NIGHT.times, at_quiet="drop"))
    assert drop.quiet(at("2026-11-20T23:00"), "", "k", None) == HeldBack(Reason.QUIET_HOURS)
    assert drop.quiet(at("2026-11-20T12:00"), "", "k", None) is None


def test_the_margin_is_quiet() -> None:
    """The vendor's own queue sends later than the call."""
    early = timing(QuietHours(NIGHT.times, margin=600.0))
    assert early.quiet(at("2026-11-20T20:49:59"), "", "k", None) is None
    assert early.quiet(at("2026-11-20T20:50"), "", "k", None) is not None


@given(st.floats(1.7e9, 1.9e9), st.floats(0, 12 * HOUR), st.text(max_size=8))
def test_what_waits_is_due_when_it_may_go_and_spread_behind_the_night(
    now: float, spread: float, key: str
) -> None:
    held = timing(spread=spread).quiet(now, "", key, None)
    if held is None:
        return
    zone, until = ZoneInfo("Europe/Istanbul"), held.until
    assert until is not None
    assert until > now
    assert timing(spread=spread).quiet(until, "", key, None) is None
    opens = NIGHT.next_open(now, zone)
    assert opens <= until <= opens + spread


# ---- routes that the config has no more -----------------------------------------------------


@st.composite
def waiting(draw: st.DrawFn) -> RouteTiming:
    """Quiet hours of a policy, which wait."""
    bounds = st.builds(dt.time, st.integers(0, 23), st.sampled_from([0, 30]))
    days = st.none() | st.frozensets(st.integers(0, 6), min_size=1)
    times = draw(st.lists(st.builds(QuietTime, bounds, bounds, days), max_size=2))
    hours = QuietHours(tuple(times), draw(st.sampled_from([0.0, 900.0])))
    zone = draw(st.sampled_from(["Europe/Istanbul", "America/New_York"]))
    return RouteTiming(DueTime(quiet=hours, spread=draw(st.sampled_from([0.0, HOUR]))), zone)


@given(
    st.lists(waiting(), max_size=4),
    st.floats(1.7e9, 1.9e9),
    st.sampled_from(["", "Asia/Tokyo", "Nowhere/At_All"]),
    st.none() | st.floats(0.0, 48 * HOUR),
)
def test_a_gone_route_goes_only_where_each_policy_lets_it(
    policies: list[RouteTiming], now: float, zone: str, left: float | None
) -> None:
    expires_at = None if left is None else now + left
    answers = [timing.quiet(now, zone, "k", expires_at) for timing in policies]
    held = GoneRoute(policies=tuple(policies)).quiet(now, zone, "k", expires_at)
    assert (held is None) == all(answer is None for answer in answers)
    if held is not None and held.until is not None:
        assert held.until == max(answer.until or 0.0 for answer in answers if answer)
    elif held is not None:
        assert any(answer and answer.reason == held.reason for answer in answers)


def test_a_gone_route_is_not_paused() -> None:
    gone = GoneRoute(policies=(timing(),))
    assert not gone.paused
