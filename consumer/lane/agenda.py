"""Which windows are worth a look: with 10,000 campaigns hardly any is due at a time.

A window that does not change is not due before a time that can be told once (`Scheduler.due`), as
long as the price does not fall. So the windows of each vendor account lie in a heap by the time
told; those whose time has come are looked at, those that changed are told anew. Each telling is
for a *level* of the price (steps of a twentieth); when the price falls below it, those that were
told for higher levels are told anew: few, for a price goes up with each permit that is spent and
comes back the same way.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

from consumer.lane.schedule import Scheduler
from consumer.lane.window import Window

Entry = tuple[float, int, Window]
"""(when it is due or since when it waits, the number of its telling, the window)."""

STEP = math.log(1.05)

AHEAD = 0.05
"""Seconds: who may be due so soon is looked at, too. A level is a bound, and waking for each of
them would cost more."""

STALE = 1_000
"""Entries told anew since, beyond as many as there are windows, that may lie in a heap."""


@dataclass(slots=True)
class _Account:
    """A vendor account's windows: those whose time will come, and by age those whose has."""

    later: list[Entry] = field(default_factory=list)
    come: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of a window last, and for which level of the price: of one whose time has come,
    the highest at which that is known."""

    number: int
    due: float
    since: float
    level: int


class Agenda:
    """The windows of a lane. `vendor_of` is None for a campaign that never calls."""

    def __init__(self, scheduler: Scheduler, vendor_of: Callable[[str], str | None]) -> None:
        self._scheduler = scheduler
        self._vendor_of = vendor_of
        self._accounts: dict[str, _Account] = defaultdict(_Account)
        self._told: dict[str, _Told] = {}
        self._levels: dict[int, dict[str, Window]] = defaultdict(dict)
        self._numbers = itertools.count()
        self._level = 0
        self._asked: Collection[str] = ()

    @property
    def vendors(self) -> Collection[str]:
        """Accounts that have, or had, windows."""
        return self._accounts.keys()

    @property
    def next_at(self) -> float:
        """When somebody else of those who were asked for last may be due, if nothing changes."""
        heaps = (self._accounts[vendor].later for vendor in self._asked)
        return min((later[0][0] for later in heaps if later), default=math.inf)

    def follow(self, price: float, changed: Collection[Window]) -> None:
        """To be said before asking: the price, and every window that was added to, taken from, or
        may go earlier since."""
        self._level = math.floor(math.log(price) / STEP)
        dear = [level for level in self._levels if level > self._level]
        for level in dear:
            for window in self._levels.pop(level).values():
                self._tell(window)
        for window in changed:
            self._tell(window)

    def offer(
        self, usable: Collection[str], able: Callable[[Window], bool], now: float
    ) -> Iterator[Window]:
        """Those of these accounts that may be due; of a scheduler that goes by age only the oldest
        of each account that is `able` to go."""
        self._asked = usable
        for vendor in usable:
            account = self._accounts[vendor]
            if self._scheduler.by_age:
                self._come(account, now)
                yield from self._oldest(account, able, now)
            else:
                self._come(account, now + AHEAD)
                yield from filter(able, self._due(account, now + AHEAD))

    def _tell(self, window: Window) -> None:
        """Put a window in its place, unless it is there."""
        name = window.campaign
        told = self._told.get(name)
        vendor = self._vendor_of(name)
        if told is not None:
            self._levels[told.level].pop(name, None)
        if vendor is None or not window.ready:
            self._told.pop(name, None)
            return
        price = math.exp(self._level * STEP)
        due, since = self._scheduler.due(window, price), window.oldest
        self._levels[self._level][name] = window
        if told is not None and (told.due, told.since) == (due, since):
            self._told[name] = _Told(told.number, due, since, self._level)
            return
        self._told[name] = _Told(next(self._numbers), due, since, self._level)
        self._push(self._accounts[vendor], (due, self._told[name].number, window))

    def _push(self, account: _Account, entry: Entry) -> None:
        heapq.heappush(account.later, entry)
        if len(account.later) > 2 * len(self._told) + STALE:
            account.later = [each for each in account.later if not self._stale(each)]
            heapq.heapify(account.later)

    def _come(self, account: _Account, now: float) -> None:
        later = account.later
        while later and (later[0][0] <= now or self._stale(later[0])):
            _, number, window = entry = heapq.heappop(later)
            if not self._stale(entry):
                name = window.campaign
                self._levels[self._told[name].level].pop(name, None)  # a lower price is no news
                heapq.heappush(account.come, (window.oldest, number, window))

    def _due(self, account: _Account, now: float) -> Iterator[Window]:
        """Who is due at the present level; the others are put back. Who was due at a level once is
        so at all lower ones, until the window changes."""
        price = math.exp(self._level * STEP)
        come, account.come = account.come, []
        for entry in come:
            name = entry[2].campaign
            told = self._told.get(name)
            if told is None or told.number != entry[1]:  # stale
                continue
            if told.level < self._level:
                due = self._scheduler.due(entry[2], price)
                if due > now:
                    self._put_back(account, entry, due)
                    continue
                self._told[name] = replace(told, level=self._level)
            account.come.append(entry)
            yield entry[2]

    def _put_back(self, account: _Account, entry: Entry, due: float) -> None:
        name, told = entry[2].campaign, self._told[entry[2].campaign]
        self._levels[told.level].pop(name, None)
        self._levels[self._level][name] = entry[2]
        self._told[name] = _Told(told.number, due, told.since, self._level)
        self._push(account, (due, told.number, entry[2]))

    def _oldest(
        self, account: _Account, able: Callable[[Window], bool], now: float
    ) -> Iterator[Window]:
        kept, found = list[Entry](), False
        while account.come and not found:
            entry = heapq.heappop(account.come)
            if self._stale(entry):
                continue
            if entry[2].not_before > now:  # a backoff began meanwhile
                self._push(account, (entry[2].not_before, entry[1], entry[2]))
                continue
            kept.append(entry)
            found = able(entry[2])
            if found:
                yield entry[2]
        for entry in kept:
            heapq.heappush(account.come, entry)

    def _stale(self, entry: Entry) -> bool:
        told = self._told.get(entry[2].campaign)
        return told is None or told.number != entry[1]
