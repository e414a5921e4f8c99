"""Whole lives of a lane, with crashes at any moment, from seeds; and a checker that can fail.

`SIM_SEEDS` says how many seeds run (default 300, half of them in each of two mutants; `make check`
runs the first 30 of each). A failing seed stands in the test's name:
`pytest "tests/simulation/test_lane_sim.py::test_…[17]"` repeats it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from consumer.lane.buffer.window import Window
from consumer.lane.lane import Lane
from consumer.lane.offsets.bitmap import pack, unpack
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.quota.limiter import Limiter
from consumer.lane.quota.quota import Quota
from consumer.lane.state.commands import Command, Commit
from consumer.lane.state.pending import PendingInvitation
from consumer.records.checkpoint import Checkpoint, InFlight
from consumer.records.result import Status
from tests.simulation.lane_world import LaneWorld
from tests.support.lanes import results as results_of
from tests.support.seeds import seeds

SEEDS = int(os.environ.get("SIM_SEEDS", "300")) // 2
QUICK_SEEDS = 30
PLANTED_SEEDS = 60


# -- the checker ------------------------------------------------------------------------------


def check(world: LaneWorld) -> None:
    """Run a world and judge its history. Raises AssertionError with what is wrong."""
    world.run()
    one_result_each(world)
    sent_at_most_once(world)
    results_are_true(world)
    settled_means_recorded(world)
    batches_are_lawful(world)
    intents_come_first(world)
    bounds_are_kept(world)
    handovers_are_clean(world)
    comes_to_rest(world)


def one_result_each(world: LaneWorld) -> None:
    """Exactly one result per invitation, one dead letter per unreadable record."""
    commits = world.history.commits
    results = Counter(result["id"] for commit in commits for result in results_of(commit.results))
    letters = Counter(each.source["offset"] for commit in commits for each in commit.dead_letters)
    readable = {f"i{each.origin}" for each in world.records if each.campaign is not None}
    unreadable = {record.offset for record in world.records if record.campaign is None}
    assert results == Counter(readable), "not one result per invitation"
    assert letters == Counter(unreadable), "not one dead letter per unreadable record"


def sent_at_most_once(world: LaneWorld) -> None:
    """The vendor acted once at most for an invitation, unless its campaign says resend."""
    single = {f"i{each.origin}" for each in world.records if each.campaign != "again"}
    twice = [each for each, times in world.history.accepted.items() if times > 1]
    assert not single.intersection(twice), "accepted twice"


def results_are_true(world: LaneWorld) -> None:
    """`accepted` means that the vendor acted, a definite no that it never did (`again` may)."""
    accepted = world.history.accepted
    never = {Status.REJECTED, Status.FAILED, Status.EXPIRED}
    commits = world.history.commits
    for result in (result for commit in commits for result in results_of(commit.results)):
        if result["status"] is Status.ACCEPTED:
            assert accepted[result["id"]], "a result claims what the vendor never did"
        if result["status"] in never and result["campaign"] != "again":
            assert not accepted[result["id"]], "a result denies what the vendor did"


def settled_means_recorded(world: LaneWorld) -> None:
    """In every committed checkpoint: settled are those that have a result or dead letter."""
    offsets = {record.offset for record in world.records}
    last = {record.origin: record.offset for record in world.records}  # where it was when it ended
    recorded: set[int] = set()
    for commit in world.history.commits:
        recorded.update(last[result["source"]["offset"]] for result in results_of(commit.results))
        recorded.update(dead_letter.source["offset"] for dead_letter in commit.dead_letters)
        recorded.update(each.invitation.offset for each in commit.delayed)
        point = commit.checkpoint
        done = {each for each in offsets if each < point.base} | set(unpack(point.done, point.base))
        assert done & offsets == recorded, "settled without a result, or the reverse"


def batches_are_lawful(world: LaneWorld) -> None:
    """A call's recipients are distinct, of its campaign, and no more than it may take."""
    for _, batch in world.history.sends:
        recipients = [invitation.invitation["pseudonym"] for invitation in batch.invitations]
        assert len(set(recipients)) == len(recipients), "one recipient twice in a batch"
        assert 1 <= len(recipients) <= world.settings.campaigns[batch.campaign].max_batch, (
            "batch's size"
        )
        assert {each.invitation["campaign"] for each in batch.invitations} == {batch.campaign}


def intents_come_first(world: LaneWorld) -> None:
    """A call leaves only after the committed checkpoint that names exactly its invitations."""
    for commits, batch in world.history.sends:
        known = world.history.commits[commits - 1].checkpoint.in_flight if commits else ()
        intents = {each.batch_id: set(unpack(each.offsets, each.first)) for each in known}
        offsets = {invitation.offset for invitation in batch.invitations}
        assert intents.get(batch.id) == offsets, "a call left without its intent"


def bounds_are_kept(world: LaneWorld) -> None:
    """What is held in memory and what is called within a period stays within its bounds."""
    assert world.history.most_held <= world.settings.max_buffered + in_flight(world), (
        "held too much"
    )
    assert not world.history.refused, "the vendor's counter refused a call"


def in_flight(world: LaneWorld) -> int:
    """Customers that calls carry at most: they are in no window, and in memory still."""
    largest = max(campaign.max_batch for campaign in world.settings.campaigns.values())
    return world.settings.max_in_flight * largest


def handovers_are_clean(world: LaneWorld) -> None:
    """An owner that ended in peace leaves its successor nothing of its own in doubt."""
    for epoch, point in world.history.handovers:
        own = f"{world.settings.name}.{epoch}."
        left = [each for each in point.in_flight if each.batch_id.startswith(own)] if point else []
        assert not left, "a clean handover left a batch in doubt"


