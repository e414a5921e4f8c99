"""Counts the invitations that wait on each step of the delay topics, by campaign.

The delay stage does not read a paused step, and a difference of offsets would include transaction
markers, of which there may be more than records. So a reader in another thread records which
offsets hold records, and of which campaign, each once, some at a time. Offsets not read yet are
assumed to be like the offsets already read.

Cost: two bytes for each offset of a step, and a step for each record that is read or passed.
One thread reads, another asks; one lock guards both.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

NO_RECORD, UNNAMED = 0, 1
"""Codes of an offset without a record, and of a record whose campaign has no code."""

MOST_NAMES = 10_000
"""Names that get a code: they are from records, which a foreign producer may have written."""


@dataclass(slots=True)
class _Known:
    """Records of a topic from offset `since` up to `until` (exclusive): the code of each offset's
    campaign, and the numbers by code."""

    since: int
    until: int
    codes: array[int] = field(default_factory=lambda: array("H"))
    numbers: Counter[int] = field(default_factory=Counter)

    def covers(self, at: int) -> bool:
        return self.since <= at <= self.until

    def trim(self, at: int) -> None:
        """Forget the offsets below."""
        passed = self.codes[: at - self.since]
        if passed:
            self.numbers.subtract(passed)
            del self.codes[: len(passed)]
            self.since = at

    def extend(self, codes: Mapping[int, int], until: int) -> None:
        """Record the only offsets with records from `self.until` up to `until`."""
        more = array("H", bytes(2 * (until - self.until)))
        for offset, code in codes.items():
            more[offset - self.until] = code
        self.codes += more
        self.numbers.update(more)
        self.until = until


@dataclass(slots=True)
class StepCounts:
    """Offsets and campaigns of the records of each topic, as far as they were read."""

    _known: dict[str, _Known] = field(default_factory=dict)
    _wanted: dict[str, int] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def waiting(self, topic: str, at: int, end: int) -> Counter[str]:
        """Return campaign → number of records from `at` up to `end` (exclusive), estimated where
        unread; the empty name stands for unknown ones. Asks the reader to read on from `at`."""
        with self._lock:
            self._wanted[topic] = at
            known = self._known.get(topic)
            if known is None or not known.covers(at):
                return Counter({"": max(0, end - at)})
            known.trim(at)
            left, read = max(0, end - known.until), known.until - at
            if not read:
                return Counter({"": left})
            whole = 1 + left / read
            names = {code: name for name, code in self._names.items()}
            numbers = Counter[str]()
            for code, number in known.numbers.items():
                if code != NO_RECORD and number:
                    numbers[names.get(code, "")] += round(number * whole)
            return numbers

    def wanted(self) -> dict[str, int]:
        """Return topic → offset to read on from."""
        with self._lock:
            found = {}
            for topic, at in self._wanted.items():
                known = self._known.get(topic)
                if known is None or not known.covers(at):
                    known = self._known[topic] = _Known(at, at)
                found[topic] = known.until
            return found

    def read(self, topic: str, records: Iterable[tuple[int, str]], until: int) -> None:
        """Record offset and campaign of the only records from the wanted offset up to `until`
        (exclusive)."""
        with self._lock:
            known = self._known.get(topic)
            if known is not None and until > known.until:
                codes = {at: self._code(name) for at, name in records if at >= known.until}
                known.extend(codes, until)

    def clear(self) -> None:
        """Forget all counts, at the start of a membership."""
        with self._lock:
            self._known.clear()
            self._wanted.clear()
            self._names.clear()

    def _code(self, name: str) -> int:
        if name not in self._names and len(self._names) < MOST_NAMES:
            self._names[name] = UNNAMED + 1 + len(self._names)
        return self._names.get(name, UNNAMED)
