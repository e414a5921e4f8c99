"""Whole lives of a lane that asks a contact store which fails and forgets, from seeds.

`SIM_SEEDS` says how many seeds run (default 150).
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.contacts.laws import check
from tests.simulation.contacts.world import ContactLaneWorld
from tests.support.seeds import seeds

SEEDS = int(os.environ.get("SIM_SEEDS", "150"))
QUICK_SEEDS = 20


@pytest.mark.parametrize("seed", seeds(SEEDS, quick=QUICK_SEEDS))
def test_a_lane_keeps_the_contact_rules_whatever_happens_to_the_store(seed: int) -> None:
    """Crashes, a store that is down or forgets, a rival lane, and a view that repeats."""
    check(ContactLaneWorld(seed))


def test_a_seal_that_ends_at_the_very_time_of_a_step_stops_no_lane() -> None:
    """A login took the permit; the lane wakes when the seal ends, and not for ever."""
    check(ContactLaneWorld(87))


@pytest.mark.deep
def test_the_worlds_meet_what_they_are_made_for() -> None:
    """Every verdict of the store and each of its faults occur, or the seeds prove little."""
    worlds = [ContactLaneWorld(seed) for seed in (*range(60), 101)]  # answers are rare
    for world in worlds:
        world.run()
    reasons = {str(reason) for world in worlds for reason in world.contacts.reasons}
    assert reasons >= {
        "accepted",
        "contact_limit",
        "cooldown",
        "duplicate",
        "opted_out",
        "outranked",
        "no_answer",
        "owner_lost",
    }
    faults = {fault for world in worlds for fault in world.contacts.faults}
    assert faults == {"down", "whole", "snapshot", "empty"}
    assert sum(world.history.put_off for world in worlds) > 20