def comes_to_rest(world: LaneWorld) -> None:
    """At the end nothing is held, waiting, in flight or in doubt."""
    assert world.lane.settled.base == world.end, "not everything is settled"
    assert world.lane.idle, "not idle"
    assert world.lane.buffer.buffered == world.lane.buffer.buffered_bytes == 0, (
        "something is still held"
    )
    assert world.checkpoint is not None
    assert not world.checkpoint.in_flight, "a batch stays in doubt for ever"


# -- the lane ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", seeds(SEEDS, quick=QUICK_SEEDS))
def test_a_lane_keeps_its_promises_through_crashes_and_a_moody_vendor(seed: int) -> None:
    """Random 429s, by another program's use of the quota, and everything else that goes wrong."""
    check(LaneWorld(seed))


@pytest.mark.parametrize("seed", seeds(SEEDS, quick=QUICK_SEEDS))
def test_a_lane_that_is_alone_with_its_quota_is_never_refused(seed: int) -> None:
    """No 429 but the strict sliding log's own, and there are none, across all crashes."""
    check(LaneWorld(seed + 1_000_000, random_429s=False))


@pytest.mark.deep
def test_the_simulation_meets_what_it_is_made_for() -> None:
    """Crashes, pauses, doubts, resends and every way to end occur, or the seeds prove little."""
    worlds = [LaneWorld(seed) for seed in range(40)]
    for world in worlds:
        world.run()
    commits = [commit for world in worlds for commit in world.history.commits]
    reasons = {ended.reason for commit in commits for ended in commit.results}
    assert {str(reason) for reason in reasons} == {
        "accepted",
        "vendor_rejected",
        "expired_waiting",
        "attempts_exhausted",
        "no_answer",
        "owner_lost",
    }
    assert sum(world.history.crashes for world in worlds) > 40
    assert sum(len(world.history.handovers) for world in worlds) > 20
    assert sum(world.history.pauses for world in worlds) > 5
    assert any(times > 1 for world in worlds for times in world.history.accepted.values())


# -- planted bugs: the checker must find each ---------------------------------------------------


def finds(wrong: str, make: Callable[[int], LaneWorld] = LaneWorld) -> bool:
    """Whether the checker says this about one of some seeds (other complaints may come too)."""
    for seed in range(PLANTED_SEEDS):
        try:
            check(make(seed))
        except AssertionError as complaint:
            if str(complaint).startswith(wrong):
                return True
    return False


def test_the_checker_sees_doubt_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: what a former owner had in flight is sent as if it had never been."""

    def ignore(_doubt: InDoubtBatches, _offset: int) -> InFlight | None:
        return None

    monkeypatch.setattr(InDoubtBatches, "resolve", ignore)
    assert finds("accepted twice")


def test_the_checker_sees_results_outside_the_transaction() -> None:
    """Planted: results are published, then the process may die before the checkpoint is."""

    class Torn(LaneWorld):
        def transact(self, commit: Commit) -> None:
            before = self.checkpoint or Checkpoint(
                lane="cloud",
                topic_id=None,
                base=0,
                done=SettledOffsets(0).packed(),
                in_flight=(),
                permit_log=(),
                config_version="c1",
            )
            self.history.commits.append(Commit(before, commit.results, commit.dead_letters))
            self._may_crash()
            super().transact(Commit(commit.checkpoint, (), ()))

    assert finds("not one result per invitation", Torn)


def test_the_checker_sees_a_recipient_twice_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a window that takes whatever is oldest."""

    def take(window: Window, most: int = 10**9) -> list[PendingInvitation]:
        chosen = sorted(window, key=lambda each: each.offset)[: min(window.max_batch, most)]
        return window.drop(lambda each: each in chosen)

    monkeypatch.setattr(Window, "take", take)
    assert finds("one recipient twice in a batch")


def test_the_checker_sees_a_call_before_its_intent() -> None:
    """Planted: calls leave at once and the checkpoint follows."""

    class Hasty(Lane):
        def tick(self, now: float) -> list[Command]:
            commands = super().tick(now)
            if not any(isinstance(command, Commit) for command in commands):
                return commands
            sends, self._committing = super().committed(), []
            return [*sends, *commands]

    assert finds("a call left without its intent", lambda seed: LaneWorld(seed, Hasty))


def test_the_checker_sees_the_highest_settled_offset_taken_for_the_base() -> None:
    """Planted: a checkpoint forgets the lower offsets that are still open."""

    class Ahead(Lane):
        def checkpoint(self, now: float) -> Checkpoint:
            base = self.settled.base + self.settled.span
            return super().checkpoint(now).model_copy(update={"base": base, "done": pack((), base)})

    assert finds("settled without a result", lambda seed: LaneWorld(seed, Ahead))


def test_the_checker_sees_an_answer_that_is_not_recorded() -> None:
    """Planted: a batch that waits for its next attempt stays in flight in the checkpoint."""

    class Silent(Lane):
        @property
        def _dirty(self) -> bool:
            return bool(self.outbox or self._sealing.starting)

    assert finds("a clean handover left a batch", lambda seed: LaneWorld(seed, Silent))


def test_the_checker_sees_a_quota_forgotten_at_takeover() -> None:
    """Planted: a new owner takes the quota for unused."""

    restore = Quota._restore

    def forgetful(quota: Quota, *_: Any) -> Limiter:
        return restore(quota, None, float("-1e9"))

    with patch.object(Quota, "_restore", forgetful):
        assert finds(
            "the vendor's counter refused a call",
            lambda seed: LaneWorld(seed, Lane, random_429s=False),
        )
