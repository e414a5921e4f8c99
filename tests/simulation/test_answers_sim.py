"""Whole lives of a lane under every kind of answer: nobody is lost, condemned or invited twice.

`SIM_SEEDS` says how many seeds run (default 300). `answers_world` tells what happens in one.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from consumer.lane.accounts import Accounts
from consumer.lane.bisection import Bisection
from consumer.lane.outcomes import Outcomes
from consumer.lane.results import NO_CALL
from consumer.model import Reason
from tests.simulation.answers_world import AnswersWorld
from tests.simulation.test_lane_sim import (
    comes_to_rest,
    handovers_are_clean,
    in_flight,
    intents_come_first,
    nobody_twice,
    one_result_each,
    results_are_true,
    settled_means_recorded,
)

SEEDS = int(os.environ.get("SIM_SEEDS", "300")) // 2
PLANTED_SEEDS = 60


def check(world: AnswersWorld) -> AnswersWorld:
    """Run a world and judge its history. Raises AssertionError with what is wrong."""
    world.run()
    one_result_each(world)
    nobody_twice(world)
    results_are_true(world)
    only_the_bad_are_rejected(world)
    settled_means_recorded(world)
    intents_come_first(world)
    handovers_are_clean(world)
    comes_to_rest(world)
    held_at_most = world.settings.max_held + in_flight(world)
    assert world.history.most_held <= held_at_most, "held too much"
    return world


def only_the_bad_are_rejected(world: AnswersWorld) -> None:
    """A customer that shared a call with a bad recipient is none, and no bad one is accepted."""
    bad = world.bad | world.walls.keys()
    for result in (result for commit in world.history.commits for result in commit.results):
        if result["reason"] is Reason.VENDOR_REJECTED:
            assert result["id"] in bad, "rejected beside a bad recipient"
        if result["reason"] is Reason.ACCEPTED:
            assert result["id"] not in bad, "accepted, but the vendor refuses it"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_lane_settles_everybody_once_whatever_the_vendor_answers(seed: int) -> None:
    """Bad and stumbling customers, refused accounts, parked campaigns, reloads, crashes."""
    check(AnswersWorld(seed))


def test_the_worlds_meet_what_they_are_made_for() -> None:
    """Every way to end occurs, or the seeds prove little."""
    worlds = [check(AnswersWorld(seed)) for seed in range(40)]
    found = Counter(
        str(result["reason"])
        for world in worlds
        for commit in world.history.commits
        for result in commit.results
    )
    wanted = {"accepted", "vendor_rejected", "bisect_spent", "attempts_exhausted", "no_answer"}
    assert min(found[reason] for reason in wanted) > 20
    assert sum(world.history.crashes for world in worlds) > 40


# -- planted bugs: the checker must find each ---------------------------------------------------


def finds(wrong: str) -> bool:
    """Whether the checker says this about one of some seeds (other complaints may come too)."""
    for seed in range(PLANTED_SEEDS):
        try:
            check(AnswersWorld(seed))
        except AssertionError as complaint:
            if str(complaint).startswith(wrong):
                return True
    return False


def test_the_checker_sees_a_probe_that_carries_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Accounts, "one_only", lambda *_: False)
    assert finds("more than a probe")


def test_the_checker_sees_the_last_suspect_condemned(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_on = Outcomes._carry_on

    def infer(outcomes: Outcomes, bisection: Bisection) -> None:
        if len(bisection.suspect) == 1 and not bisection.part:
            outcomes.end_held(bisection.suspect.pop(), Reason.VENDOR_REJECTED, NO_CALL)
        carry_on(outcomes, bisection)

    monkeypatch.setattr(Outcomes, "_carry_on", infer)
    assert finds("rejected beside a bad recipient")


def test_the_checker_sees_a_search_that_never_leaves_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty one holds its campaign back for ever: nobody comes to rest."""
    monkeypatch.setattr(Outcomes, "_end_if_empty", lambda *_: None)
    assert finds("not at rest")


def test_the_checker_sees_a_part_larger_than_the_config_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bisection, "_size", lambda self: len(self.suspect) or self._group())
    assert finds("larger than the config allows")
