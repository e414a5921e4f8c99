"""The program's only clock: steps of the wall clock (clock skew of this machine) are deferred.

Theory of operation. The wall clock can be stepped forward or back, by seconds or hours. Waits,
permits and the freshness of calls need steady time; expiry and records need wall-clock time. So
`now` is the wall clock when it was last followed, plus the steady time since then. A step is
*followed* only while nothing holds the clock. The owner of a lane holds it, because all times in
its state are by this clock; so does each call and login until it ends, because a call that its
owner lost with the lane may be sent only while it is fresh. After a step the owner drains the
lane and releases its hold. The next takeover of the lane shifts the checkpoint's times to the new
clock (`lane.quota.clock_shift`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STEP = 0.5
"""Smallest difference in seconds that counts as a step; `skew` of the limits covers less."""


def _passed() -> float:
    """Return steady seconds, including time suspended where the system has CLOCK_BOOTTIME."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Clock:
    """Clock of epoch seconds that does not jump while anything holds it. Thread-safe."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _passed
    ) -> None:
        self._wall = wall
        self.steady = steady
        """Seconds since an arbitrary start, which never jump."""
        self._lock = threading.Lock()
        self._holds = 0
        self._offset = wall() - steady()

    def now(self) -> float:
        """Return epoch seconds."""
        return self.steady() + self._offset

    @property
    def stepped(self) -> float:
        """Seconds by which the wall clock was stepped since it was last followed, or 0."""
        away = self._wall() - self.now()
        return away if abs(away) >= STEP else 0.0

    def hold(self) -> None:
        """Prevent jumps until `release` has been called as often as `hold`."""
        with self._lock:
            self._holds += 1

    def release(self) -> None:
        """Release one hold."""
        with self._lock:
            self._holds -= 1

    def follow_wall_clock(self) -> float:
        """Follow a step if nothing holds the clock. Return the seconds by which `now` jumped."""
        with self._lock:
            step = 0.0 if self._holds else self.stepped
            self._offset += step
            return step
