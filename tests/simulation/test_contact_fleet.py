"""Fleets with contact rules, from seeds: several processes over one contact store that fails.

`python -m tests.simulation --contacts --seed N` tells the story of one that fails here.
"""

from __future__ import annotations

import pytest

from tests.simulation.world.judged import judge
from tests.support.seeds import seeds

FOUND = {
    64: "a campaign got another channel while the store was asked about its call",
    98: "each tick had a commit that took longer than a seal lasts",
    120: "a campaign left the lane while the store was asked about its invitations",
}
"""Seeds that once showed a defect."""


@pytest.mark.parametrize("seed", seeds(30, quick=3))
def test_a_fleet_with_contact_rules_keeps_its_promises(seed: int) -> None:
    assert not judge(seed, contacts=True).wrong


@pytest.mark.parametrize("seed", FOUND)
def test_a_defect_that_was_found_stays_away(seed: int) -> None:
    assert not judge(seed, contacts=True).wrong, FOUND[seed]
