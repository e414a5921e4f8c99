"""Which window gets the next permit.

A scheduler decides from the windows, the time and the share of the quota that is left, and says
either whom to seal and why, or until when to wait. Oldest-first is the simplest that starves
nobody; an index with a price (the accumulated waiting that a call would end) fits behind the
same interface.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from consumer.lane.window import Window


class Why(StrEnum):
    """Why a window was sealed."""

    FULL = "full"
    PERMIT = "permit"
    LINGER = "linger"


@dataclass(frozen=True, slots=True)
class Seal:
    """Seal this window now."""

    window: Window
    why: Why


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to seal before `until` (infinite: not before something arrives)."""

    until: float


class Scheduler(Protocol):
    """Chooses among windows that may call (vendor ready, permit there)."""

    def choose(self, windows: Iterable[Window], now: float, left: float) -> Seal | Wait:
        """`left` is the smallest remaining share of the lane's limits, 0 to 1."""


class OldestFirst:
    """Late sealing under a quota: whoever waited longest gets the permit that is there."""

    def choose(self, windows: Iterable[Window], now: float, left: float) -> Seal | Wait:
        """A window keeps filling until a permit is really there, then the oldest goes."""
        del left
        waiting = [window for window in windows if window.ready]
        able = [window for window in waiting if window.not_before <= now]
        if able:
            chosen = min(able, key=lambda window: window.oldest)
            return Seal(chosen, Why.FULL if chosen.ready == chosen.max_batch else Why.PERMIT)
        return Wait(min((window.not_before for window in waiting), default=math.inf))


class SizeOrLinger:
    """Without a quota permits cost nothing: seal when full, or after a short linger.

    The linger counts from the oldest invitation's arrival, never from the window's making: an
    idle minute must not send the first customer out alone.
    """

    def __init__(self, linger: float) -> None:
        self._linger = linger

    def choose(self, windows: Iterable[Window], now: float, left: float) -> Seal | Wait:
        """Of all windows that are due, the oldest: full ones first would starve the others."""
        del left
        earliest = math.inf
        best: Seal | None = None
        for window in windows:
            if not window.ready:
                continue
            full = window.ready == window.max_batch
            due = max(window.not_before, 0.0 if full else window.oldest + self._linger)
            earliest = min(earliest, due)
            if due <= now and (best is None or window.oldest < best.window.oldest):
                best = Seal(window, Why.FULL if full else Why.LINGER)
        return best or Wait(earliest)
