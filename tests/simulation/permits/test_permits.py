"""The worlds of permits in short; `make permits` runs a million calls for each combination."""

from __future__ import annotations

import random

import pytest

from tests.simulation.permits.judges import COUNTERS, used
from tests.simulation.permits.mutants import MUTANTS
from tests.simulation.permits.runs import RESTLESS, hunt, run, tasks_of
from tests.simulation.permits.scenes import DOCUMENTED, LATENCIES, Scene, restless
from tests.simulation.permits.world import START, PermitsWorld

SHARES = {"uniform": 0.97, "lognormal": 0.97, "heavy-tailed": 0.96}
"""Of the quota, in worlds that change owners twice an hour."""


@pytest.mark.parametrize("latency", LATENCIES)
def test_no_counter_refuses_a_call_and_the_quota_is_used(latency: str) -> None:
    """Under the documented limits, with crashes, moves, logins and timeouts."""
    [task] = tasks_of(latency, 3_000)
    tally = run(task)
    assert tally.takeovers > 3
    assert not tally.refused.total(), tally.refused
    assert tally.share >= SHARES[latency]


def test_restless_worlds_meet_no_refusal_either() -> None:
    """Limits at random, calls that time out, an owner for a minute."""
    tallies = {task: run(task) for task in tasks_of(RESTLESS, 10_000, each=500)}
    assert sum(tally.takeovers for tally in tallies.values()) > 200
    assert {task: +tally.refused for task, tally in tallies.items() if tally.refused.total()} == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_mistake_meets_refusals_in_the_same_worlds(name: str) -> None:
    first, _ = hunt(name, 10_000)
    assert first


def test_a_plain_sliding_log_is_refused_by_weighted_windows_only() -> None:
    """What suits a log is too much for a counter that weighs the last window."""
    _, refused = hunt("plain sliding log", 5_000, on=True)
    assert set(refused) == {"weighted windows"}


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_vendor_refuses_one_call_too_many_and_forgets_in_time(counter: str) -> None:
    """Twenty at once are allowed in five seconds; of another twenty two periods later, too."""
    judge, limits = COUNTERS[counter], DOCUMENTED[:1]
    at_once = [START] * 20
    assert judge.refused(at_once, limits, "a") == 0
    assert judge.refused([*at_once, START], limits, "a") == 1
    assert judge.refused([*at_once, *[START + 12.0] * 20], limits, "a") == 0


def test_a_seed_makes_the_same_world_again() -> None:
    scene = restless(random.Random(5))
    worlds = [PermitsWorld(seed, scene) for seed in (3, 3, 4)]
    for world in worlds:
        world.run(500)
    assert worlds[0].arrived == worlds[1].arrived != worlds[2].arrived


def test_the_share_counts_whole_periods_after_the_beginning() -> None:
    scene = Scene(DOCUMENTED[:1], "uniform")
    assert scene.warm_up == 90.0
    twice_as_slow = [START + index / 2 for index in range(400)]
    assert used(twice_as_slow, scene) == (10 * 21, 20 * 21)
    assert used(twice_as_slow[:50], scene) == (0, 0.0)


def test_a_call_may_meet_the_vendor_until_the_grace_after_its_timeout_and_no_later() -> None:
    """Counted from when it left, which is within five seconds of its decision."""
    world = PermitsWorld(1, Scene(DOCUMENTED, "ill", losses=1e9, logins=1e9))
    world.run(1_000)
    late = max(there - left for left, there in zip(world.sent, world.arrived, strict=True))
    assert 35.0 < late <= 40.0
