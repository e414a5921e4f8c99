"""Backpressure of a lane: it reads new records, spilled ones once more, or nothing.

Memory holds a bounded part of a backlog. What is read beyond it is only *noted*: the log keeps
it, and a pass over the log picks it up when there is room. A pass is bounded, and new records are
read between two passes, so that a flood of one campaign hides no other's invitations for long.

    FRONTIER ──(room, and somebody hungry)──► AGAIN ──(its end, or full)──► FRONTIER
    FRONTIER ──(as much is noted as may be)──► STOPPED ──(less is)──► FRONTIER or AGAIN
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

from consumer.errors import KafkaSessionError
from consumer.lane.offsets.bitmap import OffsetBitmap
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.state.commands import (
    Command,
    Pause,
    Resume,
    Seek,
)

PASS_OFFSETS = 50_000
"""How far a pass reads at most before new records have their turn: a third of a second."""

SKIP_AT_LEAST = 20_000
"""Settled offsets in a row that are worth a seek, which costs about as much as reading them."""


class Mode(Enum):
    """What is being read."""

    FRONTIER = "new records"
    AGAIN = "noted ones"
    STOPPED = "nothing"


@dataclass(slots=True)
class ReadPlan:
    """The reader's place in the log.

    Whoever carries out its `Seek`s must ask `wants` for every record that comes, in order.
    Between a seek and its first record, what the client had fetched before may come: taken for
    new, it would make a hole of all that lies between. So a seek goes to a record that is surely
    there, and all is passed over until that one comes.
    """

    settled: SettledOffsets
    mode: Mode = Mode.FRONTIER
    counts: Counter[str] = field(default_factory=Counter)
    """Campaign → how many of its invitations are noted."""
    _spilled: OffsetBitmap = field(init=False)
    _firsts: dict[str, int] = field(default_factory=dict)
    _position: int = 0
    _from: int = 0
    _until: int = 0
    _last: int = -1
    _expected: int | None = None
    _stale_from: float = 0
    """Records from here on may be those of before the seek (if it is infinite: none is)."""
    _fresh: bool = True
    _full: bool = False
    _skipped: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._spilled = OffsetBitmap(self.settled.base)

    @property
    def spilled(self) -> int:
        """How many invitations are read, and kept by the log alone."""
        return self.counts.total()

    def accepts(self, offset: int) -> bool:
        """Whether a record is worth parsing. Raises KafkaSessionError if some before it were
        skipped."""
        if self._expected is not None and not self._recognises(offset):
            return False
        self._position = offset + 1
        if offset < self.settled.frontier:
            return offset in self._spilled
        if self._closed:  # it is read again from the last that was new
            return False
        self._reaches_frontier()
        self._last = offset
        if self.settled.settled(offset):  # by a former owner: nothing of it is looked at again
            self.settled.deliver(offset)
            return False
        return True

    def at_end(self, offset: int) -> None:
        """The log ends before `offset`; said after the records that came with it."""
        if self._expected is not None:  # it came before the seek
            return
        self._position = max(self._position, offset)
        if not self._closed:
            self._reaches_frontier()
            self.settled.end_of_log(offset)

    @property
    def _closed(self) -> bool:
        """Whether new records are passed over: no more may be noted."""
        return self.mode is Mode.STOPPED or (self.mode is Mode.AGAIN and self._full)

    def is_noted(self, offset: int) -> bool:
        """Whether this offset was noted, and not taken since."""
        return offset in self._spilled

    def note(self, offset: int, campaign: str) -> None:
        """There is no room for it: the log keeps it."""
        self._spilled.add(offset)
        self.counts[campaign] += 1
        self._firsts[campaign] = min(offset, self._firsts.get(campaign, offset))
        self.leave(campaign)

    def leave(self, campaign: str) -> None:
        """The pass leaves one of this campaign's behind."""
        self._skipped.add(campaign)

    def take(self, offset: int, campaign: str) -> None:
        """A noted one was read again, and is not noted any more."""
        self._spilled.discard(offset)
        self.counts[campaign] -= 1
        if not self.counts[campaign]:
            del self.counts[campaign], self._firsts[campaign]

    def steer(self, hungry: Collection[str], *, stop: bool) -> list[Command]:
        """What to read from now on. `hungry`: whose noted ones there is room for."""
        self._spilled.trim(self.settled.base)
        self._full = stop
        if self.mode is Mode.AGAIN:
            ahead = any(self._firsts[each] < self._until for each in hungry)
            if ahead and self._position < self._until:
                return []
            self._passed()
            return self._halt() if stop else self._go_on()
        if hungry and (self._fresh or stop):
            return self._pass(min(self._firsts[each] for each in hungry))
        if stop:
            return [] if self.mode is Mode.STOPPED else self._halt()
        return self._skip() if self.mode is Mode.FRONTIER else self._go_on()

    def _pass(self, first: int) -> list[Command]:
        self._from = first  # nothing is noted between this and the record that is sought
        first = self._spilled.present_from(first)
        commands = self._seek(first)
        self.mode = Mode.AGAIN
        self._position = first
        self._until = min(first + PASS_OFFSETS, self.settled.frontier)
        self._skipped.clear()
        return commands

    def _passed(self) -> None:
        """Of whom nothing was left behind, the next noted one lies further on."""
        for campaign, first in self._firsts.items():
            if campaign not in self._skipped and self._from <= first:
                self._firsts[campaign] = max(first, self._position)

    def _reaches_frontier(self) -> None:
        """A pass that meets new records is over, and need not seek them."""
        if self.mode is Mode.AGAIN:
            self._passed()
        self.mode, self._fresh = Mode.FRONTIER, True

    def _halt(self) -> list[Command]:
        self.mode = Mode.STOPPED
        return [Pause()]

    def _go_on(self) -> list[Command]:
        commands = self._seek(self._last)
        self.mode, self._fresh = Mode.FRONTIER, False
        return commands

    def _seek(self, record: int) -> list[Command]:
        if self._expected is not None:  # where the client is, nobody knows
            self._stale_from = 0
        else:
            self._stale_from = self._position if self._position > record else math.inf
        self._expected = record
        return [*([Resume()] if self.mode is Mode.STOPPED else []), Seek(record)]

    def _recognises(self, offset: int) -> bool:
        """Whether this is the record that was sought.

        One after it cannot come before it does, unless the client was further on: then it goes
        on from there for a while.
        """
        if self._expected is not None and self._expected < offset < self._stale_from:
            raise KafkaSessionError(f"expected offset {self._expected} after a seek, not {offset}")
        if offset == self._expected:
            self._expected = None
        return self._expected is None

    def _skip(self) -> list[Command]:
        """Past a long run of what a former owner settled."""
        target = self.settled.next_open(self.settled.frontier)
        if self._expected is not None or target - self.settled.frontier < SKIP_AT_LEAST:
            return []
        self.settled.end_of_log(target)
        return [Seek(target)]
