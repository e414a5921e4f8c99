"""The one picture of a lane: what metrics, the status document and the log show of it."""

from __future__ import annotations

import math

import pytest

from consumer.lane.account.circuit_breaker import TRIPS
from consumer.lane.state.commands import Batch
from consumer.lane.state.settings import Limit
from consumer.lane.state.snapshot import AccountSnapshot, CampaignCircuit, LimitSnapshot
from consumer.records.call import Outcome
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    GATEWAY,
    NOW,
    PARKED,
    REFUSED,
    THROTTLED,
    VENDOR_ERROR,
    Driver,
    campaign,
    held,
    lane,
    limited,
    settings,
    written,
)

BOTH = settings(campaign("a", max_batch=2), campaign("b", max_batch=2))


def test_a_campaign_counts_what_waits_in_memory_and_in_the_log() -> None:
    few = limited(campaign("a", max_batch=2), calls=1, max_buffered=10)
    driver = Driver(lane(few))
    driver.lane.limiter.close_until(NOW + 900)
    driver.read(*(written(n) for n in range(30)))
    shown = driver.lane.snapshot(NOW + 5, log_end=31)
    assert shown.campaigns["a"].waiting == 30
    assert shown.campaigns["a"].oldest_age == 5.0
    assert shown.spilled == 30 - shown.buffered > 0
    assert (shown.span, shown.lag) == (30, 31)


def test_invitations_in_a_call_a_bisection_or_a_trial_are_unsettled_and_do_not_wait() -> None:
    driver = Driver(lane(BOTH))
    (divided,) = driver.read(held(0, campaign="a"), held(1, campaign="a"))
    driver.answer(divided, BAD_RECIPIENT)
    (alone,) = driver.read(held(2, campaign="b"))
    driver.answer(alone, GATEWAY)
    shown = driver.lane.snapshot(NOW)
    assert [campaign.unsettled for campaign in shown.campaigns.values()] == [2, 1]
    assert [campaign.waiting for campaign in shown.campaigns.values()] == [0, 0]
    assert {batch.campaign for batch in shown.in_flight} == {"a"}
    assert driver.lane.campaign_snapshot("b", NOW) == shown.campaigns["b"]


def sick(outcome: Outcome, times: int = TRIPS, customers: int = 4) -> Driver:
    """Calls of `a` end so, while those of `b` are accepted; customers of `a` wait."""
    driver, now = Driver(lane(BOTH)), NOW
    expiry = NOW + 3000
    driver.read(*(held(n, campaign="a", expires_at=expiry) for n in range(customers)))
    for number in range(times):
        driver.read(held(100 + number, campaign="b"), now=now)
        for name, answer in (("b", ACCEPTED), ("a", outcome)):
            while not (out := [each for each in in_flight(driver) if each.campaign == name]):
                now += 1
                driver.step(now)
            driver.answer(out[0], answer, at=now)
    return driver


def in_flight(driver: Driver) -> list[Batch]:
    return list(driver.lane.in_flight.values())


def circuit(driver: Driver, now: float = NOW) -> CampaignCircuit:
    return driver.lane.snapshot(now).campaigns["a"].circuit


def test_a_campaign_is_held_back_by_its_own_breaker_while_invitations_wait() -> None:
    assert circuit(sick(ACCEPTED, 1)) is CampaignCircuit.CLOSED
    driver = sick(VENDOR_ERROR)
    shown = driver.lane.snapshot(NOW).campaigns["a"]
    assert (shown.circuit, shown.circuit_open, shown.parked) == (CampaignCircuit.OPEN, True, False)
    driver = sick(VENDOR_ERROR, customers=1)
    driver.lane.settlement.sweep(NOW + 4000)
    assert circuit(driver, NOW + 4000) is CampaignCircuit.EMPTY


