"""Quota backoff after a 429 (rate limit exceeded): silence, then fewer calls than configured.

The limiter alone never causes a 429. So another client uses the quota too, or it is smaller than
configured. Additive increase, multiplicative decrease, as TCP does against an unknown capacity
(Chiu and Jain, "Analysis of the Increase and Decrease Algorithms", 1989).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from consumer.lane.state.settings import Limit
from consumer.records.call import Outcome

DECREASE = 0.85
INCREASE = 0.05
LEAST = 0.1
"""Fraction of the limits that is used at least, however often the vendor refuses."""

UNKNOWN_PERIOD = 1.0
"""Seconds, for a quota that the config calls unlimited."""

LONGEST = 3600.0


class QuotaBackoff:
    """The fraction of the limits in use, and how long to be silent. Times are epoch seconds."""

    def __init__(self, limits: Sequence[Limit], part: float = 1.0, since: float = 0.0) -> None:
        self._set_periods(limits)
        self.quota_fraction = part
        self.since = since
        """When `quota_fraction` changed last: it grows a step each longest period from then on."""
        self._in_a_row = 0
        self._refused_at = -math.inf

    def reconfigure(self, limits: Sequence[Limit]) -> None:
        """Apply other limits."""
        self._set_periods(limits)

    def record_refused(self, outcome: Outcome, sealed_at: float, at: float) -> float:
        """Record a 429 at `at` to a call sealed at `sealed_at`. Return until when to be silent. Of
        calls that are refused together, only the first lowers the fraction."""
        if sealed_at > self._refused_at:
            self._in_a_row += 1
            self.quota_fraction = max(LEAST, self.quota_fraction * DECREASE)
        self._refused_at = self.since = at
        return at + (outcome.retry_after or 0.0 or self._boundary(outcome.vendor_time))

    def record_accepted(self) -> None:
        """Record an accepted call: the next refusal is a first one."""
        self._in_a_row = 0

    def recover(self, now: float) -> bool:
        """Raise the fraction, if it is time. Return True if it changed."""
        steps = (
            math.floor((now - self.since) / self._periods[-1]) if self.quota_fraction < 1.0 else 0
        )
        if steps < 1:
            return False
        self.quota_fraction = min(1.0, self.quota_fraction + INCREASE * steps)
        self.since += steps * self._periods[-1]
        return True

    def _boundary(self, vendor_time: float | None) -> float:
        """Return the seconds to the end of a fixed window by the vendor's clock, or a whole period.
        The smallest period first, then the next ones, then twice as long each time. A `Date` has
        whole seconds and may stand for almost one more, which only makes the wait longer."""
        step = max(self._in_a_row, 1) - 1
        known = len(self._periods)
        period = self._periods[min(step, known - 1)] * 2.0 ** min(max(0, step - known + 1), 10)
        begun = 0.0 if vendor_time is None else vendor_time % period
        return min(period - begun, LONGEST)

    def _set_periods(self, limits: Sequence[Limit]) -> None:
        self._periods = sorted(limit.period for limit in limits) or [UNKNOWN_PERIOD]
