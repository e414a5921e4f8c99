"""Status board: the loops write their state here, the status report reads it.

A lane writes once a second, a call when it ends, a reload when it ends; no event does. Any thread
may write or read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

from consumer.observability.status.status import CallStatus, LaneStatus
from consumer.records.call import Verdict

CALLS_KEPT = 20


class StatusBoard:
    """The lanes that this process owns, its last calls, its last reload."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lanes: dict[str, LaneStatus] = {}
        self._calls: deque[CallStatus] = deque(maxlen=CALLS_KEPT)
        self._doubtful: deque[CallStatus] = deque(maxlen=CALLS_KEPT)
        self._reload: tuple[str, float] | None = None

    def lane(self, now: LaneStatus) -> None:
        """Set the state of a lane owned here."""
        with self._lock:
            self._lanes[now.name] = now

    def clear_lane(self, name: str) -> None:
        """Remove a lane that this process owns no more."""
        with self._lock:
            self._lanes.pop(name, None)

    def called(self, call: CallStatus) -> None:
        """Record a call that ended."""
        with self._lock:
            self._calls.appendleft(call)
            if call.verdict == Verdict.IN_DOUBT:
                self._doubtful.appendleft(call)

    def reloaded(self, result: str, at: float) -> None:
        """Record a reload's result and time."""
        with self._lock:
            self._reload = result, at

    def lanes(self) -> dict[str, LaneStatus]:
        """Return the lanes that are owned here."""
        with self._lock:
            return dict(self._lanes)

    def calls(self) -> tuple[Sequence[CallStatus], Sequence[CallStatus]]:
        """Return the last calls, and the last ones without a clear answer; newest first."""
        with self._lock:
            return tuple(self._calls), tuple(self._doubtful)

    @property
    def reload(self) -> tuple[str | None, float | None]:
        """Result and time of the last reload."""
        with self._lock:
            return self._reload or (None, None)
