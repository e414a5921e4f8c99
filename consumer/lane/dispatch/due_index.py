"""Priority queue of due windows: with 10,000 campaigns hardly any is due at a time.

A window that does not change is not due before a time that can be told once (`Scheduler.due`), as
long as the price does not fall. So the windows of each vendor account lie in a heap by the time
told; those that changed are told anew. Each telling is for a *level* of the price (steps of a
twentieth); when the price falls below it, those that were told for higher levels are told anew:
few, for a price goes up with each permit that is spent and comes back the same way.

Those whose time has come lie by rank, told some seconds ahead: that of an unchanged window never
falls, so it is a bound, and nobody is looked at below the first that is due and has reached the
bounds of all others.
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
"""(what its heap is ordered by, the number of its telling, the window)."""

STEP = math.log(1.05)

AHEAD = 0.05
"""Seconds: who may be due so soon is looked at, too. A level is a bound, and waking for each of
them would cost more."""

RANKED_AHEAD = 0.1
"""Part of the longest wait for which ranks are told ahead, as a bound (1 to 60 s): then all are
ranked anew. Shorter costs the ranking, longer a look at many whose bounds lie close."""

STALE = 1_000
"""Entries told anew since, beyond as many as there are windows, that may lie in a heap."""


@dataclass(slots=True)
class _Account:
    """A vendor account's windows: those whose time will come, by that time; those whose has, the
    highest first, by the rank that they will have at `ranked_for` (told at `ranked_at`), and by the
    end of their `max_wait`."""

    later: list[Entry] = field(default_factory=list)
    come: list[Entry] = field(default_factory=list)
    ends: list[Entry] = field(default_factory=list)
    ranked_at: float = -math.inf
    ranked_for: float = -math.inf


class _Told(NamedTuple):
    """The number of what was told of a window last, and for which level of the price."""

    number: int
    level: int


class DueIndex:
    """The windows of a lane. `vendor_of` is None for a campaign that never calls."""

    def __init__(self, scheduler: Scheduler, vendor_of: Callable[[str], str | None]) -> None:
        self._scheduler = scheduler
        self._vendor_of = vendor_of
        self._accounts: dict[str, _Account] = defaultdict(_Account)
        self._told: dict[str, _Told] = {}
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
        """When somebody else of those who were asked for last may be due, if nothing changes."""
        heaps = (self._accounts[vendor].later for vendor in self._asked)
        return min([self._soon, *(later[0][0] for later in heaps if later)])

    def update(self, price: float, changed: Collection[Window]) -> None:
        """To be said before asking: the price, and every window that was added to, taken from, or
        may go earlier since."""
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
        """Of these accounts' windows that are `able` to go: all that the scheduler must see."""
        self._asked, self._soon = usable, math.inf
        found = list[Window]()
        for vendor in usable:
            account = self._accounts[vendor]
            self._merge_due(account, now)
            found += self._highest(account, able, now)
            found += self._overdue(account, able, now)
        return found

    def _compute_due_time(self, window: Window) -> None:
        """Put a window in its place."""
        name = window.campaign
        told = self._told.pop(name, None)
        vendor = self._vendor_of(name)
        if told is not None and told.level in self._levels:
            self._levels[told.level].pop(name, None)
        if vendor is None or not window.ready:
            return
        self._put(self._accounts[vendor], window, self._due_at_level(window))

    def _due_at_level(self, window: Window) -> float:
        return self._scheduler.due(window, self._floor)

    def _put(self, account: _Account, window: Window, due: float) -> None:
        number = next(self._numbers)
        self._told[window.campaign] = _Told(number, self._level)
        self._levels[self._level][window.campaign] = window
        self._push(account.later, (due, number, window))

    def _push(self, heap: list[Entry], entry: Entry) -> None:
        heapq.heappush(heap, entry)
        if len(heap) > 2 * len(self._told) + STALE:
            heap[:] = [each for each in heap if not self._stale(each)]
            heapq.heapify(heap)

    def _merge_due(self, account: _Account, now: float) -> None:
        """Those whose time comes join those whose has."""
        if not account.ranked_at <= now <= account.ranked_for:
            self._rank(account, now)
        later = account.later
        while later and (later[0][0] <= now + self._ahead or self._stale(later[0])):
            _, number, window = entry = heapq.heappop(later)
            if not self._stale(entry):
                name = window.campaign
                self._levels[self._told[name].level].pop(name, None)  # a lower price is no news
                rank = self._scheduler.rank(window, account.ranked_for)
                self._push(account.come, (-rank, number, window))
                self._push(account.ends, (window.oldest + window.max_wait, number, window))

    def _rank(self, account: _Account, now: float) -> None:
        known = [each for each in account.come if not self._stale(each)]
        longest = now - min((window.oldest for _, _, window in known), default=now)
        until = now + min(60.0, max(1.0, RANKED_AHEAD * longest))
        rank = self._scheduler.rank
        account.come = [(-rank(window, until), number, window) for _, number, window in known]
        heapq.heapify(account.come)
        account.ranked_at, account.ranked_for = now, until

    def _highest(
        self, account: _Account, able: Callable[[Window], bool], now: float
    ) -> Iterator[Window]:
        """Down to where nobody can rank higher than one that is due now."""
        kept, highest = list[Entry](), -math.inf
        while account.come and -account.come[0][0] > highest:
            entry = heapq.heappop(account.come)
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
        if not account.come:
            account.come = kept  # in order, that is a heap
            return
        for entry in kept:
            heapq.heappush(account.come, entry)

    def _put_back(self, account: _Account, entry: Entry, now: float) -> bool:
        """Whether it must wait again, for the price rose. Who was due at a level once is so at all
        lower ones, until the window changes."""
        _, number, window = entry
        if self._told[window.campaign].level >= self._level:
            return False
        due = self._due_at_level(window)
        if due > now:
            self._put(account, window, due)
        else:
            self._told[window.campaign] = _Told(number, self._level)
        return due > now

    def _overdue(
        self, account: _Account, able: Callable[[Window], bool], now: float
    ) -> Iterator[Window]:
        """Who waited longest beyond its `max_wait`."""
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
        told = self._told.get(entry[2].campaign)
        return told is None or told.number != entry[1]
