"""Due times, quiet hours and shadow: asked when an invitation is read, before its call and before
a retry, for each customer of a call by its own clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.state.delay_steps import NEAR, STEPS
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneSettings
from consumer.policy.due_time import DueTime
from consumer.policy.pauses import Pauses
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.route_timing import GoneRoute, RouteTiming
from consumer.records.fields import rfc3339
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    REFUSED,
    THROTTLED,
    TROUBLE,
    Driver,
    campaign,
    lane,
    limited,
    settings,
    written,
)

ISTANBUL = "Europe/Istanbul"
NIGHT = QuietHours((QuietTime(dt.time(21), dt.time(9)),))
EVENING = dt.datetime(2025, 11, 22, 20, 58, tzinfo=ZoneInfo(ISTANBUL)).timestamp()
DUSK = EVENING + 120
DAWN = DUSK + 12 * 3600
HOUR = 3600.0
ROUTE = "store"
"""The route of every invitation of `written`."""


def timings(hours: QuietHours = NIGHT, **more: object) -> Mapping[str, RouteTiming]:
    timing = RouteTiming(DueTime(quiet=hours), ISTANBUL)
    return {ROUTE: replace(timing, **more)}  # type: ignore[arg-type]


def quiet(of: LaneSettings | None = None, hours: QuietHours = NIGHT) -> Driver:
    """A lane whose route has quiet hours."""
    return Driver(lane(replace(of or settings(), routes=timings(hours))))


def one(offset: int, expires_at: float = DAWN + HOUR, **more: str | float) -> PendingInvitation:
    return written(offset, **{"expires_at": expires_at, **more})  # type: ignore[arg-type]  # keys of a record


def delays(driver: Driver) -> dict[int, float]:
    """Offset of each delayed invitation → when it is due."""
    return {each.invitation.offset: each.due_at for each in driver.put_off}


# ---- quiet hours -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "until"),
    [(DUSK - 1, None), (DUSK, DAWN), (DAWN - HOUR, DAWN), (DAWN - 30, DAWN), (DAWN, None)],
)
def test_quiet_hours_delay_what_is_read(now: float, until: float | None) -> None:
    driver = quiet()
    driver.read(one(1), now=now)
    assert (driver.sent, delays(driver)) == (([1], {}) if until is None else ([], {1: until}))


def test_what_waits_for_a_permit_when_quiet_hours_begin_is_not_called() -> None:
    """It goes to the delay topics and takes no permit."""
    driver = quiet(limited(calls=1))
    (first,) = driver.read(one(1), now=DUSK - 5)
    driver.read(one(2), one(3), now=DUSK - 4)
    assert driver.answer(first, ACCEPTED, at=DUSK - 4) == []
    driver.step(DUSK + 30)
    assert (driver.sent, delays(driver)) == ([1], {2: DAWN, 3: DAWN})
    assert driver.lane.limiter.allowed(DUSK + 30)


@pytest.mark.parametrize("outcome", [TROUBLE, THROTTLED], ids=["503", "429"])
def test_a_retry_is_asked_again(outcome: object) -> None:
    driver = quiet()
    (batch,) = driver.read(one(1), now=DUSK - 5)
    driver.answer(batch, outcome, at=DUSK - 4)  # type: ignore[arg-type]
    driver.step(DUSK + 700)
    assert (driver.sent, delays(driver)) == ([1], {1: DAWN})
    (delayed,) = driver.put_off
    assert delayed.invitation.attempt == (outcome is TROUBLE)
    assert (delayed.step, delayed.invitation.delays) == ("6h", 0)


def test_a_part_of_a_divided_batch_is_asked_again() -> None:
    """One part was out when the night began; the other waits for the morning."""
    driver = quiet()
    (whole,) = driver.read(*(one(n) for n in range(4)), now=DUSK - 5)
    (part,) = driver.answer(whole, BAD_RECIPIENT, at=DUSK - 4)
    driver.answer(part, ACCEPTED, at=DUSK + 1)
    driver.step(DUSK + 2)
    waiting = set(range(4)) - {each.offset for each in part.invitations}
    assert delays(driver) == dict.fromkeys(waiting, DAWN)
    assert len(driver.batches) == 2
    assert driver.lane.idle
    assert not list(driver.lane.settlement.bisections)


def test_a_customer_on_trial_is_asked_again() -> None:
    driver = quiet(settings(campaign("a", max_batch=1)))
    (batch,) = driver.read(one(1), now=DUSK - 60)
    driver.answer(batch, REFUSED, at=DUSK - 59)
    now = DUSK - 58
    while now < DUSK + 700 and not delays(driver):
        for call in driver.step(now):
            driver.answer(call, REFUSED, at=now)
        now += 1
    assert delays(driver) == {1: DAWN}
    assert all(call.sealed_at < DUSK for call in driver.batches)
    assert not list(driver.lane.settlement.trials)


def test_each_customer_of_a_call_goes_by_its_own_clock() -> None:
    """It is 21:00 in Istanbul, 18:00 in London and 03:00 in Tokyo. One has no zone."""
    driver = quiet(limited(calls=1))
    (busy,) = driver.read(one(0, zone="Europe/London"), now=DUSK)
    zones = {1: ISTANBUL, 2: "Europe/London", 3: "Asia/Tokyo", 4: "", 5: "No/Where"}
    driver.read(*(one(n, zone=zone) for n, zone in zones.items()), now=DUSK)
    driver.answer(busy, ACCEPTED, at=DUSK)
    (batch,) = driver.step(DUSK + 30)
    assert [each.offset for each in batch.invitations] == [2]
    assert delays(driver) == {1: DAWN, 3: DUSK + 6 * HOUR, 4: DAWN, 5: DAWN}


def test_zones_are_asked_at_sealing_too() -> None:
    zones = {1: ISTANBUL, 2: "Europe/London"}
    driver = quiet(limited(calls=1))
    driver.read(one(0), now=DUSK - 4)
    driver.read(*(one(n, zone=zone) for n, zone in zones.items()), now=DUSK - 3)
    driver.answer(driver.batches[0], ACCEPTED, at=DUSK - 3)
    (batch,) = driver.step(DUSK + 30)
    assert [each.offset for each in batch.invitations] == [2]
    assert delays(driver) == {1: DAWN}


def test_drop_ends_it_when_read_and_at_sealing() -> None:
    driver = quiet(limited(calls=1), QuietHours(NIGHT.times, at_quiet="drop"))
    driver.read(one(0), now=DUSK - 4)
    driver.read(one(1), now=DUSK - 3)
    driver.answer(driver.batches[0], ACCEPTED, at=DUSK - 3)
    driver.step(DUSK + 30)
    driver.read(one(2), now=DUSK + 31)
    assert driver.reasons == {"i0": "accepted", "i1": "quiet_hours", "i2": "quiet_hours"}
    assert {result["status"] for result in driver.results} == {"accepted", "suppressed"}


def test_what_would_expire_in_quiet_hours_ends_at_once() -> None:
    driver = quiet()
    driver.read(one(1, expires_at=DAWN), one(2, expires_at=DAWN + 1), now=DUSK)
    assert driver.reasons == {"i1": "expired_in_quiet_hours"}
    (delayed,) = driver.put_off
    assert DAWN - NEAR <= delayed.due_at <= DAWN


def test_what_may_have_been_sent_waits_for_the_morning_before_it_is_sent_again() -> None:
    rules = settings(campaign("a", in_doubt="resend"))
    driver = quiet(rules)
    driver.read(one(1), now=DUSK - 1)
    after = Driver(lane(replace(rules, routes=timings()), driver.checkpoint))
    after.read(one(1), now=DUSK)
    assert (after.sent, after.results, delays(after)) == ([], [], {1: DAWN})


def test_an_invitation_in_doubt_that_may_not_go_any_more_is_unknown() -> None:
    """It may have been sent, so no reason of ours says that it was not."""
    rules = settings(campaign("a", in_doubt="resend"))
    driver = quiet(rules)
    driver.read(one(1), now=DUSK - 1)
    drop = timings(QuietHours(NIGHT.times, at_quiet="drop"))
    after = Driver(lane(replace(rules, routes=drop), driver.checkpoint))
    after.read(one(1), now=DUSK)
    assert after.reasons == {"i1": "owner_lost"}


def test_quiet_hours_that_a_reload_brings_hold_back_what_waits() -> None:
    driver = Driver(lane(limited(calls=1)))
    driver.read(one(0), now=DUSK)
    driver.read(one(1), now=DUSK)
    driver.answer(driver.batches[0], ACCEPTED, at=DUSK)
    driver.lane.reconfigure(replace(limited(calls=1), routes=timings()), DUSK + 1)
    driver.step(DUSK + 30)
    assert (driver.sent, delays(driver)) == ([0], {1: DAWN})


@given(st.floats(0, 48 * HOUR), st.sampled_from([ISTANBUL, "Asia/Tokyo", "America/New_York", ""]))
def test_no_call_leaves_in_the_quiet_hours_of_its_customer(after: float, zone: str) -> None:
    driver = quiet()
    now = EVENING + after
    driver.read(one(1, expires_at=EVENING + 99 * HOUR, zone=zone), now=now)
    hours = NIGHT.is_quiet(now, ZoneInfo(zone or ISTANBUL))
    assert (driver.sent == []) == hours
    for due_at in delays(driver).values():
        assert not NIGHT.is_quiet(due_at, ZoneInfo(zone or ISTANBUL))


# ---- due times -------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [1.0, 59.0, HOUR, 50 * HOUR])
def test_what_is_not_due_is_delayed_until_it_is(wait: float) -> None:
    """A retried campaign returns it early, and a lane that is written to by hand reads it."""
    driver = Driver(lane())
    due = EVENING + wait
    driver.read(one(1, expires_at=due + HOUR, eligible_from=due), now=EVENING)
    (delayed,) = driver.put_off
    assert (driver.sent, delayed.due_at) == ([], due)
    assert STEPS[delayed.step] <= max(wait, STEPS["1m"])


def test_what_is_due_waits_since_its_due_time_and_its_result_tells_it() -> None:
    driver = Driver(lane())
    due = EVENING - 100
    pending = one(1, eligible_from=due)
    assert pending.arrived == due
    (batch,) = driver.read(pending, now=EVENING)
    driver.answer(batch, ACCEPTED, at=EVENING)
    (result,) = driver.results
    assert result["due_at"] == rfc3339(due)


def test_without_a_due_time_the_result_has_none() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(one(1), now=EVENING)
    driver.answer(batch, ACCEPTED, at=EVENING)
    assert "due_at" not in driver.results[0]


# ---- shadow ----------------------------------------------------------------------------------


def test_shadow_does_all_but_the_call_and_takes_no_permit() -> None:
    """The one permit goes to the live route's customer."""
    of = replace(limited(calls=1), routes={ROUTE: RouteTiming(shadow=True)})
    driver = Driver(lane(of))
    driver.read(*(one(n) for n in range(3)), now=EVENING)
    assert driver.reasons == {f"i{n}": "shadow" for n in range(3)}
    assert {result["status"] for result in driver.results} == {"suppressed"}
    live = written(3, expires_at=DAWN, route="live")
    (batch,) = driver.read(live, now=EVENING)
    assert [each.offset for each in batch.invitations] == [3]


