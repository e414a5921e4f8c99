"""How often invitations were in a call that settled nothing: it must outlive their owner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from consumer.lane.bits import pack, unpack
from consumer.model import Tried


class Tries:
    """Offset → attempts, of those that wait for another one."""

    def __init__(self, restored: Iterable[Tried] = ()) -> None:
        self._attempts = {
            offset: tried.attempt
            for tried in restored
            for offset in unpack(tried.offsets, tried.first)
        }

    def get(self, offset: int, otherwise: int) -> int:
        """Attempts of this offset."""
        return self._attempts.get(offset, otherwise)

    def put(self, offset: int, attempt: int) -> None:
        """It was in so many calls."""
        self._attempts[offset] = attempt

    def forget(self, offset: int) -> None:
        """It is settled."""
        self._attempts.pop(offset, None)

    def packed(self) -> tuple[Tried, ...]:
        """For the checkpoint."""
        groups: dict[int, list[int]] = defaultdict(list)
        for offset, attempt in self._attempts.items():
            groups[attempt].append(offset)
        return tuple(
            Tried(attempt=attempt, first=min(offsets), offsets=pack(offsets, min(offsets)))
            for attempt, offsets in groups.items()
        )
