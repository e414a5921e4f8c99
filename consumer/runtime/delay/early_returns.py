"""Early returns: which delayed invitations go back to their lanes before they are due.

A delay topic is a queue: a record in its midst cannot be removed. So when campaigns are to be
retried, each topic is passed on once, up to its present end. Invitations of these campaigns go back
to their lanes, the others to the step that fits the rest of their wait.

    request(campaigns) ─► begin(ends) ─► covers(topic, offset) … until every end is passed
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping


class EarlyReturns:
    """Requested campaigns, and up to where each delay topic is passed on.

    `request` may be called from any thread, the rest only from the delay stage's.
    """

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._campaigns: frozenset[str] = frozenset()
        self._ends: dict[str, int] = {}

    def request(self, campaigns: Iterable[str]) -> None:
        """Return these campaigns' delayed invitations to their lanes now."""
        with self._lock:
            self._asked.update(campaigns)

    @property
    def asked(self) -> Collection[str]:
        """Campaigns requested since `begin`."""
        return self._asked

    def begin(self, ends: Mapping[str, int]) -> None:
        """Search these topics, up to these offsets, for the requested campaigns."""
        with self._lock:
            asked, self._asked = self._asked, set()
        self._campaigns |= asked
        self._ends.update(ends)

    def covers(self, topic: str, offset: int) -> bool:
        """Return whether this record must be passed on now, due or not. Call it in order."""
        end = self._ends.get(topic, 0)
        if offset >= end:
            self._ends.pop(topic, None)
        return offset < end

    def includes(self, campaign: str) -> bool:
        """Return whether an invitation of this campaign goes back to its lane."""
        return campaign in self._campaigns

    def turn(self, reached: Mapping[str, int]) -> None:
        """Record how far topics were read, between two polls. All ends passed end the search."""
        self._ends = {
            topic: end for topic, end in self._ends.items() if reached.get(topic, -1) < end
        }
        if not self._ends:
            self._campaigns = frozenset()

    def forget(self) -> None:
        """End the search with the stage's session: topics that are not assigned are not read."""
        self._campaigns, self._ends = frozenset(), {}
