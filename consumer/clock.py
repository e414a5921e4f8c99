"""The one place that reads a clock, and follows its steps (clock skew of this machine).

Theory of operation. The wall clock can be stepped, by seconds or hours and both ways. Waits,
permits and the freshness of calls need time that only passes; expiry and records need the time that
everybody has. So `now` is the wall clock as it was when it was last followed, plus the time that
has passed since. A step is *followed* only while nothing holds the clock. An owner of a lane holds
it, for all that it knows is in its time: after a step it drains, gives its hold back, and the lane
is taken over again, which moves the checkpoint's times into the new one (`lane.quota.clock_shift`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STEP = 0.5
"""Seconds of difference that count as a step. Smaller ones are left to the limits' `skew`."""


def _passed() -> float:
    """Seconds that pass also while the machine is suspended, where the system can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Clock:
    """Epoch seconds that do not jump while anything holds the clock. Thread-safe."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _passed
    ) -> None:
        self._wall = wall
        self.steady = steady
        """Seconds since some beginning, which never jump."""
        self._lock = threading.Lock()
        self._holds = 0
        self._offset = wall() - steady()

    def now(self) -> float:
        """Epoch seconds."""
        return self.steady() + self._offset

    @property
    def stepped(self) -> float:
        """Seconds by which the wall clock was stepped since it was followed; 0 if it was not."""
        away = self._wall() - self.now()
        return away if abs(away) >= STEP else 0.0

    def hold(self) -> None:
        """No jump from now on, until as many calls of `release`."""
        with self._lock:
            self._holds += 1

    def release(self) -> None:
        """A hold is given back."""
        with self._lock:
            self._holds -= 1

    def follow_wall_clock(self) -> float:
        """Follow a step if nothing holds the clock; the seconds that `now` has jumped by."""
        with self._lock:
            step = 0.0 if self._holds else self.stepped
            self._offset += step
            return step
