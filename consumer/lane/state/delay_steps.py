"""Delay topics: each delays its records by one constant time (a *step*).

In such a topic the first record in is the first due, so Kafka is the delay queue: any number, any
restart, no database. A record passes through shorter and shorter steps until it is due.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from consumer.lane.state.pending import PendingInvitation
from consumer.policy.expiry import has_expired
from consumer.records.invitation import recount

STEPS = {"1m": 60.0, "10m": 600.0, "1h": 3600.0, "6h": 6 * 3600.0, "24h": 24 * 3600.0}
"""Step → seconds. A wait below the first step takes the first."""

NEAR = STEPS["1m"]
"""Seconds before its expiry in which an invitation is no longer delayed, so that it ends in
time."""

PUT_OFF = (60.0, 600.0)
"""Seconds of an invitation's first delay and of all later ones. A short outage (a rolling upgrade)
costs a minute, and a long one stays cheap."""


def step_for(seconds: float) -> str:
    """Return the longest step that is not too long, else the shortest."""
    fitting = [name for name, length in STEPS.items() if length <= seconds]
    return fitting[-1] if fitting else next(iter(STEPS))


def wait_of(delays: int) -> float:
    """Return the seconds of the next delay of an invitation that was delayed `delays` times."""
    return PUT_OFF[min(delays, len(PUT_OFF) - 1)]


def due_of(now: float, seconds: float, expires_at: float | None) -> float:
    """Return when an invitation that is delayed by `seconds` is due: before it expires.

    It leaves the topics at most `NEAR` after its due time (the last step may be longer than what is
    left). So an invitation that would expire there returns within `NEAR` of its expiry, and waits
    for it in its lane.
    """
    latest = math.inf if expires_at is None else max(now, expires_at - NEAR)
    return min(now + seconds, latest)


def near_end(expires_at: float | None, now: float) -> bool:
    """Return whether it expires before the shortest step would return it."""
    return has_expired(expires_at, now + NEAR)


@dataclass(frozen=True, slots=True)
class DelayedInvitation:
    """An invitation that leaves the lane's topic until `due_at` (epoch seconds). `waits_for`: the
    contact rule that has no room for it."""

    invitation: PendingInvitation
    due_at: float
    step: str
    waits_for: str = ""

    def record(self) -> bytes:
        """Return the record with which it returns to the lane's topic."""
        pending = self.invitation
        return recount(
            pending.value, pending.attempt, pending.delays + 1, self.due_at, self.waits_for
        )
