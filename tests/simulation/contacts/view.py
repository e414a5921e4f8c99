"""The view of results and contacts, as `ContactView` is, on the world's clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection

from consumer.contacts.book import ContactBook
from consumer.errors import OffsetsForgotten, StoreUnavailable
from consumer.policy.contacts.settling import Change
from consumer.runtime.contacts.state import ContactState

Place = tuple[str, int]

PLACES: tuple[Place, ...] = (("results", 0), ("results", 1), ("contacts", 0))


class SimView:
    """Reads logs of changes, each at its own pace, and begins again after a crash of its own."""

    def __init__(
        self,
        book: ContactBook,
        state: ContactState,
        lanes: Collection[str],
        rng: random.Random,
        now: Callable[[], float],
    ) -> None:
        self.logs: dict[Place, list[Change | None]] = {place: [] for place in PLACES}
        self.applied_at: dict[int, float] = {}
        """id of a change → when the store first had it; none if the view crashed before it knew."""
        self.restarts = 0
        self._busy = False
        self.stalls_until = 0.0
        """Until then the group shares out its partitions, and nothing is read."""
        self._book, self._state, self._lanes, self._rng, self._now = book, state, lanes, rng, now
        self._positions: dict[Place, int] | None = None
        self._pending: tuple[list[Change], dict[Place, int], dict[Place, int]] | None = None
        self._generation = ""
        self._ends: dict[Place, int] | None = None
        self._look_at = 0.0

    def write(self, place: Place, change: Change | None) -> None:
        """Append a record to a log."""
        self.logs[place].append(change)

    @property
    def at_end(self) -> bool:
        """Whether everything is read and the store grants."""
        positions = self._positions or {}
        read = all(positions.get(place, 0) >= len(log) for place, log in self.logs.items())
        recovery = self._state.recovery
        return read and self._pending is None and recovery is not None and recovery.phase == "ready"

    def crash(self) -> None:
        """End the membership; the next one begins where the store says."""
        self.restarts += 1
        self._positions = self._pending = self._ends = None
        self._generation = ""

    def turn(self) -> None:
        """Poll, settle, look."""
        if self._now() < self.stalls_until or self._busy:
            return
        self._busy = True
        try:
            if self._positions is None:
                known = self._book.offsets(PLACES)
                self._positions = {place: known.get(place, 0) for place in PLACES}
            self._settle()
            if self._now() >= self._look_at:
                self._look_at = self._now() + 1.0
                self._look()
        except OffsetsForgotten:
            self.crash()
        except StoreUnavailable:
            self._ends = None
        finally:
            self._busy = False

    def _settle(self) -> None:
        if self._pending is None:
            self._pending = self._poll()
        changes, begins, offsets = self._pending
        if offsets:
            self._book.settle(changes, offsets, begins)
            now = self._now()
            for change in changes:
                self.applied_at.setdefault(id(change), now)
            assert self._positions is not None
            self._positions.update(offsets)
        self._pending = None

    def _poll(self) -> tuple[list[Change], dict[Place, int], dict[Place, int]]:
        assert self._positions is not None
        changes, begins, offsets = list[Change](), dict[Place, int](), dict[Place, int]()
        places = list(PLACES)
        self._rng.shuffle(places)
        for place in places[: self._rng.randint(1, len(places))]:
            at = self._positions[place]
            found = self.logs[place][at : at + self._rng.randint(1, 20)]
            changes += [change for change in found if change is not None]
            begins[place], offsets[place] = at, at + len(found)
        return changes, begins, offsets

    def _look(self) -> None:
        recovery = self._book.recovery(self._lanes)
        self._state.looked(recovery)
        if self._generation not in {"", recovery.generation}:
            self.crash()
            return
        self._generation = recovery.generation
        if recovery.phase != "reading":
            self._ends = None
            return
        self._ends = self._ends or {place: len(log) for place, log in self.logs.items()}
        self._book.finish_recovery(self._lanes, self._ends)