def test_shadow_obeys_the_rules() -> None:
    driver = Driver(lane(replace(settings(), routes=timings(shadow=True))))
    driver.read(one(1, expires_at=DUSK), one(2), now=DUSK)
    driver.read(one(3), now=DAWN)
    assert driver.reasons == {"i1": "expired_waiting", "i3": "shadow"}
    assert (delays(driver), driver.sent) == ({2: DAWN}, [])


def test_a_reload_to_shadow_stops_a_retry() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(one(1), now=EVENING)
    shadow = {ROUTE: RouteTiming(shadow=True)}
    driver.lane.reconfigure(replace(settings(), routes=shadow), EVENING + 1)
    driver.answer(batch, TROUBLE, at=EVENING + 2)
    driver.step(EVENING + 700)
    assert (driver.sent, driver.reasons) == ([1], {"i1": "shadow"})


# ---- routes that the config has no more -----------------------------------------------------


def without_route(of: LaneSettings) -> LaneSettings:
    """The settings after a reload that renamed the route of every invitation."""
    night = RouteTiming(DueTime(quiet=NIGHT), ISTANBUL)
    return replace(of, routes={"shop": RouteTiming()}, gone_routes=GoneRoute(policies=(night,)))


def test_what_is_read_of_a_gone_route_obeys_the_quiet_hours_of_all_policies() -> None:
    driver = Driver(lane(without_route(settings())))
    driver.read(one(1), one(2, route="shop"), now=DUSK)
    assert (driver.sent, delays(driver)) == ([2], {1: DAWN})


