"""Scheduler: which window gets the next permit. Under a quota, an index with a price.

    index   weight · Σ (now − arrived) over the customers that one call would take
    price   p0 / left² + worth: `left` is the smallest remaining share of the limits, `worth` what
            a permit in hand is worth for bursts (`quota/bursts.py`)
    due     full, or index ≥ price, or `max_wait` is over; not before its backoff ends
    next    an urgent window (a retry was asked for); else the due window with the largest index;
            each `OVERDUE_EVERY`-th time the most overdue

Serving the largest index makes λ·T² equal over campaigns, the optimum for the mean wait when a call
empties a window. The price keeps permits for fuller windows as the quota empties; a window that is
full or waited its `max_wait` goes at any price, since keeping it makes no call better. Under load
the index alone would leave a campaign of few customers behind for hours: hence the overdue ones.
Why a window was chosen is its `SealReason`: `why` in the log's `call` and `batches_sealed_total`.

Invariants, by which the due index saves computing: while a window is unchanged, its rank never
falls and its due time at a price is fixed. Cost: one pass over the candidates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from consumer.lane.state.commands import SealReason


class Waiting(Protocol):
    """What waits for a call: a window, a part of a divided batch, or a trial."""

    @property
    def ready(self) -> int:
        """Number of customers that one call could take now."""

    @property
    def max_batch(self) -> int:
        """Number of customers that one call could take at most."""

    @property
    def max_wait(self) -> float:
        """Seconds after which it goes at any price."""

    @property
    def weight(self) -> float:
        """How much its waiting counts."""

    @property
    def not_before(self) -> float:
        """When it may go at the earliest."""

    @property
    def oldest(self) -> float:
        """When its first invitation arrived (only if `ready`)."""

    @property
    def urgent(self) -> bool:
        """Whether the next permit is its, at any price."""

    @property
    def growth(self) -> float:
        """Customer-seconds by which `waited` grows each second, while it is unchanged."""

    def waited(self, now: float) -> float:
        """Return the customer-seconds of waiting that the call would end."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Seal this window now."""

    window: Waiting
    why: SealReason


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to seal before `until` (infinite: not before something arrives)."""

    until: float


class Scheduler(Protocol):
    """Chooses among windows that may be called: the vendor is ready, and there is a permit."""

    def price(self, left: float, worth: float = 0.0) -> float:
        """Return what a window must be worth now; constant if the price does not matter. `worth`:
        what a permit in hand is worth for bursts."""

    def due(self, window: Waiting, price: float) -> float:
        """Return the earliest time at which a window (ready, and unchanged until then) may go, at
        this price or a higher one."""

    def rank(self, window: Waiting, at: float) -> float:
        """Return the window's rank: the highest of the due windows goes. It never falls while the
        window is unchanged."""

    def choose(
        self, windows: Iterable[Waiting], now: float, left: float, worth: float = 0.0
    ) -> Seal | Wait:
        """Choose a window, or wait. `left`: smallest remaining share of the limits, 0 to 1."""


class ByAge:
    """Common to schedulers for which any window is worth a permit, and the oldest goes first."""

    def price(self, left: float, worth: float = 0.0) -> float:
        """Return a constant: the price does not matter."""
        del left, worth
        return 1.0

    def rank(self, window: Waiting, at: float) -> float:
        """Rank by age; an urgent window is first."""
        del at
        return math.inf if window.urgent else -window.oldest


class OldestFirst(ByAge):
    """Late sealing under a quota: the window that waited longest gets the next permit."""

    def due(self, window: Waiting, price: float) -> float:
        """Return the end of the window's backoff."""
        del price
        return window.not_before

    def choose(
        self, windows: Iterable[Waiting], now: float, left: float, worth: float = 0.0
    ) -> Seal | Wait:
        """Choose the oldest window. It fills until a permit is available."""
        del left, worth
        waiting = [window for window in windows if window.ready]
        due = [window for window in waiting if window.not_before <= now]
        if not due:
            return Wait(min((window.not_before for window in waiting), default=math.inf))
        oldest = min(due, key=lambda window: (not window.urgent, window.oldest))
        full = oldest.ready == oldest.max_batch
        return Seal(oldest, SealReason.FULL if full else SealReason.PERMIT)


