"""Why a baseline waits less: the permits in hand when the backlog came, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.lane.state.settings import Limit
from consumer.simulate.remarks import explain_better
from consumer.simulate.simulate import LaneTraffic, Question, synthetic_lane
from consumer.simulate.traffic import Arrival, with_backlog

FEW = (Limit(10, 100.0),)


def answer(reserve: int | None = None, *, backlog: int = 4000) -> dict[str, Any]:
    """A customer each four seconds; then eight full calls at once, beside ten permits."""
    settings = synthetic_lane(["a"], FEW, 1.0, max_batch=500)
    steady = LaneTraffic(
        settings, lambda: (Arrival(4.0 * n, "a") for n in range(200)), {"a": 0.25}, 400.0
    )
    return Question(
        [steady.with_backlog({"a": backlog}).under(None, None, reserve)], baselines=True
    ).answer()


def told(**changes: Any) -> dict[str, Any]:
    onset = {"permits": 26, "of": 160, "customers_per_call": 20.14}
    lane = {"backlog": {"customers": 200_000, "calls": 40}, "over_time": {"permits_left": [0.0]}}
    better = {"mean_wait": 7.6, "onset": onset | {"permits": 150, "customers_per_call": 301.0}}
    worse = {"mean_wait": 74.0, "onset": onset}
    given = {"mean_wait": 21.2, "onset": onset, "lanes": [lane]}
    return {**given, "baselines": {"worse": worse, "sixty": better}, **changes}


def lines(figures: dict[str, Any]) -> str:
    return " ".join(explain_better(figures, "this program"))


def test_what_was_in_hand_when_the_backlog_came_is_the_reason() -> None:
    said = lines(told())
    for expected in (
        "sixty waits less than this program: 7.6 s on average instead of 21.2 s.",
        "200,000 came at once (40 full calls), this program had 26 of 160 permits in hand",
        "had carried 20.1 customers each; sixty had 150, with 301.0 customers a call.",
        "larger quota",
    ):
        assert expected in said


def test_a_reserve_is_advised_where_it_waits_less() -> None:
    said = lines(told(with_reserve={"reserve": 40, "mean_wait": 5.9}))
    assert "`reserve: 40` in the quota waits 5.9 s" in said
    assert "reserve: 40" not in lines(told(with_reserve={"reserve": 40, "mean_wait": 21.2}))


def test_nothing_is_said_while_no_baseline_is_better() -> None:
    assert not lines(told(mean_wait=7.7))


@pytest.mark.parametrize(
    ("left", "expected"), [(0.6, "never short (60% left"), (0.1, "Merge campaigns")]
)
def test_without_a_backlog_the_quota_or_the_traffic_is_the_reason(
    left: float, expected: str
) -> None:
    assert expected in lines(told(lanes=[{"over_time": {"permits_left": [1.0, left]}}]))


def test_figures_have_what_was_in_hand_and_the_same_with_a_reserve() -> None:
    figures = answer()
    assert figures["with_reserve"]["reserve"] == 8
    assert figures["onset"]["of"] == 10
    kept, others = figures["with_reserve"]["onset"], figures["baselines"]
    assert figures["with_reserve"]["mean_wait"] < figures["mean_wait"]
    assert kept["customers_per_call"] > figures["onset"]["customers_per_call"]
    assert others["seal-after-60s"]["onset"]["customers_per_call"] > 3
    assert figures["lanes"][0]["backlog"]["calls"] == 8


def test_a_reserve_that_is_set_stands_alone() -> None:
    assert "with_reserve" not in answer(8)
    assert answer(8)["onset"] == answer()["with_reserve"]["onset"]


def test_a_backlog_comes_again_while_there_are_others() -> None:
    steady = [Arrival(float(second), "a") for second in range(0, 60, 10)]
    found = list(with_backlog(steady, {"b": 2}, 5.0, 20.0))
    assert [arrival.time for arrival in found if arrival.campaign == "b"] == [5, 5, 25, 25, 45, 45]
    assert [arrival.time for arrival in found] == sorted(arrival.time for arrival in found)
    assert len(list(with_backlog(steady, {"b": 2}, 99.0, 20.0))) == 8
