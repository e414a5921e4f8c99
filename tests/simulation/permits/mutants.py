"""Mistakes to plant: each must meet refusals in the same worlds, or the worlds prove nothing."""

from __future__ import annotations

import math

from consumer.lane.quota.limiter import EPSILON, Limiter, WaitUntil
from tests.simulation.permits.scenes import Practice


class SendStamped(Limiter):
    """A call's stamp is the time at which it left."""

    def take_permit(self, now: float) -> None:
        """Stamped at once."""
        super().take_permit(now)
        super().call_ended(now)

    def call_ended(self, at: float) -> None:
        """Nothing to do any more."""


class FlightIgnored(Limiter):
    """A call counts once it is answered, not while it is out."""

    def take_permit(self, now: float) -> None:
        """Counted later."""

    def call_ended(self, at: float) -> None:
        """Now it counts."""
        self._in_flight += 1
        super().call_ended(at)


class PlainSlidingLog(Limiter):
    """Stamped with the answer, but no more than the limit's calls in any period is all."""

    def _opening(self, now: float) -> WaitUntil:
        del now
        opens = -math.inf
        for gate in self._gates:
            spare = gate.calls - self._in_flight
            if spare <= 0:
                return WaitUntil(math.inf, None)
            if len(self._stamps) >= spare:
                opens = max(opens, self._stamps[-spare] + gate.period + EPSILON)
        del self._stamps[: -2 * max(self.calls)]
        return WaitUntil(opens, None)


class FirstLimitOnly(Limiter):
    """All limits but the one named first are forgotten."""

    def _opening(self, now: float) -> WaitUntil:
        del self._gates[1:]
        return super()._opening(now)


MUTANTS: dict[str, Practice] = {
    "send-stamped": Practice(SendStamped),
    "in flight not counted": Practice(FlightIgnored),
    "plain sliding log": Practice(PlainSlidingLog),
    "first limit only": Practice(FirstLimitOnly),
    "no skew": Practice(skew=0.0),
    "log not restored": Practice(keeps_log=False),
    "in doubt not stamped": Practice(doubt=None),
    "in doubt stamped now": Practice(doubt=0.0),
    "timeout without grace": Practice(grace=0.0),
    "logins not counted": Practice(logins_count=False),
    "no checkpoint, empty quota": Practice(assumes_full=False),
}
