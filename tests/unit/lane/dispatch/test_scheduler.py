"""Which window goes next, and until when to wait if none may."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.buffer.window import Window
from consumer.lane.dispatch.scheduler import (
    IndexPrice,
    OldestFirst,
    Scheduler,
    Seal,
    SizeOrLinger,
    Wait,
)
from consumer.lane.state.commands import SealReason
from tests.support.lanes import NOW, held


def window(
    name: str, count: int, *, max_batch: int = 3, arrived: float = NOW, not_before: float = 0.0
) -> Window:
    made = Window(name, max_batch, 600.0, not_before=not_before)
    made.extend(held(offset, campaign=name, arrived=arrived) for offset in range(count))
    return made


@pytest.mark.parametrize("scheduler", [OldestFirst(), SizeOrLinger(1.0), IndexPrice()])
def test_without_customers_there_is_nothing_to_wait_for(scheduler: Scheduler) -> None:
    assert scheduler.choose([], NOW, 1.0) == Wait(math.inf)
    assert scheduler.choose([window("a", 0)], NOW, 1.0) == Wait(math.inf)


def test_oldest_first_gives_the_permit_to_the_window_that_waited_longest() -> None:
    young, old = window("a", 3, arrived=NOW - 1), window("b", 1, arrived=NOW - 9)
    assert OldestFirst().choose([young, old], NOW, 1.0) == Seal(old, SealReason.PERMIT)


def test_oldest_first_tells_a_full_window_from_one_that_was_given_a_permit() -> None:
    assert OldestFirst().choose([full := window("a", 4)], NOW, 1.0) == Seal(full, SealReason.FULL)


def test_oldest_first_passes_over_a_window_that_backs_off() -> None:
    off, young = window("a", 1, arrived=NOW - 9, not_before=NOW + 5), window("b", 1)
    assert OldestFirst().choose([off, young], NOW, 1.0) == Seal(young, SealReason.PERMIT)
    assert OldestFirst().choose([off], NOW, 1.0) == Wait(NOW + 5)
    assert OldestFirst().choose([off], NOW + 5, 1.0) == Seal(off, SealReason.PERMIT)


def test_linger_counts_from_the_oldest_arrival() -> None:
    """Not from the window's making, nor from when it was looked at first."""
    few = window("a", 2, arrived=NOW - 0.25)
    assert SizeOrLinger(1.0).choose([few], NOW, 1.0) == Wait(NOW + 0.75)
    assert SizeOrLinger(1.0).choose([few], NOW + 0.75, 1.0) == Seal(few, SealReason.LINGER)


def test_a_full_window_does_not_linger() -> None:
    assert SizeOrLinger(1.0).choose([full := window("a", 3)], NOW, 1.0) == Seal(
        full, SealReason.FULL
    )


def test_of_windows_that_are_due_the_oldest_goes() -> None:
    """A flood fills windows all the time: it must not keep the small ones waiting."""
    full, late = window("a", 3, arrived=NOW - 1), window("b", 1, arrived=NOW - 2)
    for order in ([full, late], [late, full]):
        assert SizeOrLinger(1.0).choose(order, NOW, 1.0) == Seal(late, SealReason.LINGER)


def test_a_full_window_that_backs_off_waits_all_the_same() -> None:
    full = window("a", 3, not_before=NOW + 4)
    assert SizeOrLinger(1.0).choose([full], NOW, 1.0) == Wait(NOW + 4)


def test_a_lone_customer_of_an_idle_lane_waits_for_a_second() -> None:
    lone = window("a", 1, arrived=NOW)
    assert IndexPrice().choose([lone], NOW, 1.0) == Wait(NOW + 1.0)
    assert IndexPrice().choose([lone], NOW + 1.0, 1.0) == Seal(lone, SealReason.PERMIT)


def test_a_permit_costs_more_the_less_of_the_quota_is_left() -> None:
    """Half of it left, four times the price: two customers are worth it after two seconds."""
    two = window("a", 2, arrived=NOW)
    assert IndexPrice().choose([two], NOW, 0.5) == Wait(NOW + 2.0)


def test_the_largest_accumulated_waiting_goes_first_not_the_oldest() -> None:
    many, old = window("a", 2, arrived=NOW - 6), window("b", 1, arrived=NOW - 9)
    assert IndexPrice().choose([old, many], NOW, 1.0) == Seal(many, SealReason.PERMIT)


