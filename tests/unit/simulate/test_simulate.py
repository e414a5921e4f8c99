"""What a question is answered: near the bound, repeatable, beside another quota and a backlog."""

from __future__ import annotations

import math

import pytest

from consumer.lane.state.settings import Limit
from consumer.simulate.figures import Campaign, Played, summary
from consumer.simulate.simulate import (
    LaneTraffic,
    Question,
    Scenario,
    poisson_lane,
    shared_out,
    synthetic_lane,
)

TWICE = [Limit(40, 5.0), Limit(80, 25.0), Limit(160, 125.0), Limit(320, 625.0)]


def lane(name: str = "a", rate: float = 1.0, limits: tuple[Limit, ...] = ()) -> LaneTraffic:
    return poisson_lane(synthetic_lane([name], limits, 1.0), {name: rate}, 0.05, 1)


def test_the_scheduler_stays_near_the_bound_and_never_meets_a_429() -> None:
    figures = Scenario(campaigns=5, rate=2.0, hours=0.2, seed=3).run()
    assert figures["throttled"] == 0
    assert 0.8 < figures["ratio"] < 1.2


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    def told(seed: int) -> dict[str, object]:
        return Scenario(campaigns=3, rate=0.1, hours=0.1, seed=seed).run()

    assert told(5) == told(5) != told(6)


def test_half_the_share_doubles_the_bound() -> None:
    whole = Scenario(campaigns=2, rate=1.0, hours=0.1).traffic()
    assert whole.under(None, 0.5).least == pytest.approx(2 * whole.least)


@pytest.mark.deep
def test_another_quota_meets_the_same_customers() -> None:
    traffic = Scenario(campaigns=3, rate=0.4, hours=0.1).traffic()
    told = Question([traffic], other=TWICE).answer()
    assert told["compare"]["customers"] == told["customers"]
    assert told["compare"]["mean_wait"] < told["mean_wait"]
    assert told["compare"]["lanes"][0]["limits"] == ["40/5s", "80/25s", "160/125s", "320/625s"]


def test_a_lane_without_limits_gets_none_by_comparison() -> None:
    told = Question([lane()], other=TWICE).answer()
    assert told["compare"]["lanes"][0]["limits"] == []
    assert (told["bound"], told["ratio"]) == (0.0, None)


def test_several_lanes_are_told_together_and_one_by_one() -> None:
    quiet, busy = lane("a", 0.5, (Limit(20, 5.0),)), lane("b", 2.0)
    told = Question([quiet, busy]).answer()
    customers = [each["customers"] for each in told["lanes"]]
    assert told["customers"] == sum(customers)
    assert told["max"] == max(each["max"] for each in told["lanes"])
    assert min(quiet.least, busy.least) < told["bound"] < max(quiet.least, busy.least)


def test_the_baselines_stand_beside_it() -> None:
    told = Question(
        [Scenario(campaigns=2, rate=0.2, hours=0.05).traffic()], baselines=True
    ).answer()
    assert set(told["baselines"]) == {"seal-after-1s", "seal-after-60s", "late-oldest-first"}
    assert {baseline["customers"] for baseline in told["baselines"].values()} == {told["customers"]}


@pytest.mark.deep
def test_a_backlog_comes_after_the_warm_up_and_drains() -> None:
    """100,000 of two campaigns are 20 full calls: as many as the quota lets go at once."""
    traffic = Scenario(campaigns=2, rate=0.2, hours=0.05).traffic()
    backlog = shared_out(100_000, [traffic])
    assert backlog["campaign-1"] > backlog["campaign-2"]
    asked = LaneTraffic(traffic.settings, traffic.arrivals, traffic.rates, traffic.warm_up, backlog)
    [told] = Question([asked]).answer()["lanes"]
    assert told["backlog"]["customers"] == 100_000
    assert set(told["backlog"]["campaigns"]) == set(backlog)
    assert 0.0 < told["backlog"]["drained_after"] < 625.0
    assert told["customers"] > 100_000


def test_figures_are_those_of_the_waits() -> None:
    played = Played(campaigns={"a": Campaign([3.0, 1.0], 2, 3), "b": Campaign([2.0, 10.0], 1, 2)})
    assert summary([played], 2.0) == {
        "mean_wait": 4.0,
        "p50": 3.0,
        "p99": 10.0,
        "max": 10.0,
        "bound": 2.0,
        "ratio": 2.0,
        "calls": 3,
        "customers_per_call": 1.67,
        "throttled": 0,
        "customers": 5,
        "expired": 0,
        "logins": 0,
        "ended_at": 0.0,
    }


def test_the_mean_wait_of_no_customer_is_zero() -> None:
    assert summary([Played()], 0.0)["mean_wait"] == 0.0


def test_later_arrivals_do_not_belong_to_the_backlog() -> None:
    played = Played(backlog_at=100.0)
    played.called("a", [90.0, 110.0], 120.0, allowed=True)
    played.called("a", [115.0], 130.0, allowed=True)
    played.called("b", [100.0], 125.0, allowed=False)
    assert played.campaigns["a"].drained_at == 120.0
    assert played.campaigns["b"].drained_at == -math.inf
    assert (played.calls, played.customers, played.throttled) == (3, 3, 1)
