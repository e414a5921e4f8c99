"""Rate limiter: when the next call may start, so that no vendor's counter answers 429.

Theory of operation. A permit is taken when a call leaves; its *stamp* is the time at which the call
was answered, and until then it counts as now. However the network delays requests, two of them are
then never closer at the vendor than their stamps say.

The vendor's counter is unknown: fixed windows, sliding log, token bucket and weighted sliding
window are all in use. So a call may start at `t` when, for every limit `n / p` and every alignment
φ in (t − p, t],

    A(φ)·(1 − (t − φ)/p) + B(φ) + in flight + 1 ≤ n,   A(φ) = #[φ − p, φ),   B(φ) = #[φ, ∞)

over the stamps; one in the future (a timeout with its grace) stands in every B, as it should. `p`
is the period plus the skew between the vendor's servers. Why this is quick to evaluate:

- A and B change only just after a stamp `s` and just after `s + p`, and the weight grows with φ:
  the worst alignments are those φ themselves, and `t`.
- Without new calls the condition only eases: a later φ sees at `t = φ` what `[φ − p, ∞)` holds,
  which is less than what an earlier one saw. So there is one opening time, and it does not
  depend on when it is asked for.
- Let `k` be the newest stamp that must leave for φ = t: the gate is shut until s[k] + p. An
  alignment that splits the stamps into i older than A, j − i in A and the rest in B (i ≤ k < j;
  others open no later) is shut until φ + p·(k + 1 − i)/(j − i).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from consumer.lane.quota.cells import Cells
from consumer.lane.state.settings import Limit
from consumer.records.checkpoint import LimitCalls

EPSILON = 1e-6
"""Seconds by which the gate opens late: a stamp exactly `p` old still counts, and epoch seconds in
a float are 0.24 µs apart. Rounding may delay a call, never permit it early: it keeps the order of
times, so that φ − p and s + p, rounded, can only count a stamp too many."""


EXACT_MOST = 500
"""Calls of a limit whose stamps are kept one by one; a larger limit counts by cells of time."""

MOST_FORGOTTEN = 2 * EXACT_MOST
"""Stamps that stand for unknown calls: more only make a checkpoint long."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """No call before `at` (infinite: not before an answer); `limit` is None after a 429."""

    at: float
    limit: Limit | None


class _Gate:
    """One limit: its period with the skew, and its calls by cells unless it goes by stamps."""

    def __init__(self, limit: Limit, period: float, cells: Cells | None) -> None:
        self.limit, self.period, self.cells = limit, period, cells
        self.calls = limit.calls

    def opens(self, stamps: Sequence[float], in_flight: int, now: float) -> WaitUntil:
        """Return from when on this limit permits a call."""
        spare = self.calls - in_flight
        if self.cells is None:
            return WaitUntil(_opens(stamps, spare, self.period, now), self.limit)
        return WaitUntil(self.cells.opens(spare, now) + EPSILON, self.limit)

    def used(self, stamps: Sequence[float], now: float) -> float:
        """Return what the worst counter of this limit holds."""
        if self.cells is None:
            return _used(stamps, self.period, now)
        return self.cells.used(now)


class Limiter:
    """The permits of one quota: all its limits together, none means unlimited.

    Times are seconds since the epoch. `share` is the part of each limit that is ours to use, in (0,
    1]; at least one call remains. Ask with times that do not go back; if a clock does, the stamps
    lie in the future and calls are only delayed.
    """

    def __init__(self, limits: Sequence[Limit], *, skew: float = 2.0, share: float = 1.0) -> None:
        self._stamps: list[float] = []
        self._in_flight = 0
        self.closed_until = -math.inf
        """No call leaves before this time: the vendor answered 429."""
        self.unknown_until = -math.inf
        """Calls before may have been as many as the limits allow, whatever the stamps say."""
        self.horizon = 0.0
        """Seconds after which a stamp no longer matters."""
        self.log_reach = 0.0
        """Seconds that the log of stamps looks back: the horizon of the limits that go by it."""
        self._opens: WaitUntil | None = None
        self._gates: list[_Gate] = []
        self._set_limits(limits, skew, share)

    @classmethod
    def restore(
        cls,
        limits: Sequence[Limit],
        log: Iterable[float],
        *,
        assume_full_at: float | None = None,
        skew: float = 2.0,
        share: float = 1.0,
    ) -> Self:
        """Make a limiter that continues another's `log`. `assume_full_at`: nothing is known (no
        checkpoint), so the whole quota was used then."""
        limiter = cls(limits, skew=skew, share=share)
        for at in sorted(log):
            limiter.count_calls(at)
        if assume_full_at is not None:
            limiter._assume_full(assume_full_at)
        return limiter

    @classmethod
    def resume(cls, known: Sequence[LimitCalls], log: Iterable[float]) -> Self:
        """Make a limiter of another's limits, stamps and cells, to be reconfigured."""
        limiter = cls(())
        for limit in known:
            cells = None if limit.cells is None else Cells(limit.period, limit.cells)
            limiter._gates.append(_Gate(Limit(limit.calls, limit.period), limit.period, cells))
        limiter._update_reach()
        limiter._stamps = sorted(log)
        return limiter

    def reconfigure(self, limits: Sequence[Limit], skew: float, share: float, now: float) -> None:
        """Apply other limits. Where they look further back than the log of the former ones, the
        quota counts as used up, and by as many calls as the former ones allowed: the next limits
        may allow more again."""
        former, reach = self._gates, self.horizon
        self._set_limits(limits, skew, share)
        for gate in self._gates:
            if gate.cells is not None:
                _fill(gate.cells, former, self._stamps)
        beyond = self.horizon - reach
        if beyond > 0:
            most = min((gate.calls * (int(beyond / gate.period) + 1) for gate in former), default=0)
            self._assume_full(now, most)
        elif self.unknown_until > now - self.horizon:
            self._assume_full(self.unknown_until)

    def _set_limits(self, limits: Sequence[Limit], skew: float, share: float) -> None:
        celled = any(gate.cells is not None for gate in self._gates)
        stamped = self.log_reach if self._gates else 0.0
        gates = []
        for limit in limits:
            period = limit.period + skew
            # Calls that are known only by cells can only be continued by cells.
            cells = limit.calls > EXACT_MOST or (celled and 2 * period > stamped)
            gates.append(_Gate(limit, period, Cells(period) if cells and period > 0 else None))
        self._gates = gates
        self._update_reach()
        self._use_share(share)

    def _update_reach(self) -> None:
        periods = [(gate.period, gate.cells is None) for gate in self._gates]
        self.horizon = 2 * max((period for period, _ in periods), default=0.0)
        self.log_reach = 2 * max((period for period, exact in periods if exact), default=0.0)

    def count_calls(self, at: float, count: int = 1) -> None:
        """Count calls that ended at `at` without a permit of this limiter."""
        if self.log_reach:
            place = bisect_right(self._stamps, at)
            self._stamps[place:place] = [at] * count
        for gate in self._gates:
            if gate.cells is not None:
                gate.cells.add(at, count)
        self._opens = None

    def _assume_full(self, at: float, most: int = 0) -> None:
        """Treat calls until `at` as unknown: they use up each limit, or `most` if that is more."""
        self.unknown_until = at
        exact = [gate.calls for gate in self._gates if gate.cells is None]
        if exact:
            wanted = max(min(most, MOST_FORGOTTEN), *exact)
            place = bisect_left(self._stamps, at)
            there = bisect_right(self._stamps, at) - place
            self._stamps[place:place] = [at] * max(0, wanted - there)
        for gate in self._gates:
            if gate.cells is not None:
                there = gate.cells.count_at(at)
                gate.cells.add(at, max(0, max(most, gate.calls) - there))
        self._opens = None

    def known(self, now: float, also: Sequence[float] = ()) -> tuple[LimitCalls, ...]:
        """Return what is known of each limit beside the log, for the checkpoint. `also`: calls that
        count by then, though they are still in flight."""
        known = []
        for gate in self._gates:
            cells = gate.cells
            if cells is not None:
                cells = Cells(gate.period, cells.packed_counts(now))
                for at in also:
                    cells.add(at)
            pairs = None if cells is None else cells.packed_counts(now)
            known.append(LimitCalls(calls=gate.calls, period=gate.period, cells=pairs))
        return tuple(known)

    def set_share(self, share: float) -> None:
        """Use another part of every limit from now on (after a 429, and at its recovery)."""
        self._use_share(share)
        if self.unknown_until > -math.inf:
            self._assume_full(self.unknown_until)

    def _use_share(self, share: float) -> None:
        for gate in self._gates:
            # 0.29 × 100 is 28.999…96 to a float
            gate.calls = max(1, math.floor(gate.limit.calls * share + 1e-9))
        self._opens = None

    @property
    def calls(self) -> tuple[int, ...]:
        """Calls of each limit that are ours, in the limits' order."""
        return tuple(gate.calls for gate in self._gates)

    def check(self, now: float) -> WaitUntil | None:
        """Return None if a call may start at `now`, else from when on, and which limit says so."""
        opening = self._opening(now)
        if self.closed_until > opening.at:
            opening = WaitUntil(self.closed_until, None)
        return opening if opening.at > now else None

    def next_at(self, now: float) -> float:
        """Return the earliest time from `now` on at which a call may start, as things stand.
        Infinite when every permit is in flight, so that only an answer can open the gate."""
        wait = self.check(now)
        return wait.at if wait else now

    def allowed(self, now: float) -> bool:
        """Return whether a call may start at `now`."""
        return self.check(now) is None

    def take_permit(self, now: float) -> None:
        """Take the permit of a call (or login, or probe). Raises RuntimeError without one."""
        if not self.allowed(now):
            raise RuntimeError("a call was about to leave without a permit")
        self._in_flight += 1
        self._opens = None

    def call_ended(self, at: float) -> None:
        """Record that a call in flight ended at `at`: after a timeout its end plus a grace, a
        future time. Raises RuntimeError when nothing is in flight."""
        if not self._in_flight:
            raise RuntimeError("an answer came to no call")
        self._in_flight -= 1
        self.count_calls(at)

    def close_until(self, when: float) -> None:
        """Close the gate until `when` after a 429. An earlier time changes nothing."""
        self.closed_until = max(self.closed_until, when)

    def permits(self, now: float) -> tuple[float, ...]:
        """Return the calls still possible per limit, in the limits' order: fractional, ≥ 0."""
        return tuple(
            max(0.0, gate.calls - self._in_flight - gate.used(self._stamps, now))
            for gate in self._gates
        )

    def share_left(self, now: float) -> float:
        """Return the smallest remaining share of our calls, 0 to 1; 1 without limits."""
        permits = zip(self.permits(now), self.calls, strict=True)
        return min((possible / calls for possible, calls in permits), default=1.0)

    def stamps(self, now: float) -> list[float]:
        """Return the stamps that still matter, oldest first, for the checkpoint, which names the
        calls in flight itself."""
        return self._stamps[bisect_left(self._stamps, now - self.log_reach) :]

    def _opening(self, now: float) -> WaitUntil:
        """Return when all limits permit a call, and the last of them to do so; cached."""
        if self._opens is None:
            del self._stamps[: bisect_left(self._stamps, now - self.log_reach)]
            self._opens = max(
                (gate.opens(self._stamps, self._in_flight, now) for gate in self._gates),
                key=lambda wait: wait.at,
                default=WaitUntil(-math.inf, None),
            )
        return self._opens


