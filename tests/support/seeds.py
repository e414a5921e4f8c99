"""Seeds of simulations: the first ones run all day, the rest before a push."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet


def seeds(count: int, quick: int) -> list[ParameterSet]:
    """Seeds from 0 for `parametrize`; `make check` leaves those from `quick` on to `make test`."""
    return [
        pytest.param(seed, marks=[pytest.mark.deep] if seed >= quick else [])
        for seed in range(count)
    ]
