"""The search among sick campaigns takes few of the permits that healthy ones wait for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.dispatch.sealing import AT_ONCE, SHARE, SearchBudget
from consumer.lane.state.settings import Limit
from consumer.records.call import Outcome
from tests.support.lanes import ACCEPTED, GATEWAY, REFUSED, Driver, campaign, held, lane, settings
from tests.unit.lane.test_lane_sick import Judge, play


@given(st.lists(st.booleans(), max_size=300))
def test_no_more_searches_go_than_calls_of_healthy_campaigns_earn(wanted: list[bool]) -> None:
    """Where each step that wants a search gets it if the budget allows, and else a healthy call."""
    budget, searches, healthy = SearchBudget(), 0, 0
    for search in wanted:
        allowed = search and budget.allows_search
        budget.record_call(search=allowed)
        searches, healthy = searches + allowed, healthy + (not allowed)
    assert searches <= AT_ONCE + SHARE * healthy + 1e-6


def test_seven_calls_of_healthy_campaigns_earn_a_search() -> None:
    budget = SearchBudget()
    for _ in range(10):
        budget.record_call(search=True)
    for _ in range(7):
        assert not budget.allows_search
        budget.record_call(search=False)
    assert budget.allows_search


def test_a_retry_earns_one_search_at_once() -> None:
    budget, allowed = SearchBudget(), list[bool]()
    for _ in range(2):
        for _ in range(10):
            budget.record_call(search=True)
        allowed.append(budget.allows_search)
        budget.allow()
        allowed.append(budget.allows_search)
        budget.record_call(search=True)
    assert allowed == [False, True] * 2
    assert not budget.allows_search


@pytest.mark.parametrize("how", [REFUSED, GATEWAY], ids=["403", "404"])
def test_sick_campaigns_take_few_permits_while_healthy_ones_wait(how: Outcome) -> None:
    """Five campaigns are refused whole, `b` has a customer each second, and a permit is there each
    twelve. At first nothing tells the account from its campaigns; then the budget binds."""
    names = [f"a{n}" for n in range(5)]
    of = settings(
        *(campaign(name, max_batch=50) for name in names),
        campaign("b", max_batch=2),
        limits=(Limit(1, 4.0),),
        share=1.0,
    )
    driver = Driver(lane(of))
    driver.read(*(held(n, campaign=names[n % 5]) for n in range(300)))
    judge = sick_but("b", how)
    now = play(driver, judge, 400, feed="b")
    first = len(driver.batches)
    play(driver, judge, 800, feed="b", since=now)
    calls = [batch.campaign for batch in driver.batches[first:]]
    assert calls.count("b") > 40
    assert len(calls) - calls.count("b") <= AT_ONCE + SHARE * calls.count("b")
    assert "vendor_rejected" not in driver.reasons.values()


def sick_but(healthy: str, how: Outcome) -> Judge:
    """A vendor that answers so to all campaigns but one."""
    return lambda batch, _now: ACCEPTED if batch.campaign == healthy else how
