"""Four ways in which vendors count calls, as pure state machines: time is an argument.

    fixed     calls in the clock-aligned window that contains `now` (a counter with an expiry)
    sliding   calls in the `period` seconds before `now` (a log of times)
    weighted  this window's calls plus the last window's, weighted by the part of it that still
              overlaps the last `period` seconds (the two-counter approximation)
    bucket    a bucket of `calls` tokens that refills evenly within `period`

The vendors' pages do not say whether a refused call counts. The strict reading is taken: with
`fixed`, `sliding` and `weighted` every call counts against every limit, whatever its answer, so a
client that retries against a closed quota keeps it closed. An empty bucket has no token to take, so
with `bucket` a refused call costs nothing.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Algorithm = Literal["fixed", "sliding", "weighted", "bucket"]

_LIMIT = re.compile(r"([1-9][0-9]*)/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_SLACK = 1e-9  # tokens: a bucket refilled in many small steps must not lose the last bit of one


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in `period` seconds."""

    calls: int
    period: float


def parse_limit(text: str) -> Limit:
    """Parse `20/5s`, `1/0.5s`, `100/1m` to a limit; raises `ValueError` for anything else."""
    found = _LIMIT.fullmatch(text)
    period = float(found[2]) * _SECONDS[found[3]] if found else 0.0
    if not found or period <= 0:
        raise ValueError(f"a limit is written like 20/5s, with a period above zero, not {text!r}")
    return Limit(int(found[1]), period)


class _Meter(Protocol):
    """One limit's state."""

    def wait(self, now: float) -> float:
        """Return seconds until a call would be allowed; 0.0: now. Changes nothing."""

    def count(self, now: float, allowed: bool) -> None:
        """Count a call at `now`, which all limits together allowed or refused."""


class _Fixed:
    def __init__(self, limit: Limit, offset: float) -> None:
        self._limit, self._offset = limit, offset
        self._number, self._last, self._current = 0, 0, 0

    def _turn(self, now: float) -> float:
        """Move to the window of `now`; return its elapsed part, 0 to 1."""
        position = (now - self._offset) / self._limit.period
        number = math.floor(position)
        if number != self._number:
            self._last = self._current if number == self._number + 1 else 0
            self._number, self._current = number, 0
        return position - number

    def wait(self, now: float) -> float:
        passed = self._turn(now)
        return 0.0 if self._current < self._limit.calls else (1 - passed) * self._limit.period

    def count(self, now: float, allowed: bool) -> None:  # noqa: ARG002 - every call counts here
        self._turn(now)
        self._current += 1


class _Weighted(_Fixed):
    def wait(self, now: float) -> float:
        passed = self._turn(now)
        room = self._limit.calls - 1
        if self._last * (1 - passed) + self._current <= room:
            return 0.0
        if self._current <= room:  # wait until the last window's weight is low enough
            until = 1 - (room - self._current) / self._last
        else:  # this window is full: wait until it is the last one and its weight is low enough
            until = 2 - room / self._current
        return (until - passed) * self._limit.period


class _Sliding:
    """A log of the last `calls` times: the oldest of them decides, so memory is bounded."""

    def __init__(self, limit: Limit, _offset: float) -> None:
        self._limit = limit
        self._log: deque[float] = deque(maxlen=limit.calls)

    def wait(self, now: float) -> float:
        if len(self._log) < self._limit.calls:
            return 0.0
        return max(0.0, self._log[0] + self._limit.period - now)

    def count(self, now: float, allowed: bool) -> None:  # noqa: ARG002 - every call counts here
        self._log.append(now)


class _Bucket:
    def __init__(self, limit: Limit, _offset: float) -> None:
        self._limit, self._rate = limit, limit.calls / limit.period
        self._tokens, self._at = float(limit.calls), -math.inf

    def _refilled(self, now: float) -> float:
        return min(self._limit.calls, self._tokens + max(0.0, now - self._at) * self._rate)

    def wait(self, now: float) -> float:
        missing = 1 - _SLACK - self._refilled(now)
        return max(0.0, missing / self._rate)

    def count(self, now: float, allowed: bool) -> None:
        self._tokens = self._refilled(now) - (1 if allowed else 0)
        self._at = max(self._at, now)


_METERS: dict[Algorithm, Callable[[Limit, float], _Meter]] = {
    "fixed": _Fixed,
    "sliding": _Sliding,
    "weighted": _Weighted,
    "bucket": _Bucket,
}


class Throttle:
    """Several limits in force together; without limits every call is allowed.

    `offset`: seconds by which aligned windows are shifted from multiples of their period.
    """

    def __init__(
        self, limits: Sequence[Limit], algorithm: Algorithm = "fixed", offset: float = 0.0
    ) -> None:
        self._meters = [_METERS[algorithm](limit, offset) for limit in limits]

    def allow(self, now: float) -> bool:
        """Count a call at `now` (seconds); return whether it is allowed."""
        allowed = not any(meter.wait(now) for meter in self._meters)
        for meter in self._meters:
            meter.count(now, allowed)
        return allowed

    def retry_after(self, now: float) -> float:
        """Return seconds until every limit would allow a call, if none comes before; 0.0: now."""
        return max((meter.wait(now) for meter in self._meters), default=0.0)
