"""Find the bad among many by calls that are accepted or refused as a whole."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.lane.dispatch.scheduler import IndexPrice, Seal, Wait
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.state.pending import PendingInvitation
from tests.support.lanes import NOW, campaign, held

RULES = campaign("a", bisect_calls=10**6)


def search(customers: int, bad: set[int]) -> tuple[Bisection, list[int], list[int]]:
    """The search to its end: itself, the accepted and the bad ones, in order."""
    many = [held(n) for n in range(customers)]
    bisection = Bisection(RULES, many)
    accepted: list[int] = []
    found: list[int] = []
    while bisection.ready:
        part = [each.offset for each in bisection.take()]
        if not bad.isdisjoint(part):
            found += part if bisection.record_refused() else []
        else:
            accepted += part
            bisection.record_accepted()
    return bisection, accepted, found


@settings(max_examples=200)
@given(st.integers(1, 600), st.data())
def test_exactly_the_bad_are_found_and_all_others_are_accepted_once(
    customers: int, data: st.DataObject
) -> None:
    bad = data.draw(st.sets(st.integers(0, customers - 1), min_size=1))
    bisection, accepted, found = search(customers, bad)
    assert sorted(found) == sorted(bad)
    assert sorted(accepted) == sorted(set(range(customers)) - bad)
    assert (bisection.bad, bisection.good) == (len(bad), customers - len(bad))
    most = 1 + 2 * len(bad) * (math.ceil(math.log2(customers)) + 2)
    assert bisection.calls <= most


@pytest.mark.parametrize(("bad", "times"), [(1, 1.4), (10, 1.35), (100, 1.3)])
def test_a_bisection_takes_little_more_calls_than_any_method_needs(bad: int, times: float) -> None:
    rng = random.Random(bad)
    least = math.log2(math.comb(5000, bad))
    calls = [search(5000, set(rng.sample(range(5000), bad)))[0].calls for _ in range(10)]
    assert sum(calls) / 10 <= times * least


def test_no_recipient_is_rejected_by_inference() -> None:
    """The last suspect is called alone, and may be accepted after all."""
    bisection = Bisection(RULES, [held(1), held(2)])
    assert [each.offset for each in bisection.take()] == [1]
    bisection.record_accepted()
    assert [each.offset for each in bisection.take()] == [2]
    bisection.record_accepted()
    assert (bisection.bad, bisection.good, bisection.ready) == (0, 2, 0)


def test_while_a_part_is_under_way_no_other_goes() -> None:
    bisection = Bisection(RULES, [held(n) for n in range(8)])
    bisection.take()
    assert bisection.ready == 0


@pytest.mark.parametrize("of_suspects", [True, False])
def test_a_part_whose_call_settled_nothing_is_called_again(of_suspects: bool) -> None:
    bisection = Bisection(RULES, [held(n) for n in range(8)])
    if not of_suspects:
        bisection.take()
        bisection.end_part()
    part = bisection.take()
    bisection.put_back_part()
    assert bisection.take() == part


def test_a_call_keeps_its_customers_whatever_follows() -> None:
    bisection = Bisection(RULES, [held(n) for n in range(8)])
    part = bisection.take()
    bisection.record_refused()
    bisection.take()
    assert [each.offset for each in part] == [0, 1, 2, 3]


def test_after_a_part_without_an_answer_nothing_is_known_of_the_others() -> None:
    bisection = Bisection(RULES, [held(n) for n in range(8)])
    bisection.take()
    bisection.end_part()
    assert bisection.suspect == []
    assert [each.offset for each in bisection] == [4, 5, 6, 7]


def test_a_part_waits_for_a_permit_with_the_weight_of_all_invitations_behind_it() -> None:
    many = [held(n, arrived=NOW - 10 * n) for n in range(8)]
    bisection = Bisection(campaign("a", weight=3.0, max_wait=7.0), many)
    assert (bisection.ready, bisection.oldest) == (4, NOW - 70)
    assert (bisection.weight, bisection.max_wait) == (3.0, 7.0)
    assert bisection.ready < bisection.max_batch
    assert bisection.waited(NOW) == pytest.approx(280 / 4)
    bisection.take()
    bisection.record_refused()
    assert bisection.waited(NOW) == pytest.approx(280 / 4)
    bisection.drop(lambda each: each.offset < 4)
    assert bisection.waited(NOW) == pytest.approx((40 + 50 + 60 + 70) / 2)


@given(st.integers(2, 300), st.integers(0, 3), st.floats(0.001, 1.0), st.floats(0.1, 9.0))
def test_a_part_goes_when_its_waiting_is_worth_the_price(
    customers: int, refused: int, left: float, weight: float
) -> None:
    """It grows by the share of all that wait, not by the size of the next part."""
    bisection = Bisection(campaign("a", weight=weight), [held(n) for n in range(customers)])
    for _ in range(refused):
        if len(bisection.suspect) > 1:
            bisection.take()
            bisection.record_refused()
    scheduler = IndexPrice()
    price = scheduler.price(left)
    due = scheduler.due(bisection, price)
    if due < NOW + bisection.max_wait:
        assert scheduler.rank(bisection, due) == pytest.approx(price, rel=1e-3, abs=1e-2)
    assert scheduler.choose([bisection], due - 0.1, left) == Wait(due)
    assert isinstance(scheduler.choose([bisection], due, left), Seal)


def test_what_expired_leaves_it() -> None:
    many = [held(n) for n in range(8)]
    bisection = Bisection(RULES, list(many))
    bisection.take()
    bisection.record_refused()
    gone: list[PendingInvitation] = bisection.drop(lambda each: each.offset in (1, 6))
    assert [each.offset for each in gone] == [1, 6]
    assert sorted(each.offset for each in bisection) == [0, 2, 3, 4, 5, 7]
    assert bisection.drop(lambda _each: False) == []


def test_a_bisection_is_spent_when_its_calls_are() -> None:
    bisection = Bisection(campaign("a", bisect_calls=1), [held(1), held(2)])
    story = [bisection.spent]
    bisection.take()
    assert [*story, bisection.spent] == [False, True]


def test_if_all_single_recipients_are_refused_it_is_about_no_recipient() -> None:
    bisection = Bisection(RULES, [held(n) for n in range(4)])
    story = []
    for _ in range(3):
        bisection.take()
        bisection.record_refused()
        story.append((bisection.bad, bisection.is_systematic))
    assert story == [(0, False), (1, False), (2, True)]


def test_when_all_waiting_invitations_are_dropped_none_is_ready() -> None:
    bisection = Bisection(RULES, [held(1), held(2)])
    bisection.take()
    bisection.record_refused()
    bisection.drop(lambda _each: True)
    assert bisection.ready == 0
