"""Feed progress: how long a reader of topics has lacked a record, by offsets alone.

A look tells how far the reader is and where the logs end. Let end(t) be a log's end at a look t,
and p the reader's position. Then

    lag = now - max{t : end(t) <= p}      0 where p has reached the end that is seen now

Timestamps of records are not asked: producers write them, and a topic that is filled anew would
count as years behind. Before the first look that the reader has reached, the lag counts from the
first look. `started`: the reader has reached the ends of the first look, once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

Place = tuple[str, int]
MOST_LOOKS = 1_000
"""Looks remembered of one log. Beyond, every second one goes: the lag then counts as longer."""


@dataclass(slots=True)
class _LogProgress:
    """One log: its end at the first look; of each end not reached yet, when it was seen last."""

    first: int
    reached_at: float
    started: bool = False
    looks: deque[tuple[float, int]] = field(default_factory=deque)

    def look(self, now: float, position: int, end: int) -> float:
        """Return the lag in seconds."""
        self.first = min(self.first, end)  # a topic that was created anew
        self.started = self.started or position >= self.first
        self._remember(now, end)
        while self.looks and self.looks[0][1] <= position:
            self.reached_at = self.looks.popleft()[0]
        return now - self.reached_at

    def _remember(self, now: float, end: int) -> None:
        if self.looks and end < self.looks[-1][1]:
            self.looks.clear()
        elif self.looks and end == self.looks[-1][1]:
            self.looks.pop()
        elif len(self.looks) >= MOST_LOOKS:
            self.looks = deque(list(self.looks)[::2])
        self.looks.append((now, end))


@dataclass(slots=True)
class FeedProgress:
    """All logs of a reader. `lag`: of the one that is farthest behind, at the last look."""

    lag: float = 0.0
    started: bool = False
    _logs: dict[Place, _LogProgress] = field(default_factory=dict)

    def look(self, now: float, positions: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
        """Take a look. A log without a position is read from 0; one that appears later counts from
        its first look."""
        for place, end in ends.items():
            if place not in self._logs:
                self._logs[place] = _LogProgress(end, now)
        lags = [self._logs[place].look(now, positions.get(place, 0), ends[place]) for place in ends]
        self.lag = max(lags, default=0.0)
        self.started = all(log.started for log in self._logs.values())
