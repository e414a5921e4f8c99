"""Due index: a priority queue of windows; with 10,000 campaigns hardly any is due at a time.

Due times. While a window is unchanged and the price does not fall, its due time is a bound that is
computed once (`Scheduler.due`). Each vendor account keeps a heap of its windows by due time.
Changed windows are recomputed.

Price levels. A due time is computed for a *level* of the price (steps of a twentieth). When the
price falls below that level, the window is recomputed. That concerns few windows: the price rises
with each permit that is spent and falls back the same way.

Invariant: each ready window of a callable campaign has exactly one entry that is not stale, in
`later` or in `due`. Cost: O(log n) for a change, and a step for each candidate examined.

Ranks. Windows whose due time has come are in a second heap, by the rank that they will have some
seconds ahead. An unchanged window's rank never falls, so this is an upper bound: the search stops
at the first due window that reaches the bounds of all remaining ones.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.lane.buffer.window import Window
from consumer.lane.dispatch.scheduler import Scheduler

Entry = tuple[float, int, Window]
"""(sort key in its heap, number of the computation, window)."""

STEP = math.log(1.05)

AHEAD = 0.05
"""Seconds: windows that may be due so soon are examined, too. A level's due time is only a bound,
and waking for each of them would cost more."""

RANKED_AHEAD = 0.1
"""Share of the longest wait for which ranks are computed ahead, as a bound (1 to 60 s). After that
all windows are ranked again. A shorter time ranks more often; a longer one examines more windows
with close bounds."""

STALE = 1_000
"""Stale entries, beyond one for each window, that a heap may hold before it is compacted."""


@dataclass(slots=True)
class _Account:
    """Heaps of one vendor account.

    `later`: windows by due time, if it is ahead. `due`: windows whose due time has come, by the
    rank that they will have at `ranked_for` (computed at `ranked_at`), the highest first. `ends`:
    the same windows by the end of their `max_wait`.
    """

    later: list[Entry] = field(default_factory=list)
    due: list[Entry] = field(default_factory=list)
    ends: list[Entry] = field(default_factory=list)
    ranked_at: float = -math.inf
    ranked_for: float = -math.inf


class _Computation(NamedTuple):
    """Number of a window's last computation, and the price level that it was for."""

    number: int
    level: int


