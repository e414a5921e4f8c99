"""Forecast: when a lane's backlog is drained, from recent settlements and arrivals. Pure.

Calls come in bursts (a quota of 160 in 625 s may be spent in the first minute). So rates are
averaged over a stretch that is longer than the quota's longest period, with exponentially fading
weights. A backlog that arrives at once is an arrival rate too, until it has faded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Self

from consumer.lane.state.settings import Limit

LEAST_STRETCH = 300.0
"""Seconds over which rates are averaged at least."""

IN_BALANCE = 0.5
"""Waiting invitations are no backlog up to this share of what was settled over the stretch."""


class Forecast:
    """Seconds until a lane's backlog is drained at the present rates.

    `stretch`: seconds after which a moment counts for 1/e of a new one; raises ValueError unless it
    is above 0.
    """

    def __init__(self, stretch: float = LEAST_STRETCH) -> None:
        if not stretch > 0:
            raise ValueError("expected a stretch above 0 seconds")
        self._stretch = stretch
        self._last: tuple[float, int, int] | None = None
        self._waiting = 0
        self._seconds = self._settled = self._arrived = 0.0

    @classmethod
    def under(cls, limits: Iterable[Limit]) -> Self:
        """Make one for a lane with these limits: twice the longest period, at least 5 minutes."""
        return cls(max([LEAST_STRETCH, *(2.0 * limit.period for limit in limits)]))

    def observe(self, now: float, settled: int, arrived: int, waiting: int) -> None:
        """Record the state at `now`; about once a second, in the order of time. `settled`,
        `arrived`: running totals of the same invitations that `waiting` counts. Totals that fall (a
        new owner counts from 0) and a clock that goes back start a new interval."""
        self._waiting = waiting
        last, self._last = self._last, (now, settled, arrived)
        if last is None:
            return
        passed, done, came = now - last[0], settled - last[1], arrived - last[2]
        if min(passed, done, came) < 0:
            return
        kept = math.exp(-passed / self._stretch)
        self._seconds = self._seconds * kept + passed
        self._settled = self._settled * kept + done
        self._arrived = self._arrived * kept + came

    @property
    def drain_seconds(self) -> float:
        """0 while nothing waits; infinite while the backlog does not shrink, or nothing is known.

        Even in balance some invitations wait for a call. While they are at most `IN_BALANCE` of
        what was settled over the stretch, the overall rate tells their time; else the rate at which
        they shrink.
        """
        if not self._waiting:
            return 0.0
        shrunk = self._settled - self._arrived
        if self._waiting <= self._settled * IN_BALANCE:
            return self._waiting * self._seconds / self._settled
        if shrunk <= 0:
            return math.inf
        return self._waiting * self._seconds / shrunk
