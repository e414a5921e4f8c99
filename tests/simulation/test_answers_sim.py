"""A lane's life under every kind of answer: no customer is lost, condemned or invited twice.

`SIM_SEEDS` says how many seeds run (half of it, default 300; `make check` runs the first 30).
`answers_world` tells what happens in one.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from consumer.lane.account.accounts import Accounts, News
from consumer.lane.account.campaign_breaker import CampaignBreaker
from consumer.lane.account.circuit_breaker import CircuitBreaker
from consumer.lane.buffer.window import Window
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.bisections import Bisections
from consumer.lane.settlement.trials import Trial, Trials
from consumer.lane.state.settings import LaneSettings
from consumer.records.result import Reason
from tests.simulation.answers_world import SICK, AnswersWorld
from tests.simulation.test_lane_sim import (
    comes_to_rest,
    handovers_are_clean,
    in_flight,
    intents_come_first,
    one_result_each,
    results_are_true,
    sent_at_most_once,
    settled_means_recorded,
)
from tests.support.lanes import NOW, REFUSED
from tests.support.lanes import results as results_of
from tests.support.seeds import seeds

SEEDS = int(os.environ.get("SIM_SEEDS", "300")) // 2
QUICK_SEEDS = 30
PLANTED_SEEDS = 60


def check(world: AnswersWorld) -> AnswersWorld:
    """Run a world and judge its history. Raises AssertionError with what is wrong."""
    world.run()
    one_result_each(world)
    sent_at_most_once(world)
    results_are_true(world)
    only_the_bad_are_rejected(world)
    settled_means_recorded(world)
    intents_come_first(world)
    handovers_are_clean(world)
    comes_to_rest(world)
    held_at_most = world.settings.max_buffered + in_flight(world)
    assert world.history.most_held <= held_at_most, "held too much"
    return world


def only_the_bad_are_rejected(world: AnswersWorld) -> None:
    """A customer that shared a call with a bad recipient is none, and no bad one is accepted."""
    bad = world.bad | world.walls.keys()
    for result in (
        result for commit in world.history.commits for result in results_of(commit.results)
    ):
        if result["reason"] is Reason.VENDOR_REJECTED:
            assert result["id"] in bad, "rejected beside a bad recipient"
        if result["reason"] is Reason.ACCEPTED:
            assert result["id"] not in bad, "accepted, but the vendor refuses it"


@pytest.mark.parametrize("seed", seeds(SEEDS, quick=QUICK_SEEDS))
def test_a_lane_settles_each_invitation_once_whatever_the_vendor_answers(seed: int) -> None:
    """Bad and stumbling customers, refused accounts, parked campaigns, reloads, crashes."""
    check(AnswersWorld(seed))


@pytest.mark.deep
def test_the_worlds_meet_what_they_are_made_for() -> None:
    """Every way to end occurs, or the seeds prove little."""
    worlds = [check(AnswersWorld(seed)) for seed in range(40)]
    found = Counter(
        str(result["reason"])
        for world in worlds
        for commit in world.history.commits
        for result in results_of(commit.results)
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


@pytest.mark.deep
def test_the_checker_sees_a_probe_that_carries_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Accounts, "one_only", lambda *_: False)
    assert finds("more than a probe")


@pytest.mark.deep
def test_the_checker_sees_the_last_suspect_condemned(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_on = Bisections.carry_on

    def infer(bisections: Bisections, bisection: Bisection) -> None:
        if len(bisection.suspect) == 1 and not bisection.part:
            bisections._outbox.end_buffered(bisection.suspect.pop(), Reason.VENDOR_REJECTED)
        carry_on(bisections, bisection)

    monkeypatch.setattr(Bisections, "carry_on", infer)
    assert finds("rejected beside a bad recipient")


@pytest.mark.deep
def test_the_checker_sees_a_search_that_never_leaves_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty one holds its campaign back for ever, and its invitations never end."""
    monkeypatch.setattr(Bisections, "_end_if_empty", lambda *_: None)
    assert finds("not at rest")


@pytest.mark.deep
def test_the_checker_sees_a_part_larger_than_the_config_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bisection, "_size", lambda self: len(self.suspect) or self._group())
    assert finds("larger than the config allows")


# -- the worlds of one sick campaign or customer -----------------------------------------------