class DueIndex:
    """Index of a lane's windows. `vendor_of` returns None for a campaign that is never called."""

    def __init__(self, scheduler: Scheduler, vendor_of: Callable[[str], str | None]) -> None:
        self._scheduler = scheduler
        self._vendor_of = vendor_of
        self._accounts: dict[str, _Account] = defaultdict(_Account)
        self._computed: dict[str, _Computation] = {}
        self._levels: dict[int, dict[str, Window]] = defaultdict(dict)
        self._numbers = itertools.count()
        self._price = self._floor = 1.0
        self._level, self._ahead = 0, 0.0
        self._soon = math.inf
        self._asked: Collection[str] = ()

    @property
    def vendors(self) -> Collection[str]:
        """Accounts that have, or had, windows."""
        return self._accounts.keys()

    @property
    def next_at(self) -> float:
        """When a further window of the last asked accounts may be due, if nothing changes."""
        heaps = (self._accounts[vendor].later for vendor in self._asked)
        return min([self._soon, *(later[0][0] for later in heaps if later)])

    def update(self, price: float, changed: Collection[Window]) -> None:
        """Set the price, and recompute windows that changed or may go earlier. Call it first."""
        self._price, self._level = price, math.floor(math.log(price) / STEP)
        self._floor = math.exp(self._level * STEP)
        self._ahead = AHEAD if price > self._floor else 0.0
        for window in changed:
            self._compute_due_time(window)
        for level in [level for level in self._levels if level > self._level]:
            for window in self._levels.pop(level).values():
                self._compute_due_time(window)

    def candidates(
        self, usable: Collection[str], able: Callable[[Window], bool], now: float
    ) -> list[Window]:
        """Return these accounts' windows that are `able` to go and that the scheduler must see."""
        self._asked, self._soon = usable, math.inf
        found = list[Window]()
        for vendor in usable:
            account = self._accounts[vendor]
            self._merge_due(account, now)
            found += self._highest(account, able, now)
            found += self._overdue(account, able, now)
        return found

    def _compute_due_time(self, window: Window) -> None:
        """Compute a window's due time, and put it into its account's heap."""
        name = window.campaign
        known = self._computed.pop(name, None)
        vendor = self._vendor_of(name)
        if known is not None and known.level in self._levels:
            self._levels[known.level].pop(name, None)
        if vendor is None or not window.ready:
            return
        self._put(self._accounts[vendor], window, self._due_at_level(window))

    def _due_at_level(self, window: Window) -> float:
        return self._scheduler.due(window, self._floor)

    def _put(self, account: _Account, window: Window, due: float) -> None:
        number = next(self._numbers)
        self._computed[window.campaign] = _Computation(number, self._level)
        self._levels[self._level][window.campaign] = window
        self._push(account.later, (due, number, window))

    def _push(self, heap: list[Entry], entry: Entry) -> None:
        heapq.heappush(heap, entry)
        if len(heap) > 2 * len(self._computed) + STALE:
            heap[:] = [kept for kept in heap if not self._stale(kept)]
            heapq.heapify(heap)

    def _merge_due(self, account: _Account, now: float) -> None:
        """Move windows whose due time has come to the ranked heap."""
        if not account.ranked_at <= now <= account.ranked_for:
            self._rank(account, now)
        later = account.later
        while later and (later[0][0] <= now + self._ahead or self._stale(later[0])):
            _, number, window = entry = heapq.heappop(later)
            if not self._stale(entry):
                name = window.campaign  # a lower price makes no difference any more
                self._levels[self._computed[name].level].pop(name, None)
                rank = self._scheduler.rank(window, account.ranked_for)
                self._push(account.due, (-rank, number, window))
                self._push(account.ends, (window.oldest + window.max_wait, number, window))

    def _rank(self, account: _Account, now: float) -> None:
        fresh = [entry for entry in account.due if not self._stale(entry)]
        longest = now - min((window.oldest for _, _, window in fresh), default=now)
        until = now + min(60.0, max(1.0, RANKED_AHEAD * longest))
        rank = self._scheduler.rank
        account.due = [(-rank(window, until), number, window) for _, number, window in fresh]
        heapq.heapify(account.due)
        account.ranked_at, account.ranked_for = now, until

    def _highest(
        self, account: _Account, able: Callable[[Window], bool], now: float
    ) -> Iterator[Window]:
        """Yield due windows by their bounds, until no other can rank higher than one of them."""
        kept, highest = list[Entry](), -math.inf
        while account.due and -account.due[0][0] > highest:
            entry = heapq.heappop(account.due)
            window = entry[2]
            if self._stale(entry) or self._put_back(account, entry, now + self._ahead):
                continue
            kept.append(entry)
            due = self._scheduler.due(window, self._price) if able(window) else math.inf
            if due > now:
                self._soon = min(self._soon, due)
            else:
                yield window
                highest = max(highest, self._scheduler.rank(window, now))
        if not account.due:
            account.due = kept  # in order, that is a heap
            return
        for entry in kept:
            heapq.heappush(account.due, entry)

    def _put_back(self, account: _Account, entry: Entry, now: float) -> bool:
        """Return whether the window must wait again because the price rose. A window that was due
        at one level is due at all lower ones, until it changes."""
        _, number, window = entry
        if self._computed[window.campaign].level >= self._level:
            return False
        due = self._due_at_level(window)
        if due > now:
            self._put(account, window, due)
        else:
            self._computed[window.campaign] = _Computation(number, self._level)
        return due > now

    def _overdue(
        self, account: _Account, able: Callable[[Window], bool], now: float
    ) -> Iterator[Window]:
        """Yield the able window that waited longest beyond its `max_wait`."""
        kept = list[Entry]()
        while account.ends and account.ends[0][0] <= now:
            entry = heapq.heappop(account.ends)
            if self._stale(entry):
                continue
            kept.append(entry)
            window = entry[2]
            if able(window) and window.not_before <= now:
                yield window
                break
        for entry in kept:
            heapq.heappush(account.ends, entry)

    def _stale(self, entry: Entry) -> bool:
        known = self._computed.get(entry[2].campaign)
        return known is None or known.number != entry[1]
