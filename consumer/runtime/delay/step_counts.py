"""Counts the records that wait on each step of the delay topics.

The delay stage does not read a paused step, and a difference of offsets would include transaction
markers, of which there may be more than records. So a reader in another thread records which
offsets hold records, each once, some at a time. Offsets not read yet are assumed to be as dense as
the offsets already read.

One thread reads, another asks; one lock guards both.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from consumer.lane.offsets.bitmap import OffsetBitmap


@dataclass(slots=True)
class _Known:
    """Records of a topic from offset `since` up to `until` (exclusive)."""

    since: int
    until: int
    records: OffsetBitmap

    @classmethod
    def begun(cls, at: int) -> _Known:
        return cls(at, at, OffsetBitmap(at))


@dataclass(slots=True)
class StepCounts:
    """Offsets of the records of each topic, as far as they were read."""

    _known: dict[str, _Known] = field(default_factory=dict)
    _wanted: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def waiting(self, topic: str, at: int, end: int) -> int:
        """Return the number of records from `at` up to `end` (exclusive), estimated where unread.

        Asks the reader to read on from `at`.
        """
        with self._lock:
            self._wanted[topic] = at
            known = self._known.get(topic)
            if known is None or not known.since <= at <= known.until:
                return max(0, end - at)
            known.records.trim(at)
            known.since = max(known.since, at)
            here = known.records.count_from(at) if known.until > at else 0
            left, read = max(0, end - known.until), known.until - at
            return here + (round(here * left / read) if read else left)

    def wanted(self) -> dict[str, int]:
        """Return topic → offset to read on from."""
        with self._lock:
            found = {}
            for topic, at in self._wanted.items():
                known = self._known.get(topic)
                if known is None or not known.since <= at <= known.until:
                    known = self._known[topic] = _Known.begun(at)
                found[topic] = known.until
            return found

    def read(self, topic: str, records: list[int], until: int) -> None:
        """Record the only offsets with records from the wanted offset up to `until` (exclusive)."""
        with self._lock:
            known = self._known.get(topic)
            if known is not None and until > known.until:
                for offset in records:
                    if offset >= known.until:
                        known.records.add(offset)
                known.until = until

    def clear(self) -> None:
        """Forget all counts, at the start of a membership."""
        with self._lock:
            self._known.clear()
            self._wanted.clear()
