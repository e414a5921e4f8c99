"""Which simulations are `deep`: `make test` and CI run them, `make check` does not."""

from __future__ import annotations

import pytest

DEEP = {"test_world_sim.py"}
"""Files with worlds and planted defects by the dozen; `test_first_worlds.py` has some of each."""


@pytest.hookimpl(tryfirst=True)  # before `-m "not deep"` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these files."""
    for item in items:
        if item.path.name in DEEP:
            item.add_marker("deep")
