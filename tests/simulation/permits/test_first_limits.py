"""A quota gets its first limits by a restart: calls of the unlimited time count for the vendor."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from consumer.lane.quota.limiter import Limiter
from consumer.lane.quota.quota import restored
from consumer.records.checkpoint import Checkpoint
from tests.simulation.permits.scenes import DOCUMENTED, FRESH, GRACE, TIMEOUT
from tests.simulation.vendor_counters import FixedWindow, SlidingLog, TokenBucket, WeightedWindow

KINDS = (FixedWindow, SlidingLog, TokenBucket, WeightedWindow)
UNLIMITED = Checkpoint(
    lane="cloud",
    topic_id=None,
    base=0,
    done="",
    in_flight=(),
    permit_log=(),
    quota=(),
    config_version="v1",
)
"""What an owner without limits commits: it says of no calls, and that it says of none."""

Continue = Callable[[float], Limiter]


def continued(now: float) -> Limiter:
    """As the program continues the checkpoint."""
    late = now + FRESH + TIMEOUT + GRACE
    return restored(UNLIMITED, DOCUMENTED, 2.0, 1.0, late, full_at_first=True)


def not_said_is_none(_now: float) -> Limiter:
    """A planted mistake: a log that says nothing of former calls is taken for no calls."""
    return Limiter.restore(DOCUMENTED, UNLIMITED.permit_log)


def refused(seed: int, make: Continue) -> int:
    """Of 200 greedy calls after the restart, those that some vendor's counter refuses."""
    rng = random.Random(seed)
    restart = 1_763_800_000.0
    before = sorted(restart - rng.uniform(0, 700) for _ in range(rng.randint(20, 2_000)))
    now = restart + rng.uniform(0, 20)
    limiter = make(now)
    after = []
    for _ in range(200):
        now = limiter.next_at(now)
        limiter.take_permit(now)
        now += rng.uniform(0.05, 1.0)
        limiter.call_ended(now)
        after.append(now)
    return sum(_refusals(kind, seed, before, after) for kind in KINDS)


def _refusals(kind: type, seed: int, before: list[float], after: list[float]) -> int:
    rng = random.Random(seed)
    counters = [kind(limit.calls, limit.period, rng) for limit in DOCUMENTED]
    for at in before:
        for counter in counters:
            counter.admit(at)
    answers = ([counter.admit(at) for counter in counters] for at in after)  # each sees every call
    return sum(not all(admitted) for admitted in answers)


@pytest.mark.parametrize("seed", range(20))
def test_calls_of_the_unlimited_time_count(seed: int) -> None:
    assert refused(seed, continued) == 0


def test_a_silent_log_taken_for_an_empty_one_is_refused() -> None:
    assert sum(refused(seed, not_said_is_none) > 0 for seed in range(20)) == 20
