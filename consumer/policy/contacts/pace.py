"""Pace: at most so many invitations of a policy in a calendar period, per key.

    distribute any:  full ⇔ those of the period ≥ at_most
    distribute even: full ⇔ those of the period ≥ ceil(f · at_most), f: the part of the period gone

Open reservations count in every period. With `even` what was not used is made up for later in the
period, and no more than `at_most` ever goes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from consumer.policy.contacts.periods import PeriodUnit, period_at


@dataclass(frozen=True, slots=True)
class Pace:
    """One policy's `pace`. `per`: expressions whose values are counted apart; may be empty."""

    name: str
    at_most: int
    every: PeriodUnit
    timezone: str
    per: tuple[str, ...] = ()
    distribute: Literal["even", "any"] = "any"

    def counts_time(self, when: float, now: float) -> bool:
        """Tell whether something of `when` is of this period. A later time counts, too."""
        return when >= period_at(self.every, self.timezone, now)[0]

    def allowed(self, now: float) -> int:
        """Return how many may have gone by now."""
        if self.distribute == "any":
            return self.at_most
        start, end = period_at(self.every, self.timezone, now)
        return math.ceil((now - start) / (end - start) * self.at_most)

    def eligible_at(self, count: int, now: float) -> float:
        """Return when one more may go after `count`, if none else does: the earliest such time.

        `even` allows it right after the time that is returned.
        """
        start, end = period_at(self.every, self.timezone, now)
        if self.distribute == "any" or count >= self.at_most:
            return end
        return start + count / self.at_most * (end - start)