@pytest.mark.parametrize("outcome", [VENDOR_ERROR, REFUSED])
def test_an_open_breaker_of_the_account_holds_all_campaigns_back(outcome: Outcome) -> None:
    driver, now = Driver(lane(settings(campaign("a", max_batch=1)))), NOW
    driver.read(*(held(n) for n in range(9)))
    while driver.batches and not driver.lane.accounts.holds_back("pisano", "-"):
        now += 100
        driver.answer(driver.batches.pop(), outcome, at=now)
    assert circuit(driver, now) is CampaignCircuit.ACCOUNT
    refused = outcome is REFUSED
    assert driver.lane.snapshot(now).accounts == [AccountSnapshot("pisano", refused, not refused)]


def test_an_account_says_when_it_is_tried_again() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=1))))
    for n in range(2):
        driver.answer(driver.read(held(n), now=NOW + n)[0], REFUSED, at=NOW + n)
    (account,) = driver.lane.snapshot(NOW + 1).accounts
    assert account.credentials_refused
    assert NOW + 1 + 30 <= account.tries_at <= NOW + 1 + 60
    assert not account.well
    driver.read(held(2), now=account.tries_at)
    assert driver.lane.snapshot(account.tries_at).accounts[0].tries_at == math.inf


def test_an_account_whose_login_is_refused_is_tried_by_the_next_login() -> None:
    radar = campaign("a", vendor="radar")
    driver = Driver(lane(settings(radar, logins=frozenset({"radar"}))))
    driver.read(held(0))
    driver.lane.login_failed("radar", REFUSED, NOW)
    (account,) = driver.lane.snapshot(NOW).accounts
    assert account.credentials_refused
    assert account.tries_at == driver.lane.accounts.sessions["radar"].next_login() > NOW


def test_a_parked_campaign_and_one_outside_the_config_are_parked_whatever_their_breaker() -> None:
    driver = Driver(lane(BOTH))
    (batch,) = driver.read(held(0, campaign="a"))
    driver.answer(batch, PARKED)
    assert driver.lane.snapshot(NOW).campaigns["a"].parked
    assert circuit(driver) is CampaignCircuit.PARKED
    driver = sick(VENDOR_ERROR)
    driver.lane.reconfigure(settings(campaign("b")), NOW)
    shown = driver.lane.snapshot(NOW)
    assert shown.campaigns["a"].circuit is CampaignCircuit.PARKED
    assert not shown.campaigns["a"].parked
    assert shown.known == {"b"}


def test_the_quota_shows_permits_of_each_limit_and_the_one_that_delays_the_next_call() -> None:
    two = limited(calls=2, limits=(Limit(2, 10.0), Limit(10, 120.0)))
    driver = Driver(lane(two))
    before = driver.lane.snapshot(NOW).quota
    assert (before.held_back_by, before.next_permit) == (None, 0.0)
    (batch,) = driver.read(held(0))
    driver.answer(batch, ACCEPTED)
    (batch,) = driver.read(held(1))
    driver.answer(batch, ACCEPTED)
    after = driver.lane.snapshot(NOW).quota
    assert after.limits == [LimitSnapshot("2/10s", 0.0, 2), LimitSnapshot("10/120s", 8.0, 10)]
    assert after.held_back_by == "2/10s"
    assert after.next_permit > 0


def test_while_calls_in_flight_hold_all_permits_no_time_brings_the_next_one() -> None:
    driver = Driver(lane(limited(calls=1)))
    driver.read(held(0))
    assert driver.lane.snapshot(NOW).quota.next_permit == math.inf


def test_a_429_is_what_delays_the_next_call() -> None:
    driver = Driver(lane(limited(calls=9)))
    (batch,) = driver.read(held(0))
    driver.answer(batch, THROTTLED)
    quota = driver.lane.snapshot(NOW).quota
    assert (quota.held_back_by, quota.limits_in_use) == ("429", 0.85)
    assert quota.closed_until == NOW + quota.next_permit


def test_the_drain_forecast_counts_records_that_are_not_read_yet() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=1))))
    driver.lane.snapshot(NOW, log_end=40)
    for second in range(1, 11):
        for batch in driver.read(held(second - 1), now=NOW + second):
            driver.answer(batch, ACCEPTED, at=NOW + second)
        shown = driver.lane.snapshot(NOW + second, log_end=40)
    assert shown.lag == 30
    assert shown.drain == pytest.approx(30.0, rel=0.1)
