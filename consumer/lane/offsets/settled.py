"""Settled offsets of a lane's topic: acknowledgement out of order, and deduplication.

Windows of many campaigns settle in parallel, so the settled offsets have holes. Transaction markers
take offsets that are never delivered, so offsets are not dense. Hence only delivered records count:
an offset that reading skipped holds no record of ours and counts as settled.

    … settled │ settled and open ones │ not read yet …
             base                  frontier

Invariants: `base` is the oldest open offset, or the frontier if none is open; base ≤ frontier; both
only grow. Cost: a bit for each offset from `base` on; settling one is O(1) beside the run of
settled offsets that `base` then passes.
"""

from __future__ import annotations

from collections.abc import Iterable

from consumer.lane.offsets.bitmap import DONE_BYTES, DONE_REACH, OffsetBitmap


class SettledOffsets:
    """Settled offsets of one partition from `base` on, and where the next new record is read.
    `done` is a previous owner's `packed` at this base. Raises ValueError for other text."""

    def __init__(self, base: int, done: str | None = None) -> None:
        self.base = base
        """Every offset below is settled."""
        self.frontier = base
        """Next offset that this owner has not read yet."""
        self._done = OffsetBitmap(base, done)
        self._restored_end = self._done.end
        self._packed_bytes = len(done or "")

    @property
    def span(self) -> int:
        """Offsets from `base` to the newest delivered record."""
        return self.frontier - self.base

    @property
    def settled_in_all(self) -> int:
        """Number of settled offsets: all below `base`, and the ones above it."""
        return self.base + self._done.count_from(self.base)

    def deliver(self, offset: int) -> bool:
        """Record that a record was read. Return False if it is settled or was read before."""
        if offset < self.frontier:
            return False
        if offset > self.frontier:
            self.end_of_log(offset)
        self.frontier = offset + 1
        if self.settled_before(offset):
            self._advance()
            return False
        return True

    def end_of_log(self, offset: int) -> None:
        """Advance the frontier to `offset`: offsets before it hold no further records of ours."""
        if offset > self.frontier:
            for hole in range(self.frontier, offset):
                self._done.add(hole)
            self.frontier = offset
            self._advance()

    def settle(self, offset: int) -> None:
        """Settle a delivered record."""
        self._done.add(offset)
        self._advance()

    def settle_all(self, offsets: Iterable[int]) -> None:
        """Settle delivered records."""
        self._done.add_all(offsets)
        self._advance()

    def settled_before(self, offset: int) -> bool:
        """Return whether a previous owner settled an offset at or behind the frontier."""
        return offset < self._restored_end and offset in self._done

    def settled(self, offset: int) -> bool:
        """Return whether an offset is settled; every offset below `base` is."""
        return offset < self.base or offset in self._done

    def next_open(self, offset: int) -> int:
        """Return the first offset from this one on that is not known to be settled."""
        return self._done.absent_from(max(offset, self.base))

    def packed(self) -> str:
        """Pack the settled offsets from `base` on for the checkpoint."""
        packed = self._done.packed(self.base)
        self._packed_bytes = len(packed)
        return packed

    @property
    def at_bound(self) -> bool:
        """Whether the checkpoint's bound is reached: nothing new may be read."""
        return self._packed_bytes > DONE_BYTES or self.span > DONE_REACH

    def _advance(self) -> None:
        self.base = min(self._done.absent_from(self.base), self.frontier)
