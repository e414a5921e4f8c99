"""Exponential backoff with full jitter: uniform between nothing and the growing bound.

Source of the rule: Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random

FIRST = 1.0
LONGEST = 300.0


def full_jitter(failures: int, rng: random.Random) -> float:
    """Seconds to wait after the `failures`-th failure in a row (1, 2, …)."""
    return rng.uniform(0.0, min(LONGEST, FIRST * 2.0 ** min(failures, 30)))
