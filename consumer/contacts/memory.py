"""Contact store in memory: for tests, the simulation and `simulate`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

from consumer.contacts.store import ABSENT, StoredValue, StoreReading

Snapshot = dict[str, StoredValue]


class MemoryStore:
    """A dict with versions. `snapshot` and `restore` let a test make it forget."""

    def __init__(self, clock: Callable[[], float], grace: float = 0.0) -> None:
        self.grace = grace
        self._clock = clock
        self._entries: Snapshot = {}
        self._versions = count(1)
        self._generations = count(1)
        self._generation = next(self._generations)
        self._lock = threading.Lock()

    def read(self, keys: Sequence[str]) -> StoreReading:
        """Return what is there of keys."""
        with self._lock:
            found = {key: self._entries[key] for key in keys if key in self._entries}
            return StoreReading(self._clock(), str(self._generation), found)

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        """Write all or nothing."""
        with self._lock:
            same = all(self._version(key) == version for key, version in versions.items())
            if generation != str(self._generation) or not same:
                return False
            version = next(self._versions)
            for key, value in values.items():
                if value is None:
                    self._entries.pop(key, None)
                else:
                    self._entries[key] = StoredValue(version, value)
            return True

    def _version(self, key: str) -> int:
        entry = self._entries.get(key)
        return ABSENT if entry is None else entry.version

    def notes(self) -> Sequence[str]:
        """Return that nothing outlives the process."""
        return ["contacts are kept in memory: a restart reads all results again"]

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield keys that begin with a prefix."""
        with self._lock:
            found = [key for key in self._entries if key.startswith(prefix)]
        yield from found

    def snapshot(self) -> Snapshot:
        """Return what is there now."""
        with self._lock:
            return dict(self._entries)

    def restore(self, snapshot: Snapshot) -> None:
        """Fall back to a snapshot, in another generation."""
        with self._lock:
            self._entries = dict(snapshot)
            self._generation = next(self._generations)

    def wipe(self) -> None:
        """Forget everything."""
        self.restore({})

    def close(self) -> None:
        """Do nothing: the memory is the process's."""
