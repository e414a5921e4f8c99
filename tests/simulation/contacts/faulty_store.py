"""A contact store that is down for a while, loses answers, forgets, and has a second writer."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence

from consumer.contacts.memory import MemoryStore, Snapshot
from consumer.contacts.store import StoreReading
from consumer.errors import StoreUnavailable

GRACE = 10.0
"""Seconds that a seal is good for, as in Valkey's store."""

ANSWERS_LOST = 0.02
SECOND_WRITER = 0.1


class FaultyStore(MemoryStore):
    """`meanwhile` is what another process does between a read and the write that follows, now and
    then; `each_time`, at every write."""

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        super().__init__(clock, GRACE)
        self.down_until = 0.0
        self.loses_answers = True
        self.meanwhile: Callable[[Collection[str]], None] = lambda _keys: None
        self.each_time: Callable[[Collection[str]], None] = lambda _keys: None
        self._rng = rng
        self._interrupted = False
        self._snapshots: list[Snapshot] = []

    def read(self, keys: Sequence[str]) -> StoreReading:
        """See `ContactStore`."""
        self._check()
        return super().read(keys)

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        """See `ContactStore`; a write whose answer is lost was carried out."""
        self._check()
        if not self._interrupted:
            self._interrupted = True
            self.each_time(values)
            if self._rng.random() < SECOND_WRITER:
                self.meanwhile(values)
            self._interrupted = False
        done = super().write(generation, versions, values)
        if self.loses_answers and self._rng.random() < ANSWERS_LOST:
            raise StoreUnavailable("the answer was lost")
        return done

    def keep_snapshot(self) -> None:
        """Keep what is there now: the store may fall back to it."""
        self._snapshots.append(self.snapshot())

    def restart(self) -> str:
        """Begin another generation with everything, with a snapshot, or with nothing."""
        how = self._rng.choice(["whole", "snapshot", "snapshot", "empty"])
        if how == "snapshot" and self._snapshots:
            self.restore(self._rng.choice(self._snapshots))
        elif how == "empty":
            self.wipe()
            self._snapshots.clear()
        else:
            self.restore(self.snapshot())
        return how

    def _check(self) -> None:
        if self._clock() < self.down_until:
            raise StoreUnavailable("the store is down")
