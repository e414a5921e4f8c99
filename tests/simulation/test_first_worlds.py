"""A few simulated worlds and planted defects, for the suite that runs all day.

`test_world_sim.py` has many of them for `make test`, `make sim SEEDS=10000` more than that.
"""

from __future__ import annotations

import pytest

from tests.simulation.world.judged import judge

FROZEN_READER = 30123
"""An input leaves the config before the register holds it, and its reader is frozen then."""


@pytest.mark.parametrize("seed", [*range(12), FROZEN_READER])
def test_a_world_keeps_the_promises(seed: int) -> None:
    assert not judge(seed).wrong


@pytest.mark.parametrize("mutant", ["no-intent", "highest-settled-offset", "done-lost"])
def test_the_checker_complains_of_a_planted_defect(mutant: str) -> None:
    """Of each within the first seeds, which are without a complaint in the test above."""
    assert any(judge(seed, mutant=mutant).wrong for seed in range(12))
