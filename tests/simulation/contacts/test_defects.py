"""Planted defects around the contact store: each is found by a pinned world of the lane."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from tests.simulation.contacts.laws import check
from tests.simulation.contacts.mutants import DEFECTS
from tests.simulation.contacts.world import ContactLaneWorld

FOUND_AT = {
    "intent-before-the-seal": 0,
    "retry-is-not-sealed-again": 0,
    "windows-of-the-calendar": 0,
    "fail-open": 2,
    "offsets-of-the-group": 2,
    "offsets-run-ahead": 2,
    "sealed-is-displaced": 0,
    "new-generation-grants-at-once": 99,
    "calls-about-to-leave-are-not-reported": 16,
    "quiet-hours-at-intake-only": 8,
    "sent-before-the-feed-was-read": 12,
    "sent-before-the-opt-outs-were-applied": 102,
    "tags-as-they-are-now": 27,
    "one-key-a-decision": 1,
    "reservations-expire": 2,
    "unknown-is-released": 27,
    "full-lane-stops-before-its-doubt": 127,
}
"""Defect → a seed that shows it; its neighbours are tried where the program's draws have moved."""

NEIGHBOURS = 15


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_still_has_its_place(defect: str) -> None:
    """The source that it changes is as it was when the defect was thought of."""
    with DEFECTS[defect]():
        pass


@pytest.mark.deep
@pytest.mark.parametrize("defect", FOUND_AT)
def test_a_planted_defect_is_found(defect: str) -> None:
    """The checker complains of a world with this defect, and not of the same one without it."""
    seeds = range(FOUND_AT[defect], FOUND_AT[defect] + NEIGHBOURS)
    assert any(_complains(seed, defect) and not _complains(seed) for seed in seeds)


def _complains(seed: int, defect: str | None = None) -> bool:
    with DEFECTS[defect]() if defect else nullcontext():
        try:
            check(ContactLaneWorld(seed))
        except AssertionError:
            return True
    return False
