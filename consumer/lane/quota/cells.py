"""Calls of a large limit, counted by cells of time: no limit's size costs memory or time.

Theory of operation. A limit of 200,000 calls a day has 400,000 stamps that matter. Here each stamp
moves up to the end of its *cell*, a 512th of the period. A later stamp never opens the gate
earlier, so the gate stays safe. A stamp moves by at most one cell, so the gate opens at most one
cell later: the limit loses 0.1 % of its calls on average. The period is a whole number of cells.
Hence φ, φ − p and s + p of the limiter's formula are cells too, A and B are differences of running
sums, and one evaluation is one pass over the cells of a period, whatever number of calls they hold.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain

PER_PERIOD = 512
"""Cells of a period, at most."""

LEAST_WIDTH = 0.01
"""Seconds of a cell at least: a stamp in the future must not make cells without end."""

_ROUNDING = 1e-6
"""Cells by which a time may be off: epoch seconds in a float."""


class Cells:
    """Calls by the cell in which they were answered. `period` is the limit's with its skew. `pairs`
    is what `packed_counts` of other cells of the same period returned."""

    def __init__(self, period: float, pairs: Sequence[int] = ()) -> None:
        self.period = period
        self._number = max(1, min(PER_PERIOD, int(period / LEAST_WIDTH)))
        self._width = period / self._number
        steps = accumulate(pairs[::2])
        self._counts = Counter(dict(zip(steps, pairs[1::2], strict=True)))
        self._sums: list[int] | None = None
        self._first = 0

    def add(self, at: float, count: int = 1) -> None:
        """Add calls that were answered at `at`."""
        self._counts[self._cell(at)] += count
        self._sums = None

    def take_over(self, other: Cells) -> None:
        """Replace the calls by the calls of other cells of the same period."""
        self._counts = Counter(other._counts)
        self._sums = None

    def moved(self, seconds: float, latest: float) -> Cells:
        """Return the same calls, `seconds` later, and none later than `latest`."""
        moved = Cells(self.period)
        for _, end, count in self.calls():
            moved.add(min(end + seconds, latest) - self._width / 2, count)
        return moved

    def count_at(self, at: float) -> int:
        """Return the number of calls in the cell of this time."""
        return self._counts[self._cell(at)]

    def opens(self, spare: int, now: float) -> float:
        """Return from when on the limit allows a call: the limiter's formula over these cells.
        `spare` is the limit's calls less the calls in flight."""
        if spare <= 0:
            return math.inf
        sums = self._running(now)
        gone = sums[-1] - spare + 1
        if gone <= 0:
            return -math.inf
        period, width = self.period, self._width
        newest = self._first + bisect_left(sums, gone) - 1  # the cell that must leave for φ = t
        latest = newest * width + period
        since = max(latest, now) - period
        low, high = max(newest, math.floor(since / width)) + 1, newest + self._number
        newer, older = self._before(low, high), self._before(low - self._number, newest)
        opening = (
            cell * width + period * (gone - a) / (b - a)
            for cell, a, b in zip(range(low, high + 1), older, newer, strict=True)
        )
        return max([latest, *opening])  # none is left two periods after the calls

    def used(self, now: float) -> float:
        """Return what the worst counter holds at `now`."""
        sums, period, width = self._running(now), self.period, self._width
        total = sums[-1]
        (older,) = self._before(*[math.ceil((now - period) / width - _ROUNDING)] * 2)
        low, high = math.floor((now - period) / width) + 1, math.floor(now / width)
        weight = (low * width - now + period) / period
        befores = zip(
            self._before(low, high),
            self._before(low - self._number, high - self._number),
            strict=True,
        )
        return max(
            [
                total - older,
                *(
                    (b - a) * (weight + cell / self._number) + (total - b)
                    for cell, (b, a) in enumerate(befores)
                ),
            ]
        )

    def packed_counts(self, now: float) -> tuple[int, ...]:
        """Return what the checkpoint needs: for each cell the step to it, and its calls."""
        if now > -math.inf:
            self._trim(now)
        cells = sorted(self._counts)
        steps = (cell - before for before, cell in zip([0, *cells], cells, strict=False))
        counts = (self._counts[cell] for cell in cells)
        return tuple(chain.from_iterable(zip(steps, counts, strict=True)))

    def calls(self) -> Iterator[tuple[float, float, int]]:
        """Yield begin, end and number of calls of each cell that has calls, in no order."""
        for cell, count in self._counts.items():
            yield (cell - 1) * self._width, cell * self._width, count

    def _cell(self, at: float) -> int:
        return math.floor(at / self._width) + 1

    def _trim(self, now: float) -> None:
        oldest = math.floor((now - 2 * self.period) / self._width)
        for cell in [cell for cell in self._counts if cell < oldest]:
            del self._counts[cell]

    def _running(self, now: float) -> list[int]:
        """Return the calls before each cell from `_first` on; the last entry is the total."""
        if self._sums is None:
            self._trim(now)
            self._first = min(self._counts, default=0)
            cells = range(self._first, max(self._counts, default=-1) + 1)
            self._sums = list(accumulate(map(self._counts.__getitem__, cells), initial=0))
        return self._sums

    def _before(self, low: int, high: int) -> list[int]:
        """Return the calls before each cell from `low` to `high`, both included."""
        sums = self._sums or [0]
        last = self._first + len(sums) - 1
        inside = sums[max(low - self._first, 0) : max(high - self._first + 1, 0)]
        early = min(high, self._first - 1) - low + 1
        late = high - max(low, last + 1) + 1
        return [0] * early + inside + [sums[-1]] * late
