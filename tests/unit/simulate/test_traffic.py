"""Traffic against what is known without it: rates, order, the bound."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.state.settings import Limit
from consumer.simulate.traffic import (
    Arrival,
    bound,
    faster,
    poisson,
    spread,
    with_backlog,
    zipf_rates,
)

FOUR = (Limit(20, 5.0), Limit(160, 625.0))
COMING = [Arrival(100.0, "a"), Arrival(160.0, "b", "somebody", 60.0), Arrival(220.0, "a")]


def test_rates_follow_zipf_and_sum_to_the_whole() -> None:
    rates = zipf_rates(3, 6.0)
    assert sum(rates) == pytest.approx(6.0)
    assert rates[0] / rates[1] == pytest.approx(2.0**1.1)


def test_arrivals_come_in_order_at_the_rates_asked_for() -> None:
    seen = list(poisson([3.0, 1.0], 5_000.0, random.Random(1)))
    assert [when for when, _ in seen] == sorted(when for when, _ in seen)
    assert len(seen) == pytest.approx(20_000, rel=0.05)
    assert sum(number == 0 for _, number in seen) / len(seen) == pytest.approx(0.75, abs=0.02)


def test_the_bound_of_one_campaign_is_half_the_time_between_two_permits() -> None:
    assert bound([7.0], FOUR) == pytest.approx(625 / 160 / 2)


def test_without_limits_or_customers_the_bound_is_nothing() -> None:
    assert bound([7.0], ()) == 0.0
    assert bound([], FOUR) == 0.0


def test_twice_as_fast_begins_at_0_and_shortens_distances_not_expiry() -> None:
    assert [each.time for each in faster(COMING, 2.0)] == [0.0, 30.0, 60.0]
    assert list(faster(COMING, 2.0))[1].expire_after == 60.0


def test_a_lanes_recording_begins_when_the_first_lanes_does() -> None:
    assert [each.time for each in faster(COMING, 1.0, begin=40.0)] == [60.0, 120.0, 180.0]


def test_a_backlog_comes_at_once_beside_the_traffic() -> None:
    both = list(with_backlog(COMING, {"a": 2, "c": 1}, 160.0))
    assert [each.time for each in both] == [100.0, 160.0, 160.0, 160.0, 160.0, 220.0]
    assert Counter(each.campaign for each in both) == {"a": 4, "b": 1, "c": 1}


@given(
    st.integers(0, 10**6),
    st.dictionaries(st.text(), st.floats(0.001, 1e6), min_size=1),
)
def test_a_total_is_shared_out_to_the_last_one(total: int, weights: dict[str, float]) -> None:
    shares = spread(total, weights)
    assert sum(shares.values()) == total
    for name, weight in weights.items():
        assert abs(shares[name] - total * weight / sum(weights.values())) <= 1.0 + 1e-6
