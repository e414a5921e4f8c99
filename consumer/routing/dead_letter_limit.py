"""Limit on dead letters: an input of which too much cannot be read stops, instead of going on.

One bad release of a producer would move a whole topic to the dead letters: committed, out of order,
and hard to put back. So the router counts the dead letters among an input's last records, and stops
the input at the record that exceeds the limit, which then is still unread.

Invariant: of any `of` consecutive records of a topic, as one member read them, at most `of · share`
became dead letters since the member began or the limit was reset. Cost: two integers a poll, and
one more for each dead letter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeadLetterLimit:
    """At most `share` of the last `of` records of a topic may be dead letters."""

    share: float = 0.5
    of: int = 1000

    @property
    def most(self) -> int:
        """The number of dead letters that is still allowed."""
        return int(self.share * self.of)


@dataclass(slots=True)
class DeadLetterWindow:
    """The last records of one topic: how many there were, and which were dead letters."""

    limit: DeadLetterLimit
    _read: int = 0
    _bad: deque[int] = field(default_factory=deque)

    def allowed(self, count: int, bad: Collection[int]) -> int:
        """Return how many of `count` further records may be taken: all of them, or those before the
        one that exceeds the limit. `bad`: places of dead letters among them, ascending, from 0."""
        window = deque(self._bad)
        for place in bad:
            self._forget(window, self._read + place)
            window.append(self._read + place)
            if len(window) > self.limit.most:
                return place
        return count

    def take(self, count: int, bad: Iterable[int]) -> None:
        """Add records that were taken."""
        self._bad.extend(self._read + place for place in bad)
        self._read += count
        self._forget(self._bad, self._read - 1)

    def _forget(self, window: deque[int], newest: int) -> None:
        while window and window[0] <= newest - self.limit.of:
            window.popleft()
