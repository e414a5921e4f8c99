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
    MAX_WAIT = "max_wait"
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


PRICE = 1.0
"""Customer-seconds that a permit is worth when the whole quota is left: a lone customer's call
leaves after a second."""


class IndexPrice:
    """The largest accumulated waiting goes next, when it is worth a permit.

    Index: the waiting that one call would end, times the campaign's weight; serving the largest
    makes λ·T² equal over campaigns, the optimum for the mean wait when a call empties a window.
    Price: `p0 / left²`, so that permits are kept for fuller windows as the quota empties. A window
    that is full, or waited its `max_wait`, goes at any price: keeping it makes no call better.
    """

    def __init__(self, p0: float = PRICE) -> None:
        self._p0 = p0

    def choose(self, windows: Iterable[Window], now: float, left: float) -> Seal | Wait:
        """Of the windows that are worth a permit now, the one with the largest index."""
        price = self._p0 / max(left, 1e-9) ** 2
        earliest = math.inf
        best, best_index = None, -1.0
        for window in windows:
            if not window.ready:
                continue
            index = window.waited(now) * window.weight
            due = max(window.not_before, now + self._due_in(window, index, price, now))
            earliest = min(earliest, due)
            if due <= now and index > best_index:
                best, best_index = window, index
        return Seal(best, self._why(best, now)) if best is not None else Wait(earliest)

    @staticmethod
    def _due_in(window: Window, index: float, price: float, now: float) -> float:
        """Seconds until the window is worth `price`; an index grows with every customer in it."""
        if window.ready == window.max_batch:
            return 0.0
        worth = (price - index) / (window.ready * window.weight)
        return max(0.0, min(worth, window.oldest + window.max_wait - now))

    @staticmethod
    def _why(window: Window, now: float) -> Why:
        if window.ready == window.max_batch:
            return Why.FULL
        return Why.MAX_WAIT if now - window.oldest >= window.max_wait else Why.PERMIT


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
