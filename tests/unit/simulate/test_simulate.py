"""The simulation against what is known without it: rates, the bound, an empty quota."""

from __future__ import annotations

import random

import pytest

from consumer.lane.limiter import Limit
from consumer.simulate.simulate import Scenario
from consumer.simulate.traffic import bound, poisson, zipf_rates

FOUR = (Limit(20, 5.0), Limit(160, 625.0))


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
    assert bound([7.0], ()) == 0.0


def test_the_scheduler_stays_near_the_bound_and_never_meets_a_429() -> None:
    figures = Scenario(campaigns=5, rate=2.0, hours=0.5, seed=3).run()
    assert figures["throttled"] == 0
    assert 0.8 < figures["ratio"] < 1.2


def test_oldest_first_wastes_permits_on_few_customers() -> None:
    scenario = Scenario(campaigns=20, rate=3.0, hours=0.3, seed=3)
    best, plain = scenario.run(), scenario.run("oldest-first")
    assert plain["mean_wait"] > 1.1 * best["mean_wait"]


def test_the_same_seed_gives_the_same_figures() -> None:
    scenario = Scenario(campaigns=3, rate=1.0, hours=0.1, seed=5)
    assert scenario.run() == scenario.run()


def test_half_the_share_doubles_the_bound() -> None:
    whole = Scenario(campaigns=2, rate=1.0, hours=0.1).run()
    half = Scenario(campaigns=2, rate=1.0, hours=0.1, share=0.5).run()
    assert half["bound"] == pytest.approx(2 * whole["bound"], abs=0.02)
