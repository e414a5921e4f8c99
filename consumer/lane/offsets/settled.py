"""Settled offsets of a lane's topic: acknowledgement out of order, and deduplication.

Windows of many campaigns settle in parallel, so the settled offsets have holes; transaction
markers take offsets that are never delivered, so offsets are not dense. The ledger therefore
goes by delivered records: an offset that was passed over in reading holds no record of ours and
needs nothing more, like a settled one. `base` is the oldest offset that needs something.
"""

from __future__ import annotations

from collections.abc import Iterable

from consumer.lane.offsets.bitmap import OffsetBitmap
from consumer.lane.offsets.bounds import (
    DONE_BYTES,
    DONE_REACH,
)


class SettledOffsets:
    """Settled offsets of one partition from `base` on, and where the next new record is read.

    `done` is what a former owner's `packed` returned at this base. Raises ValueError for text that
    is none.
    """

    def __init__(self, base: int, done: str | None = None) -> None:
        self.base = base
        """Every offset below is settled."""
        self.frontier = base
        """Where the next record is read that was never read by this owner."""
        self._done = OffsetBitmap(base, done)
        self._packed_bytes = len(done or "")

    @property
    def span(self) -> int:
        """How far the ledger reaches from `base` to the newest delivered record."""
        return self.frontier - self.base

    @property
    def settled_in_all(self) -> int:
        """How many offsets are settled: those below `base`, and those above it."""
        return self.base + self._done.count_from(self.base)

    def deliver(self, offset: int) -> bool:
        """A record was read: True if it is new, False if it is settled or was seen already."""
        if offset < self.frontier:
            return False
        self.end_of_log(offset)
        self.frontier = offset + 1
        if offset in self._done:
            self._advance()
            return False
        return True

    def end_of_log(self, offset: int) -> None:
        """Nothing more is there before `offset`: offsets up to it hold no records of ours."""
        if offset > self.frontier:
            for hole in range(self.frontier, offset):
                self._done.add(hole)
            self.frontier = offset
            self._advance()

    def settle(self, offset: int) -> None:
        """A delivered record has its result."""
        self._done.add(offset)
        self._advance()

    def settle_all(self, offsets: Iterable[int]) -> None:
        """Delivered records have their results."""
        for offset in offsets:
            self._done.add(offset)
        self._advance()

    def settled(self, offset: int) -> bool:
        """Whether a record needs nothing more; every offset below `base` counts as settled."""
        return offset < self.base or offset in self._done

    def next_open(self, offset: int) -> int:
        """The first offset from this one on that is not known to be settled."""
        return self._done.absent_from(max(offset, self.base))

    def packed(self) -> str:
        """The settled offsets from `base` on, for the checkpoint."""
        packed = self._done.packed(self.base)
        self._packed_bytes = len(packed)
        return packed

    @property
    def at_bound(self) -> bool:
        """Whether no checkpoint could tell of much more: nothing new may be read."""
        return self._packed_bytes > DONE_BYTES or self.span > DONE_REACH

    def _advance(self) -> None:
        self.base = min(self._done.absent_from(self.base), self.frontier)
