"""A contact store: a table in memory, for one sender; a real one would ask a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from threading import Lock
from typing import Any
from uuid import uuid4

from consumer import api


def open_table(
    options: Mapping[str, Any], application_id: str, now: Callable[[], float]
) -> AcmeTable:
    """Open the table. Raises ValueError for options, of which it has none."""
    if options:
        raise ValueError(f"unknown options: {', '.join(sorted(options))}")
    return AcmeTable(application_id, now)


class AcmeTable:
    """Versions and values by key."""

    grace = 0.0

    def __init__(self, application_id: str, now: Callable[[], float]) -> None:
        self.application_id = application_id
        self._now, self._lock, self._versions = now, Lock(), count(1)
        self.wipe()

    def read(self, keys: Sequence[str]) -> api.StoreReading:
        """Return what the table has under keys."""
        with self._lock:
            found = {key: self._rows[key] for key in keys if key in self._rows}
            return api.StoreReading(self._now(), self._generation, found)

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        """Write all or nothing."""
        with self._lock:
            there = {key: self._rows[key].version for key in versions if key in self._rows}
            if generation != self._generation or any(
                there.get(key, api.ABSENT) != version for key, version in versions.items()
            ):
                return False
            version = next(self._versions)
            for key, value in values.items():
                if value is None:
                    self._rows.pop(key, None)
                else:
                    self._rows[key] = api.StoredValue(version, value)
            return True

    def notes(self) -> Sequence[str]:
        """Return what an operator should know."""
        return ["the table is in memory: a restart rebuilds it from the results"]

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield keys that begin with a prefix."""
        yield from [key for key in self._rows if key.startswith(prefix)]

    def wipe(self) -> None:
        """Remove everything and begin another generation."""
        self._rows: dict[str, api.StoredValue] = {}
        self._generation = uuid4().hex

    def close(self) -> None:
        """Release nothing."""
