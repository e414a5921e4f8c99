"""Backpressure of a lane: it reads new records, spilled ones once more, or nothing.

Memory holds a bounded part of a backlog. Invitations beyond it are *spilled*: only the log keeps
them, and a pass over the log reloads them when there is room. A pass is bounded, and new records
are read between two passes, so that a flood of one campaign hides no other's invitations for long.

    FRONTIER ──(a campaign to reload)──► AGAIN ──(pass ends, or reaches the frontier)──► FRONTIER
    FRONTIER or AGAIN ──(bounds reached)──► STOPPED ──(room again)──► FRONTIER or AGAIN

Invariants: a spilled offset is not settled, lies below the frontier, and is not in memory. An
offset at the frontier or above was never read. Cost: a bit for each spilled offset, and a pass
reads at most `PASS_OFFSETS` records.
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
from consumer.lane.state.commands import Command, Pause, Resume, Seek

PASS_OFFSETS = 50_000
"""Offsets that a pass reads at most before new records have their turn: a third of a second."""

SKIP_AT_LEAST = 20_000
"""Settled offsets in a row that are worth a seek, which costs about as much as reading them."""


class Mode(Enum):
    """What is being read."""

    FRONTIER = "new records"
    AGAIN = "spilled ones"
    STOPPED = "nothing"


@dataclass(slots=True)
class ReadPlan:
    """The reader's position in the log.

    The executor of its `Seek`s must ask `accepts` for every record that comes, in order. Between a
    seek and its first record, the client may still deliver what it fetched before. Such a record,
    taken for new, would settle all offsets before it unread. So a seek goes to a record that surely
    exists, and all others are ignored until that one comes.
    """

    settled: SettledOffsets
    mode: Mode = Mode.FRONTIER
    counts: Counter[str] = field(default_factory=Counter)
    """Campaign → number of its spilled invitations."""
    spilled: int = 0
    """Number of spilled invitations: the sum of `counts`, which may have many campaigns."""
    _spilled: OffsetBitmap = field(init=False)
    _firsts: dict[str, int] = field(default_factory=dict)
    _position: int = 0
    _from: int = 0
    _until: int = 0
    _last: int = -1
    _expected: int | None = None
    _stale_from: float = 0
    """Records from here on may be from before the seek (infinite: none is)."""
    _fresh: bool = True
    _full: bool = False
    _skipped: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._spilled = OffsetBitmap(self.settled.base)

    def accepts(self, offset: int) -> bool:
        """Return whether a record is worth parsing. Raises KafkaSessionError after a gap."""
        if self._expected is not None and not self._recognises(offset):
            return False
        self._position = offset + 1
        settled = self.settled
        if offset < settled.frontier:
            return offset in self._spilled
        if self.mode is Mode.FRONTIER:
            self._fresh = True
        elif self._closed:  # it is read again, from the last new record on
            return False
        else:
            self._reaches_frontier()
        self._last = offset
        if settled.settled_before(offset):
            settled.deliver(offset)
            return False
        return True

    def at_end(self, offset: int) -> None:
        """Record that the log ends before `offset`. Call it after the records of the same poll."""
        if self._expected is not None:  # it is from before the seek
            return
        self._position = max(self._position, offset)
        if not self._closed:
            self._reaches_frontier()
            self.settled.end_of_log(offset)

    @property
    def _closed(self) -> bool:
        """Whether new records are ignored because no more may be spilled."""
        return self.mode is Mode.STOPPED or (self.mode is Mode.AGAIN and self._full)

    def is_spilled(self, offset: int) -> bool:
        """Return whether this offset is spilled."""
        return offset in self._spilled

    def spill(self, offset: int, campaign: str) -> None:
        """Spill an offset: there is no room for its invitation."""
        self._spilled.add(offset)
        self.counts[campaign] += 1
        self.spilled += 1
        self._firsts[campaign] = min(offset, self._firsts.get(campaign, offset))
        self.leave_behind(campaign)

    def leave_behind(self, campaign: str) -> None:
        """Record that the pass left a spilled invitation of this campaign behind."""
        self._skipped.add(campaign)

    def unspill(self, offset: int, campaign: str) -> None:
        """Remove a spilled offset that was read again."""
        self._spilled.discard(offset)
        self.counts[campaign] -= 1
        self.spilled -= 1
        if not self.counts[campaign]:
            del self.counts[campaign], self._firsts[campaign]

    def steer(self, to_reload: Collection[str], *, stop: bool) -> list[Command]:
        """Return what to read next. `to_reload`: campaigns with room for spilled invitations."""
        self._spilled.trim(self.settled.base)
        self._full = stop
        if self.mode is Mode.AGAIN:
            ahead = any(self._firsts[campaign] < self._until for campaign in to_reload)
            if ahead and self._position < self._until:
                return []
            self._advance_firsts()
            return self._stop_reading() if stop else self._read_frontier()
        if to_reload and (self._fresh or stop):
            return self._begin_pass(min(self._firsts[campaign] for campaign in to_reload))
        if stop:
            return [] if self.mode is Mode.STOPPED else self._stop_reading()
        return self._skip_settled() if self.mode is Mode.FRONTIER else self._read_frontier()

    def _begin_pass(self, first: int) -> list[Command]:
        self._from = first  # nothing is spilled between this and the sought record
        first = self._spilled.present_from(first)
        commands = self._seek(first)
        self.mode = Mode.AGAIN
        self._position = first
        self._until = min(first + PASS_OFFSETS, self.settled.frontier)
        self._skipped.clear()
        return commands

    def _advance_firsts(self) -> None:
        """Advance the first spilled offset of campaigns of which the pass left nothing behind."""
        for campaign, first in self._firsts.items():
            if campaign not in self._skipped and self._from <= first:
                self._firsts[campaign] = max(first, self._position)

    def _reaches_frontier(self) -> None:
        """End a pass that meets new records: they need no seek."""
        if self.mode is Mode.AGAIN:
            self._advance_firsts()
        self.mode, self._fresh = Mode.FRONTIER, True

    def _stop_reading(self) -> list[Command]:
        self.mode = Mode.STOPPED
        return [Pause()]

    def _read_frontier(self) -> list[Command]:
        commands = self._seek(self._last)
        self.mode, self._fresh = Mode.FRONTIER, False
        return commands

    def _seek(self, record: int) -> list[Command]:
        if self._expected is not None:  # the client's position is unknown
            self._stale_from = 0
        else:
            self._stale_from = self._position if self._position > record else math.inf
        self._expected = record
        return [*([Resume()] if self.mode is Mode.STOPPED else []), Seek(record)]

    def _recognises(self, offset: int) -> bool:
        """Return whether this is the sought record. A later one cannot come before it, unless the
        client was further on: then it continues from there for a while."""
        if self._expected is not None and self._expected < offset < self._stale_from:
            raise KafkaSessionError(f"expected offset {self._expected} after a seek, not {offset}")
        if offset == self._expected:
            self._expected = None
        return self._expected is None

    def _skip_settled(self) -> list[Command]:
        """Seek past a long run of offsets that a previous owner settled."""
        target = self.settled.next_open(self.settled.frontier)
        if self._expected is not None or target - self.settled.frontier < SKIP_AT_LEAST:
            return []
        self.settled.end_of_log(target)
        return [Seek(target)]
