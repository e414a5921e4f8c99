"""A play against what is known without it: an empty quota, no permits, the others' strategies."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from consumer.lane.state.settings import LaneSettings, Limit
from consumer.simulate.figures import MOST_SAMPLES, Played
from consumer.simulate.simulate import DOCUMENTED, Scenario, in_memory, synthetic_lane
from consumer.simulate.strategies import BASELINES, Batch, Strategy, play_lane, sealed
from consumer.simulate.traffic import Arrival

OURS = play_lane


def settings(
    *names: str, limits: Sequence[Limit] = DOCUMENTED, max_batch: int = 5000
) -> LaneSettings:
    return in_memory(synthetic_lane(names, limits, 1.0, max_batch))


def play(
    arrivals: Iterable[Arrival],
    lane: LaneSettings,
    strategy: Strategy = OURS,
    *,
    warm_up: float = 0.0,
    backlog_at: float = -math.inf,
) -> Played:
    return strategy(lane, arrivals, random.Random(1), Played(warm_up, backlog_at))


def crowd(count: int, campaign: str = "a", *, at: float = 0.0, gap: float = 0.0) -> list[Arrival]:
    return [Arrival(at + number * gap, campaign) for number in range(count)]


def test_a_lone_customer_of_an_idle_lane_is_called_within_a_second() -> None:
    assert play(crowd(1, at=100.0), settings("a")).waits == [pytest.approx(1.0, abs=0.01)]


def test_each_customer_is_sent_once_without_a_429() -> None:
    played = play([*crowd(300, gap=0.5), *crowd(50, "b", at=150.0)], settings("a", "b"))
    assert (played.customers, len(played.waits), played.throttled) == (350, 350, 0)
    assert played.campaigns["b"].customers == 50
    assert played.calls == sum(campaign.calls for campaign in played.campaigns.values())


def test_arrivals_of_the_warm_up_are_sent_but_do_not_count() -> None:
    played = play(crowd(10, gap=10.0), settings("a"), warm_up=45.0)
    assert (played.customers, len(played.waits)) == (10, 5)


def test_a_recipient_is_once_in_a_call() -> None:
    """The second invitation waits for the next one."""
    twice = [Arrival(0.0, "a", "somebody"), Arrival(0.0, "a", "somebody")]
    for strategy in (OURS, *BASELINES.values()):
        assert play(twice, settings("a"), strategy).calls == 2


def test_looking_less_often_only_adds_to_waits() -> None:
    coming = crowd(400, gap=0.2)
    often, seldom = (
        play(coming, settings("a"), partial(play_lane, apart=apart)) for apart in (0.0, 2.0)
    )
    assert sum(often.waits) < sum(seldom.waits) < sum(often.waits) + 2.0 * len(coming)


def test_a_customer_that_waits_too_long_expires_and_is_counted() -> None:
    """Two calls a minute: the first two take one each, the third comes too late."""
    late = [Arrival(0.0, name, "", 30.0) for name in "abc"]
    lane = replace(settings(*"abc", limits=[Limit(2, 60.0)]), skew=0.0)
    played = play(late, lane)
    assert (played.customers, played.expired) == (2, 1)


def test_a_lane_that_logs_in_spends_a_permit_on_it() -> None:
    lane = settings("a", limits=[Limit(2, 600.0)])
    played = play(crowd(1), replace(lane, logins=frozenset(["vendor"])))
    assert (played.logins, played.calls, played.customers) == (1, 1, 1)


def test_the_drain_of_a_backlog_ends_when_its_last_customer_leaves() -> None:
    """Ten calls of 100: the documented quota has 20 at once, and then none for a while."""
    coming = [*crowd(1000), *crowd(5, at=0.5, gap=0.1)]
    played = play(coming, settings("a", max_batch=100), backlog_at=0.0)
    assert played.campaigns["a"].drained_at == pytest.approx(0.0, abs=0.1)
    assert played.ended_at > played.campaigns["a"].drained_at


def test_samples_tell_how_the_lane_stood() -> None:
    played = play([*crowd(20 * 50), *crowd(1, at=700.0)], settings("a", max_batch=10))
    lefts = [sample.left for sample in played.samples]
    assert (lefts[0], min(lefts)) == (1.0, 0.0)
    assert max(sample.waiting for sample in played.samples) > 500
    calls = [sample.calls for sample in played.samples]
    assert calls == sorted(calls)


def test_however_long_a_play_is_its_samples_are_few_and_cover_it() -> None:
    played = play(crowd(50, gap=1000.0), settings("a"))
    times = [sample.time for sample in played.samples]
    assert len(times) <= MOST_SAMPLES
    assert times[-1] > 0.95 * played.ended_at
    gaps = {later - before for before, later in pairwise(times)}
    assert len(gaps) == 1


def test_a_timer_seals_so_long_after_a_batchs_first_customer() -> None:
    coming = [*crowd(3, gap=0.4), *crowd(1, "b", at=0.5)]
    found = [(when, batch.campaign, batch.arrived) for when, batch in _sealed(coming, 1.0)]
    assert found == [(1.0, "a", [0.0, 0.4, 0.8]), (1.5, "b", [0.5])]


def test_the_first_arrival_of_a_timer_waits_for_all_of_it() -> None:
    """Also in an idle lane, with the whole quota left."""
    played = play(crowd(3, at=5.0, gap=10.0), settings("a"), BASELINES["seal-after-60s"])
    assert played.waits == [pytest.approx(60.0), pytest.approx(50.0), pytest.approx(40.0)]


def test_a_timer_seals_a_full_batch_at_once() -> None:
    found = [(when, len(batch.arrived)) for when, batch in _sealed(crowd(5, gap=0.1), 1.0)]
    assert found == [(0.1, 2), (pytest.approx(0.3), 2), (1.4, 1)]


def _sealed(coming: list[Arrival], linger: float) -> list[tuple[float, Batch]]:
    return list(sealed(coming, settings("a", "b", max_batch=2 if len(coming) == 5 else 9), linger))


def test_a_queue_of_sealed_batches_goes_first_in_first_out() -> None:
    """Ten calls in 100 s, a customer a second in turn for ten campaigns: the queue only grows."""
    lane = replace(settings(*"abcdefghij", limits=[Limit(10, 100.0)]), skew=0.0)
    coming = [Arrival(float(number), "abcdefghij"[number % 10]) for number in range(100)]
    played = play(coming, lane, BASELINES["seal-after-1s"])
    assert (played.calls, played.customers, played.throttled) == (100, 100, 0)
    assert played.ended_at > 900.0
    for part in played.campaigns.values():
        assert part.waits == sorted(part.waits)


@pytest.mark.deep
def test_oldest_first_wastes_permits_on_few_customers() -> None:
    scenario = Scenario(campaigns=20, rate=3.0, hours=0.3, seed=3)
    best, plain = scenario.run(), scenario.run(BASELINES["late-oldest-first"])
    assert plain["mean_wait"] > 1.1 * best["mean_wait"]
