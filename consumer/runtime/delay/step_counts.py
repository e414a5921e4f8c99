"""How many records wait on each step of the delay topics.

A step that waits is paused, and its consumer reads nothing of it; offsets alone would count the
markers of transactions, of which there may be more than records. So a reader beside the loop notes
which offsets hold records, each once, some at a time. What it has not come to yet is taken to be as
dense as what it has.

One thread reads, another asks: both under one lock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from consumer.lane.offsets.bitmap import OffsetBitmap


@dataclass(slots=True)
class _Known:
    """The records of a topic from `since` to before `until`."""

    since: int
    until: int
    records: OffsetBitmap

    @classmethod
    def begun(cls, at: int) -> _Known:
        return cls(at, at, OffsetBitmap(at))


@dataclass(slots=True)
class StepCounts:
    """Topic → the offsets of its records, as far as they were read."""

    _known: dict[str, _Known] = field(default_factory=dict)
    _wanted: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def waiting(self, topic: str, at: int, end: int) -> int:
        """Records from `at` on and before `end`; the reader is asked to come so far."""
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
        """Topic → where to read on."""
        with self._lock:
            found = {}
            for topic, at in self._wanted.items():
                known = self._known.get(topic)
                if known is None or not known.since <= at <= known.until:
                    known = self._known[topic] = _Known.begun(at)
                found[topic] = known.until
            return found

    def read(self, topic: str, records: list[int], until: int) -> None:
        """Below `until`, these offsets hold records, and no others from where it was wanted."""
        with self._lock:
            known = self._known.get(topic)
            if known is not None and until > known.until:
                for offset in records:
                    if offset >= known.until:
                        known.records.add(offset)
                known.until = until

    def clear(self) -> None:
        """The steps are another process's now."""
        with self._lock:
            self._known.clear()
            self._wanted.clear()