def test_a_reload_without_the_route_opens_no_night_for_what_waits_or_is_retried() -> None:
    driver = quiet(limited(calls=1))
    (batch,) = driver.read(one(1), one(2), now=DUSK - 5)
    driver.read(one(3), now=DUSK - 4)
    driver.lane.reconfigure(without_route(limited(calls=1)), DUSK - 3)
    driver.answer(batch, TROUBLE, at=DUSK - 2)
    driver.step(DUSK + 700)
    assert (driver.sent, delays(driver)) == ([1, 2], dict.fromkeys((1, 2, 3), DAWN))


def test_the_pause_of_a_gone_route_holds_by_command_and_not_by_its_former_config() -> None:
    """`paused: true` left with the route; a command names the route, and holds until it ends."""
    paused = replace(settings(), routes={ROUTE: RouteTiming(paused=True)})
    driver = Driver(lane(paused))
    driver.read(one(1), now=EVENING)
    driver.lane.reconfigure(without_route(settings()), EVENING + 1)
    driver.lane.pause(Pauses(routes=frozenset({ROUTE})))
    driver.read(one(2), now=EVENING + 2)
    assert (driver.sent, list(delays(driver))) == ([], [1, 2])
    driver.lane.pause(Pauses())
    driver.read(one(3), now=EVENING + 3)
    assert driver.sent == [3]


@pytest.mark.parametrize("shadow", [True, False])
def test_an_invitation_of_a_gone_route_stays_in_the_mode_in_which_it_was_made(
    shadow: bool,
) -> None:
    """A trial that ends leaves invitations that wait; with the route its mode is gone."""
    driver = Driver(lane(without_route(settings())))
    driver.read(one(1, shadow=shadow), one(2, shadow=shadow, route="shop"), now=EVENING)
    assert driver.sent == ([2] if shadow else [1, 2])
    assert driver.reasons == ({"i1": "shadow"} if shadow else {})