PRICE = 1.0
"""Customer-seconds that a permit is worth while the whole quota is left: the call of a single
waiting customer leaves after a second."""

OVERDUE_EVERY = 4
"""Permits of which one goes to the window that waited longest beyond `max_wait`. Simulated with a
`max_wait` of 10 min, 300 campaigns, 20/s: never, the longest wait was 6,000 s and the mean 0.99 of
the bound; each fourth, 1,900 s and 1.01; each second, 1,600 s and 1.05; always, 1,200 s and
1.92."""


class IndexPrice:
    """The window with the largest accumulated waiting goes next, once it is worth a permit."""

    def __init__(self, p0: float = PRICE) -> None:
        self._p0 = p0
        self._sealed = OVERDUE_EVERY  # since the last overdue window

    def price(self, left: float, worth: float = 0.0) -> float:
        """Return the price in customer-seconds."""
        return self._p0 / max(left, 1e-9) ** 2 + worth

    def due(self, window: Waiting, price: float) -> float:
        """Return when the window is full, is worth the price, or has waited its `max_wait`."""
        if window.urgent or window.ready == window.max_batch:
            return window.not_before
        worth = (price / window.weight - window.waited(0.0)) / window.growth
        return max(window.not_before, min(worth, window.oldest + window.max_wait))

    def rank(self, window: Waiting, at: float) -> float:
        """Return the index; infinite for an urgent window."""
        return math.inf if window.urgent else window.waited(at) * window.weight

    def choose(
        self, windows: Iterable[Waiting], now: float, left: float, worth: float = 0.0
    ) -> Seal | Wait:
        """Choose the window with the largest index of all that are worth a permit now."""
        price = self.price(left, worth)
        earliest = math.inf
        best, highest = None, -math.inf
        overdue, deadline = None, now
        for window in windows:
            due = self.due(window, price) if window.ready else math.inf
            if due > now:
                earliest = min(earliest, due)
                continue
            rank, last = self.rank(window, now), window.oldest + window.max_wait
            if rank > highest:
                best, highest = window, rank
            if last <= deadline:
                overdue, deadline = window, last
        if best is None:
            return Wait(earliest)
        chosen = self._in_turn(best, overdue)
        return Seal(chosen, self._why(chosen, now))

    def _in_turn(self, best: Waiting, overdue: Waiting | None) -> Waiting:
        """Return the best window, or each `OVERDUE_EVERY`-th time the most overdue one."""
        self._sealed += 1
        if overdue is None or best.urgent or self._sealed < OVERDUE_EVERY:
            return best
        self._sealed = 0
        return overdue

    @staticmethod
    def _why(window: Waiting, now: float) -> SealReason:
        if window.ready == window.max_batch:
            return SealReason.FULL
        return SealReason.MAX_WAIT if now - window.oldest >= window.max_wait else SealReason.PERMIT


def _at_once(waiting: Waiting) -> float:
    del waiting
    return -math.inf


class SizeOrLinger(ByAge):
    """Without a quota permits cost nothing: seal a full window at once, others after a linger.

    The linger counts from the oldest invitation's arrival, not from the window's creation: the
    first customer after an idle minute must not be called alone. `full_by`: until when a window may
    wait on because more is about to be read (`Inflow`).
    """

    def __init__(self, linger: float, full_by: Callable[[Waiting], float] = _at_once) -> None:
        self._linger = linger
        self._full_by = full_by

    def due(self, window: Waiting, price: float) -> float:
        """Return when the window is full, or has lingered and waits for no more."""
        del price
        if window.ready == window.max_batch:
            return window.not_before
        return max(window.not_before, window.oldest + self._linger, self._full_by(window))

    def choose(
        self, windows: Iterable[Waiting], now: float, left: float, worth: float = 0.0
    ) -> Seal | Wait:
        """Choose the oldest of all due windows: preferring full ones would starve the others."""
        del left, worth
        earliest = math.inf
        best: Seal | None = None
        for window in windows:
            if not window.ready:
                continue
            full = window.ready == window.max_batch
            due = self.due(window, 0.0)
            earliest = min(earliest, due)
            if due <= now and (best is None or window.oldest < best.window.oldest):
                best = Seal(window, SealReason.FULL if full else SealReason.LINGER)
        return best or Wait(earliest)
