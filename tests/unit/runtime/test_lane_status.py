"""A lane and a call as the status page shows them: what helps, and nothing from outside."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from consumer.http.calls import Answered
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.snapshot import (
    AccountSnapshot,
    CampaignCircuit,
    CampaignSnapshot,
    LaneSnapshot,
    LimitSnapshot,
    QuotaSnapshot,
)
from consumer.observability.status.delayed import CAMPAIGNS_SHOWN
from consumer.observability.status.status import AccountStatus, BatchStatus, CampaignStatus
from consumer.records.call import Outcome, Verdict
from consumer.runtime.lane.lane_status import Trouble, call_status, lane_status
from tests.support.lanes import NOW, Driver, campaign, held, lane, limited

SHOWN = LaneSnapshot("cloud", NOW, lag=7)


def test_permits_are_limited_to_our_share() -> None:
    """The bar's end is the part of the limit that this lane may use."""
    driver = Driver(lane(limited(calls=20, share=0.9)))
    driver.read(held(0))
    now = lane_status(driver.lane.snapshot(NOW + 2))
    assert now.limits == [LimitSnapshot("20/10s", 17.0, 18)]
    assert now.in_flight == [BatchStatus(driver.batches[0].id, "a", 1, 2.0)]
    assert now.held_back_by is None


def test_the_limit_that_holds_the_next_call_back_is_named() -> None:
    driver = Driver(lane(limited(calls=1)))
    (batch,) = driver.read(held(0))
    driver.answer(batch, Outcome(Verdict.ACCEPTED, 200))
    assert lane_status(driver.lane.snapshot(NOW + 1)).held_back_by == "1/10s"


def test_a_429_is_named_as_what_holds_back() -> None:
    machine = lane(limited(calls=5))
    machine.limiter.close_until(NOW + 60)
    assert lane_status(machine.snapshot(NOW)).held_back_by == "429"


def test_the_status_shows_what_the_snapshot_has() -> None:
    shown = replace(
        SHOWN,
        accounts=[AccountSnapshot("pisano", credentials_refused=True)],
        quota=QuotaSnapshot(limits_in_use=0.7, next_permit=2.5),
        drain=30.0,
        paused=True,
    )
    now = lane_status(shown)
    assert now.accounts == [AccountStatus("pisano", credentials_refused=True)]
    assert (now.owner, now.lag, now.limits_in_use, now.drain) == ("here", 7, 0.7, 30.0)
    assert (now.next_permit, now.paused) == (2.5, True)


def test_never_is_none() -> None:
    now = lane_status(replace(SHOWN, quota=QuotaSnapshot(next_permit=math.inf), drain=math.inf))
    assert (now.next_permit, now.drain) == (None, None)


def test_parked_and_sick_campaigns_come_first_then_the_oldest_and_the_rest_is_counted() -> None:
    names = [f"c{n:02}" for n in range(CAMPAIGNS_SHOWN + 5)]
    campaigns = {name: CampaignSnapshot(2, float(age)) for age, name in enumerate(names)}
    campaigns["c00"] = CampaignSnapshot(0, 0.0, parked=True)
    campaigns["c01"] = CampaignSnapshot(0, 0.0)  # empty: no news
    campaigns["c02"] = CampaignSnapshot(
        0, 0.0, circuit=CampaignCircuit.OPEN
    )  # its one customer is tried
    now = lane_status(replace(SHOWN, campaigns=campaigns, known=frozenset(names)))
    assert [each.name for each in now.campaigns][:4] == [
        *("c00", "c02"),
        f"c{CAMPAIGNS_SHOWN + 4}",
        f"c{CAMPAIGNS_SHOWN + 3}",
    ]
    assert (len(now.campaigns), now.campaigns_more) == (CAMPAIGNS_SHOWN, 4)
    assert now.waiting == 2 * (CAMPAIGNS_SHOWN + 2)


def test_a_campaign_that_only_a_record_names_is_shown_as_other() -> None:
    shown = replace(SHOWN, campaigns={"+905321112233": CampaignSnapshot(3, 1.0)})
    (shown_campaign,) = lane_status(shown).campaigns
    assert (shown_campaign.name, shown_campaign.waiting) == ("other", 3)


@pytest.mark.parametrize("known_code", ["13005", None])
def test_only_a_known_code_of_an_answer_is_shown(known_code: str | None) -> None:
    outcome = Outcome(Verdict.RETRY, 400, code="ayse-1984", message="ayse@example.test")
    batch = Batch("cloud.1.1", "a", [held(0), held(1)], NOW, SealReason.PERMIT, campaign("a"))
    answered = Answered(batch, "pisano", outcome, NOW, NOW + 1, "400", known_code)
    call = call_status("cloud", answered, 1.0)
    assert (call.code, call.customers, call.answer) == (known_code, 2, "400")
    assert (call.batch, call.verdict, call.vendor) == ("cloud.1.1", "retry", "pisano")
    assert "ayse" not in repr(call)


def test_a_refused_account_stops_its_lane_and_says_since_when_why_and_when_it_is_tried() -> None:
    refused = AccountSnapshot("pisano", credentials_refused=True, tries_at=NOW + 50)
    trouble = Trouble(NOW - 60, "HTTP 401: token not accepted")
    now = lane_status(replace(SHOWN, accounts=[refused]), {"pisano": trouble})
    (account,) = now.accounts
    assert (account.since, account.why) == (NOW - 60, "HTTP 401: token not accepted")
    assert account.tries_at == NOW + 50
    assert now.stopped == "the vendor refuses account pisano"


def test_an_open_circuit_stops_a_lane_only_if_no_other_account_is_well() -> None:
    ill, well = AccountSnapshot("pisano", circuit_open=True), AccountSnapshot("radar")
    assert lane_status(replace(SHOWN, accounts=[ill])).stopped == (
        "the circuit of account pisano is open"
    )
    assert lane_status(replace(SHOWN, accounts=[ill, well])).stopped == ""


def test_a_lane_whose_waiting_campaigns_all_have_an_open_circuit_is_stopped() -> None:
    sick = CampaignSnapshot(3, 1.0, circuit=CampaignCircuit.OPEN)
    shown = replace(SHOWN, campaigns={"a": sick}, known=frozenset("ab"))
    failed = {"a": "connection refused"}
    assert lane_status(shown, {}, failed).stopped == "the circuit of campaign a is open"
    assert lane_status(shown, {}, failed).campaigns[0].why == "connection refused"
    both = replace(shown, campaigns={"a": sick, "b": CampaignSnapshot(1, 1.0)})
    assert lane_status(both).stopped == ""


def test_a_parked_campaign_says_when_it_is_tried_again() -> None:
    parked = CampaignSnapshot(0, 0.0, parked=True, parked_at=NOW - 5, parked_until=NOW + 55)
    now = lane_status(replace(SHOWN, campaigns={"a": parked}, known=frozenset("a")))
    assert now.campaigns == [CampaignStatus("a", 0, 0.0, parked=True, tries_at=NOW + 55)]
