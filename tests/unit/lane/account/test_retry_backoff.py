"""Backoff with full jitter stays within its growing bound."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.account.circuit_breaker import FIRST, LONGEST, full_jitter


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_lies_between_nothing_and_the_doubling_bound(failures: int, seed: int) -> None:
    bound = LONGEST if failures > 60 else min(LONGEST, FIRST * 2**failures)
    assert 0.0 <= full_jitter(failures, random.Random(seed)) <= bound


def test_waits_spread_over_the_whole_range() -> None:
    """Full jitter: replicas that fail together do not come back together."""
    rng = random.Random(1)
    waits = [full_jitter(20, rng) for _ in range(1_000)]
    assert min(waits) < 0.05 * LONGEST
    assert max(waits) > 0.95 * LONGEST


def test_the_same_seed_gives_the_same_waits() -> None:
    assert full_jitter(3, random.Random(7)) == full_jitter(3, random.Random(7))
