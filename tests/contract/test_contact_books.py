"""Books over each store: whatever is interleaved, lost or repeated, no limit is exceeded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.contacts.memory import MemoryStore
from consumer.contacts.sqlite import SqliteStore
from tests.support.contact_world import ContactWorld
from tests.support.contacts import DAY, NOW
from tests.support.kafka import unique
from tests.support.stores import KINDS, OpenStore, opened_stores

seeds = st.integers(0, 2**32)


@pytest.mark.deep
@given(seeds)
@settings(max_examples=300)
def test_no_limit_is_exceeded_by_two_books_on_one_store(seed: int) -> None:
    clock = [NOW]
    ContactWorld(MemoryStore(lambda: clock[0], grace=10.0), clock).live(seed, 150)


@given(seeds)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_limit_is_exceeded_over_a_file(tmp_path: Path, seed: int) -> None:
    clock = [NOW]
    store = SqliteStore(tmp_path / unique("contacts"), lambda: clock[0])
    ContactWorld(store, clock).live(seed, 150)
    store.close()


@pytest.fixture(params=KINDS)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    yield from opened_stores(request, tmp_path)


@given(seeds)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_limit_is_exceeded_while_no_window_ends(open_store: OpenStore, seed: int) -> None:
    """All is sent ahead of the store's clock, which a test cannot always move."""
    clock = [max(time.time(), NOW) + DAY]
    ContactWorld(open_store(), clock).live(seed, 80, ticks=False)