def test_a_campaigns_weight_multiplies_its_waiting() -> None:
    plain, heavy = window("a", 2, arrived=NOW - 6), window("b", 1, arrived=NOW - 6)
    heavy.weight = 3.0
    assert IndexPrice().choose([plain, heavy], NOW, 1.0) == Seal(heavy, SealReason.PERMIT)


def test_a_full_window_goes_at_any_price() -> None:
    """Keeping it makes no call better, and a standing backlog must use its quota."""
    full = window("a", 5, arrived=NOW)
    assert IndexPrice().choose([full], NOW, 0.001) == Seal(full, SealReason.FULL)


def test_one_customer_a_day_is_not_starved() -> None:
    lone = window("a", 1, arrived=NOW)
    assert IndexPrice().choose([lone], NOW, 0.001) == Wait(NOW + 600.0)
    assert IndexPrice().choose([lone], NOW + 600.0, 0.001) == Seal(lone, SealReason.MAX_WAIT)


def test_nothing_is_worth_a_permit_while_it_backs_off() -> None:
    off = window("a", 3, arrived=NOW - 900, not_before=NOW + 5)
    assert IndexPrice().choose([off], NOW, 1.0) == Wait(NOW + 5)


def test_each_fourth_permit_goes_to_the_most_overdue_window() -> None:
    """By the index alone, a campaign of one customer would wait for hours behind busy ones."""
    index_price = IndexPrice()
    few, fewer = window("a", 1, arrived=NOW - 700), window("b", 1, arrived=NOW - 800)
    busy = window("c", 90, max_batch=99, arrived=NOW - 100)
    chosen = [index_price.choose([few, busy, fewer], NOW, 1.0) for _ in range(9)]
    names = [each.window for each in chosen if isinstance(each, Seal)]
    assert names == [fewer, busy, busy, busy, fewer, busy, busy, busy, fewer]
    assert chosen[0] == Seal(fewer, SealReason.MAX_WAIT)


@pytest.mark.parametrize("scheduler", [OldestFirst(), IndexPrice()])
def test_an_urgent_window_goes_first_at_any_price(scheduler: Scheduler) -> None:
    """A retry was asked for: neither a busy nor an overdue window goes before it."""
    lone, overdue = window("a", 1, arrived=NOW), window("b", 1, arrived=NOW - 900)
    busy = window("c", 90, max_batch=99, arrived=NOW - 100)
    lone.resume(NOW, urgent=True)
    for _ in range(5):
        choice = scheduler.choose([overdue, lone, busy], NOW, 0.001)
        assert choice == Seal(lone, SealReason.PERMIT)
    assert scheduler.rank(lone, NOW) > scheduler.rank(overdue, NOW)
    lone.record_call(NOW)
    choice = scheduler.choose([overdue, lone, busy], NOW, 1.0)
    assert isinstance(choice, Seal)
    assert choice.window is not lone


def test_without_an_overdue_window_no_turn_is_taken() -> None:
    index_price = IndexPrice()
    busy, young = window("a", 2, arrived=NOW - 50), window("b", 1, arrived=NOW - 60)
    for _ in range(6):
        assert index_price.choose([young, busy], NOW, 1.0) == Seal(busy, SealReason.PERMIT)


def test_without_a_longest_wait_only_the_price_counts() -> None:
    patient = window("a", 1)
    patient.max_wait = math.inf
    assert IndexPrice(50.0).choose([patient], NOW, 1.0) == Wait(NOW + 50)


@given(st.floats(0.1, 1e9), st.floats(0.0, 1e4), st.floats(1e-6, 10.0), st.floats(0.01, 1.0))
def test_a_wait_always_ends_at_a_later_time(
    now: float, waited: float, p0: float, left: float
) -> None:
    """However little is missing: a clock that stands still would ask for ever."""
    waiting = window("a", 2, arrived=now - waited)
    for moment in (now, now + waited, now + p0 / 2, math.nextafter(now, math.inf)):
        choice = IndexPrice(p0).choose([waiting], moment, left)
        assert isinstance(choice, Seal) or choice.until > moment


def test_nearly_worth_the_price_is_worth_it_when_the_clock_can_tell_no_difference() -> None:
    lone = window("a", 1, arrived=NOW)
    price = math.nextafter(lone.waited(NOW + 1.0), math.inf)
    assert isinstance(IndexPrice(price).choose([lone], NOW + 1.0, 1.0), Seal)
