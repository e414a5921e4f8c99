"""Rate limit of repeated log lines: once a minute, not twenty times a second. Time is an argument.

    first of a kind ─► written ─► more of it within the period ─► counted
                                                                    │
    the next of it after the period, or any line then ◄─────────────┘  one line, `repeated: 57`

Two lines are of one kind if event, level and all fields agree. Measured fields (`offset`), and
numbers and clients' names inside sentences, make no difference. A line about one batch or one event
is always written, because it is needed to trace that batch.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Line = MutableMapping[str, Any]
Kind = tuple[str, ...]

PERIOD = 60.0
"""Seconds in which a kind is written once."""

OFTEN = {"info": 10}
"""Level → lines of one kind in a period; other levels: one. An info line reports a change, and
counting changes must work unless they flap."""

MOST = 500
"""Kinds that are remembered; beyond, the oldest is summed up and dropped."""

_ALONE = ("batch", "event_id")
_MEASURED = frozenset({"timestamp", "offset", "buffered"})
_SENTENCES = frozenset({"why", "error", "says"})
_VARIABLE = re.compile(r"\[[^\]]*\]|[0-9]+")


@dataclass(slots=True)
class _Seen:
    since: float
    written: int = 0
    held_back: int = 0
    last: Line | None = None


class Repeats:
    """Decides which lines are written. Not thread-safe."""

    def __init__(self, period: float = PERIOD, most: int = MOST) -> None:
        self._period = period
        self._most = most
        self._seen: OrderedDict[Kind, _Seen] = OrderedDict()  # by `since`

    def take(self, line: Line, now: float) -> list[Line]:
        """Return the lines to write when this line arrives: summaries that are due, and the line
        itself or not.

        `now` in seconds, and never less than before.
        """
        if any(name in line for name in _ALONE):
            return [*self._due(now), line]
        kind = _kind(line)
        repeated = self._again(kind, now)
        due = list(self._due(now))
        seen = self._seen.setdefault(kind, _Seen(now))
        if seen.written >= OFTEN.get(str(line.get("level")), 1):
            seen.held_back, seen.last = seen.held_back + 1, line
            return due
        seen.written += 1
        if repeated:
            line["repeated"] = repeated + 1
        return [*due, line]

    def rest(self) -> list[Line]:
        """Return the summaries of all suppressed lines, at the end."""
        sums = [each for seen in self._seen.values() for each in _sum(seen)]
        self._seen.clear()
        return sums

    def _again(self, kind: Kind, now: float) -> int:
        """Return how many of its kind were suppressed, if a new line of it reports them."""
        seen = self._seen.get(kind)
        if seen is None or now - seen.since < self._period:
            return 0
        del self._seen[kind]
        return seen.held_back

    def _due(self, now: float) -> Iterator[Line]:
        while self._seen:
            oldest = next(iter(self._seen.values()))
            if now - oldest.since < self._period and len(self._seen) < self._most:
                return
            self._seen.popitem(last=False)
            yield from _sum(oldest)


def _sum(seen: _Seen) -> Iterator[Line]:
    """Yield the last line of a kind, with the number suppressed; nothing if none was."""
    if seen.last is not None:
        seen.last["repeated"] = seen.held_back
        yield seen.last


def _kind(line: Mapping[str, Any]) -> Kind:
    return tuple(
        f"{name}={_VARIABLE.sub('#', str(value)) if name in _SENTENCES else value}"
        for name, value in sorted(line.items())
        if name not in _MEASURED
    )
