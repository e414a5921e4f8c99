"""Which delayed invitations go back to their lanes before they are due.

A delay topic is a queue: what lies in its midst cannot be taken out. So when campaigns are to be
retried, each topic is passed on once up to its present end: invitations of these campaigns go back
to their lanes, the others to the step that fits what is left of their wait.

    ask(campaigns) ─► begin(ends) ─► covers(topic, offset) … until every end is passed
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping


class EarlyReturns:
    """`ask` may be called from any thread, the rest by the delay stage's only."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._campaigns: frozenset[str] = frozenset()
        self._ends: dict[str, int] = {}

    def request(self, campaigns: Iterable[str]) -> None:
        """Give these campaigns' delayed invitations back now."""
        with self._lock:
            self._asked.update(campaigns)

    @property
    def asked(self) -> Collection[str]:
        """Campaigns that were asked for since `begin`."""
        return self._asked

    def begin(self, ends: Mapping[str, int]) -> None:
        """Look through these topics, up to these offsets, for the campaigns that were asked for."""
        with self._lock:
            asked, self._asked = self._asked, set()
        self._campaigns |= asked
        self._ends.update(ends)

    def covers(self, topic: str, offset: int) -> bool:
        """Whether this record must pass now, due or not; to be asked in order."""
        end = self._ends.get(topic, 0)
        if offset >= end:
            self._ends.pop(topic, None)
        return offset < end

    def includes(self, campaign: str) -> bool:
        """Whether an invitation of this campaign goes back to its lane."""
        return campaign in self._campaigns

    def turn(self, reached: Mapping[str, int]) -> None:
        """Between two polls: topics were read to these ends. It is over when all are passed."""
        self._ends = {
            topic: end for topic, end in self._ends.items() if reached.get(topic, -1) < end
        }
        if not self._ends:
            self._campaigns = frozenset()

    def forget(self) -> None:
        """The stage's session is over: topics that are not assigned are not looked through."""
        self._campaigns, self._ends = frozenset(), {}