def _fill(cells: Cells, former: Sequence[_Gate], stamps: Iterable[float]) -> None:
    """Fill cells with former limits' stamps, and beyond these with their cells, the finest first. A
    cell that lies across the border counts, though stamps may have its calls already."""
    known = sorted((gate.cells for gate in former if gate.cells), key=lambda former: former.period)
    for counted in known:
        if counted.period == cells.period:
            cells.take_over(counted)
            return
    border = math.inf
    for at in stamps:
        border = min(border, at)
        cells.add(at)
    for counted in known:
        oldest = border
        for begin, end, count in counted.calls():
            if begin < border:
                cells.add(end, count)
                oldest = min(oldest, begin)
        border = oldest


def _opens(stamps: Sequence[float], spare: int, period: float, now: float) -> float:
    """Return from when on one limit permits a call (if before `now`: any such time). `spare` is the
    limit's calls less the calls in flight; `stamps` are sorted."""
    if spare <= 0:
        return math.inf
    newest = len(stamps) - spare  # the k of the module's text
    if newest < 0:
        return -math.inf
    gone = newest + 1
    latest = stamps[newest] + period
    # No alignment shuts the gate for longer than a period, so those before this cannot matter.
    since = max(latest, now) - period
    for j in range(max(gone, bisect_right(stamps, since)), len(stamps)):
        phi = stamps[j]
        i = bisect_left(stamps, phi - period, 0, gone)
        if i == gone:
            break
        latest = max(latest, phi + period * (gone - i) / (j - i))
    for i in range(bisect_right(stamps, since - period, 0, gone), gone):
        phi = stamps[i] + period
        j = bisect_left(stamps, phi, gone)
        latest = max(latest, phi + period * (gone - i) / (j - i))
    return latest + EPSILON


def _used(stamps: Sequence[float], period: float, now: float) -> float:
    """Return what the worst counter of one limit holds at `now`: the gate's left side without calls
    in flight."""
    oldest = bisect_right(stamps, now - 2 * period)
    older = bisect_left(stamps, now - period, oldest)
    recent = bisect_right(stamps, now, older)
    total = len(stamps)
    worst = float(total - older)
    for j in range(older, recent):
        weight = 1 - (now - stamps[j]) / period
        i = bisect_left(stamps, stamps[j] - period, oldest, j)
        worst = max(worst, (j - i) * weight + total - j)
    for i in range(oldest, older):
        j = bisect_left(stamps, stamps[i] + period, older)
        weight = 1 - (now - stamps[i] - period) / period
        worst = max(worst, (j - i) * weight + total - j)
    return worst