class OneSick(AnswersWorld):
    """Campaign `a` fails as a whole for long, or one of its customers for good; `b` is healthy."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.mood = (100, 0, 0, 0, 0, 0, 0)
        self.bad, self.stumbled = set(), set()
        self.denied = (0.0, 0.0)
        how = SICK[seed % 3]
        if seed % 2:
            self.sick, self.walls = {"a": (how, NOW + 3600.0)}, {}
        else:
            first = next((f"i{each.origin}" for each in self.records if each.campaign == "a"), "")
            self.sick, self.walls = {}, {first: REFUSED}
        self.records = [replace(record, expires_at=NOW + 7200.0) for record in self.records]

    def _settings(self) -> LaneSettings:
        made = super()._settings()
        # Fewer attempts than open a breaker are spent before it opens.
        calm = {
            name: replace(each, vendor="pisano", max_attempts=5)
            for name, each in made.campaigns.items()
        }
        return replace(made, campaigns=calm, logins=frozenset(), limits=(), max_buffered=1_000)

    def _reload(self) -> None:
        """The config stays as it is."""

    def _may_crash(self) -> None:
        """And the process lives."""


def healthy_ones_do_not_wait(world: OneSick) -> None:
    """Customers of other campaigns leave within seconds of their arrival, and all are accepted."""
    ended = {
        result["id"]: result["reason"]
        for commit in world.history.commits
        for result in results_of(commit.results)
    }
    arrived = {f"i{each.origin}": each.arrived for each in world.records if not each.delays}
    for _, batch in world.history.sends:
        for held in batch.invitations:
            name = held.invitation["id"]
            if batch.campaign in ("b", "again") and ended[name] is Reason.ACCEPTED:
                waited = batch.sealed_at - max(NOW, arrived[name])
                assert waited < 130, f"{batch.campaign} waits for the sick one: {waited:.0f} s"
    sick = {f"i{each.origin}" for each in world.records if each.campaign == "a"}
    lost = [ended[name] for name in sick - world.walls.keys() if ended[name] in LOST]
    assert not lost, f"lost, though it would be accepted: {lost}"


LOST = {Reason.VENDOR_REJECTED, Reason.ATTEMPTS_EXHAUSTED, Reason.EXPIRED_WAITING}


def check_sick(world: OneSick) -> None:
    check(world)
    healthy_ones_do_not_wait(world)


def finds_sick(wrong: str) -> bool:
    for seed in range(PLANTED_SEEDS):
        try:
            check_sick(OneSick(seed))
        except AssertionError as complaint:
            if wrong in str(complaint):
                return True
    return False


@pytest.mark.parametrize("seed", seeds(min(SEEDS, 60), quick=QUICK_SEEDS // 2))
def test_a_sick_campaign_or_customer_stops_no_other_and_loses_none(seed: int) -> None:
    check_sick(OneSick(seed))


@pytest.mark.deep
def test_the_checker_sees_probes_that_always_take_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R0: the sick customer stands before all others, and the first refusal is believed."""
    monkeypatch.setattr(Window, "take_probe", lambda window, _rng: window.take(1))

    def wait(trials: Trials, call: AnsweredCall) -> None:
        trials._buffer.window(call.batch.campaign).extend(call.batch.invitations)

    monkeypatch.setattr(Trials, "add", wait)
    assert finds_sick("")


@pytest.mark.deep
def test_the_checker_sees_a_campaigns_trouble_taken_for_its_accounts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """D1: and the account's probe goes to the campaign that waited longest."""
    monkeypatch.setattr(CircuitBreaker, "probe_time", lambda each, _campaign="": each.probe_at)
    monkeypatch.setattr(CampaignBreaker, "closed", property(lambda _: True))
    monkeypatch.setattr(CampaignBreaker, "record_failure", lambda *_, **__: 0.0)
    monkeypatch.setattr(Window, "tried_at", property(lambda _: 0.0, lambda *_: None))
    assert finds_sick("")


@pytest.mark.deep
def test_the_checker_sees_attempts_of_a_sick_campaign_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = Accounts.answered

    def counted(*given: Any, **more: Any) -> News:
        return replace(answered(*given, **more), was_well=True)

    monkeypatch.setattr(Accounts, "answered", counted)
    assert finds_sick("lost")


@pytest.mark.deep
def test_the_checker_sees_a_refusal_alone_taken_for_the_customers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole campaign is refused: no customer of it is to blame."""
    monkeypatch.setattr(Trial, "confirm", lambda trial, *_: not trial.under_way)
    assert finds_sick("rejected beside") or finds_sick("lost")
