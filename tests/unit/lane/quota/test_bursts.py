"""Bursts: what a permit in hand is worth by formula, and what is learnt from arrivals."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.dispatch.scheduler import IndexPrice
from consumer.lane.lane import Lane
from consumer.lane.quota.bursts import DAY, MEMORY, Bursts
from consumer.lane.state.settings import LaneSettings, Limit
from consumer.records.checkpoint import BurstCount, BurstHistory
from tests.support.lanes import NOW, Driver, campaign, held, settings

LIMITS = (Limit(20, 5.0), Limit(160, 625.0))
FULL = 100


def quota(**changes: object) -> LaneSettings:
    """A lane of two limits whose calls carry a hundred customers."""
    return settings(campaign("a", max_batch=FULL), **{"limits": LIMITS, **changes})


def bursts(known: BurstHistory | None = None, **changes: object) -> Bursts:
    return Bursts(quota(**changes), known, NOW)


def bulk(learning: Bursts, calls: int, now: float, *, campaign: str = "a") -> None:
    """So many full calls arrive at once; then nothing does until they are through."""
    for _ in range(calls * FULL):
        learning.arrived(campaign, now)
    learning.advance(now)
    learning.advance(now + 625.0)


def worth(of: Bursts, in_hand: float) -> float:
    """What a permit of the longer limit is worth, the other one being unused."""
    return of.worth((20.0, in_hand), (20, 160))


def sizes(of: Bursts) -> list[tuple[object, ...]]:
    return [(rate.calls, rate.a_second, rate.customers) for rate in of.rates]


def waiting(calls: int, in_hand: int, customers: int, limit: Limit) -> float:
    """Customer-seconds of a burst whose calls beyond those in hand leave one by one."""
    slot = limit.period / limit.calls
    return sum(customers * slot * place for place in range(1, calls - in_hand + 1))


@given(st.integers(1, 160), st.integers(0, 159))
def test_a_permit_is_worth_the_waiting_that_it_spares_an_expected_burst(
    calls: int, in_hand: int
) -> None:
    spared = waiting(calls, in_hand, FULL, LIMITS[1])
    spared -= waiting(calls, in_hand + 1, FULL, LIMITS[1])
    assert worth(bursts(reserve=calls), in_hand) == pytest.approx(spared * 625.0 / DAY)


@given(st.integers(1, 160), st.floats(0, 159), st.floats(0, 20))
def test_the_more_permits_are_in_hand_the_less_one_is_worth(
    calls: int, left: float, short: float
) -> None:
    of = bursts(reserve=calls)
    assert 0.0 <= of.worth((short, left + 1), (20, 160)) <= of.worth((short, left), (20, 160))
    assert of.worth((20.0, 160.0), (20, 160)) == 0.0


def test_each_limit_that_a_burst_would_find_short_adds_its_own_worth() -> None:
    of = bursts(reserve=40)
    short = 5.0**2 / 20 * FULL * (20 - 12) / DAY
    assert of.worth((12.0, 60.0), (20, 160)) == pytest.approx(short)
    assert of.worth((12.0, 30.0), (20, 160)) == pytest.approx(short + worth(of, 30.0))


def test_without_bursts_a_permit_is_worth_its_price_alone() -> None:
    assert worth(bursts(), 0.0) == worth(bursts(reserve=0), 0.0) == 0.0
    assert bursts(reserve=40, limits=()).worth((), ()) == 0.0


@pytest.mark.parametrize("reserve", [None, 0])
def test_a_burst_is_learnt_as_a_daily_one_unless_no_permits_are_to_be_kept(
    reserve: int | None,
) -> None:
    learning = bursts(reserve=reserve)
    bulk(learning, 40, NOW + 60)
    daily = [(40, pytest.approx(1 / DAY), 100.0)]
    assert sizes(learning) == (daily if reserve is None else [])
    assert worth(learning, 26.0) == (worth(bursts(reserve=40), 26.0) if reserve is None else 0.0)


def test_a_reserve_that_is_set_stands_whatever_comes() -> None:
    learning = bursts(reserve=12)
    bulk(learning, 40, NOW)
    assert [(rate.calls, rate.a_second) for rate in learning.rates] == [(12, 1 / DAY)]


def test_weights_and_the_size_of_calls_count() -> None:
    two = (campaign("a", max_batch=FULL, weight=3.0), campaign("b", max_batch=50))
    learning = Bursts(settings(*two, limits=LIMITS), None, NOW)
    bulk(learning, 20, NOW, campaign="b")
    assert [(rate.calls, rate.customers) for rate in learning.rates] == [(40, 50.0)]
    bulk(learning, 20, NOW + DAY)
    assert [rate.customers for rate in learning.rates] == [50.0, 300.0]
    assert Bursts(settings(*two, limits=LIMITS, reserve=8), None, NOW).rates[0].customers == 300.0


def test_permits_are_kept_for_half_of_the_quota_at_most() -> None:
    """A larger burst waits for the quota in any case; the others would wait for it for ever."""
    learning = bursts()
    bulk(learning, 400, NOW)
    learning.advance(NOW + 2000.0)
    assert [rate.calls for rate in learning.rates] == [160]
    assert worth(learning, 80.0) == 0.0 < worth(learning, 79.0)
    assert worth(bursts(reserve=160), 80.0) > 0.0


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=60), st.floats(0.0, 1.0))
def test_traffic_that_the_quota_carries_in_full_calls_is_no_burst(
    pauses: list[float], load: float
) -> None:
    learning, now, owed = bursts(), NOW, 0.0
    for pause in pauses:
        now += pause
        owed += pause * load * FULL * 160 / 625.0
        while owed >= 1:
            learning.arrived("a", now)
            owed -= 1
        learning.advance(now)
    learning.advance(now + 10_000.0)
    assert learning.rates == ()


def test_a_small_burst_is_passed_over_and_so_are_campaigns_that_the_config_lacks() -> None:
    learning = bursts()
    bulk(learning, 7, NOW)
    bulk(learning, 40, NOW + DAY, campaign="gone")
    assert learning.rates == ()


def test_an_arrival_without_limits_is_not_kept() -> None:
    learning = bursts(limits=())
    bulk(learning, 40, NOW)
    learning.reconfigure(quota())
    learning.advance(NOW + DAY)
    assert learning.rates == ()


def test_bursts_that_come_no_more_are_forgotten() -> None:
    learning = bursts()
    bulk(learning, 40, NOW)
    rare = []
    for days in (1, 7, 28):
        learning.advance(NOW + days * DAY)
        rare.append(learning.rates[0].a_second * DAY)
    assert rare == pytest.approx([0.965, 0.1144, 0.0152], rel=0.05)
    learning.advance(NOW + 5 * MEMORY)
    assert learning.rates == ()


def test_daily_bursts_stay_daily() -> None:
    learning = bursts()
    for day in range(20):
        bulk(learning, 40, NOW + day * DAY)
    assert learning.rates[0].a_second * DAY == pytest.approx(1.0, rel=0.1)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    learning = bursts()
    bulk(learning, 40, NOW)
    before = learning.rates
    learning.advance(NOW - DAY)
    assert learning.rates == before


def test_the_next_owner_goes_on_with_what_was_learnt() -> None:
    learning = bursts()
    bulk(learning, 40, NOW)
    known = learning.known(NOW + DAY)
    assert known == BurstHistory.model_validate_json(known.model_dump_json())
    after = bursts(known)
    assert sizes(after) == [(40, pytest.approx(1 / DAY, rel=0.05), 100.0)]
    bulk(after, 40, NOW)
    assert after.rates[0].a_second == pytest.approx(2 / DAY, rel=0.05)


def test_a_lane_keeps_permits_for_the_bursts_of_its_checkpoint() -> None:
    """A lone customer waits longer while fewer permits are left than a daily burst would use."""
    history = BurstHistory(seconds=DAY, counts=(BurstCount(calls=40, count=1, customers=FULL),))
    of = quota(first_start_full=False, max_in_flight=64)
    waits = []
    for known in (None, history):
        former = Lane(of, random.Random(1), NOW).checkpoint(NOW)
        log = [NOW - 400.0] * 130
        former = former.model_copy(update={"permit_log": log, "quota": None, "bursts": known})
        driver = Driver(Lane(of, random.Random(1), NOW, epoch=2, checkpoint=former))
        driver.read(held(1))
        waits.append(driver.lane.wake_at - NOW)
        assert driver.lane.checkpoint(NOW).bursts == (known or BurstHistory(seconds=0.0))
    assert waits[0] == pytest.approx(IndexPrice().price(28 / 160), rel=0.2)
    assert waits[1] > waits[0] + 1
