"""Four counters as vendors keep them, written from their public descriptions.

They share no code and no idea with the limiter: each knows one limit and the times that its own
server's clock showed, which need not come in order. A refused call leaves no trace.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right, insort
from collections import Counter
from typing import Protocol


class VendorCounter(Protocol):
    """One limit at the vendor: `calls` in `period` seconds."""

    def __init__(self, calls: int, period: float, rng: random.Random) -> None: ...

    def admit(self, at: float) -> bool:
        """Whether a call that a server saw at `at` (its own clock, seconds) gets through."""


class FixedWindow:
    """Counts per window; the first window may begin at any time."""

    def __init__(self, calls: int, period: float, rng: random.Random) -> None:
        self._calls, self._period = calls, period
        self._begin = rng.uniform(0, period)
        self._counts: Counter[int] = Counter()

    def admit(self, at: float) -> bool:
        window = math.floor((at - self._begin) / self._period)
        if self._counts[window] >= self._calls:
            return False
        self._counts[window] += 1
        return True


class SlidingLog:
    """Remembers every call of the last period."""

    def __init__(self, calls: int, period: float, _rng: random.Random) -> None:
        self._calls, self._period = calls, period
        self._log: list[float] = []

    def admit(self, at: float) -> bool:
        if len(self._log) - bisect_right(self._log, at - self._period) >= self._calls:
            return False
        insort(self._log, at)
        del self._log[: -2 * self._calls]
        return True


class WeightedWindow:
    """This window's count plus the last one's, weighted by how much of it a sliding one covers."""

    def __init__(self, calls: int, period: float, rng: random.Random) -> None:
        self._calls, self._period = calls, period
        self._begin = rng.uniform(0, period)
        self._counts: Counter[int] = Counter()

    def admit(self, at: float) -> bool:
        windows = (at - self._begin) / self._period
        window = math.floor(windows)
        covered = 1 - (windows - window)
        if self._counts[window - 1] * covered + self._counts[window] + 1 > self._calls:
            return False
        self._counts[window] += 1
        return True


class TokenBucket:
    """Holds at most `calls` tokens and gets them back evenly over the period."""

    def __init__(self, calls: int, period: float, _rng: random.Random) -> None:
        self._calls, self._rate = calls, calls / period
        self._tokens, self._last = float(calls), -math.inf

    def admit(self, at: float) -> bool:
        if at > self._last:
            self._tokens = min(self._calls, self._tokens + (at - self._last) * self._rate)
            self._last = at
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


KINDS: tuple[type[VendorCounter], ...] = (FixedWindow, SlidingLog, WeightedWindow, TokenBucket)
