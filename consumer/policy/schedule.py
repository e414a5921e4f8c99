"""Schedule: when an invitation is due, by the customer's own clock.

The time zone is the first source of the policy that gives a name of the IANA database; the last one
is a literal, so a zone is always known. `phone` is the zone of the recipient's number, where all
zones of that number share one offset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from consumer.policy.candidate import Candidate, Value
from consumer.policy.due_time import DueTime
from consumer.policy.expiry import has_expired
from consumer.policy.zones import known_zone, zone_of_phone
from consumer.records.fields import LAST_MOMENT
from consumer.records.result import Reason

PHONE: Final = "phone"


@dataclass(frozen=True, slots=True)
class ZoneSources:
    """`sources`: expression → its getter, in order (`phone`: None). `last`: the literal zone."""

    sources: Sequence[tuple[str, Value | None]]
    last: ZoneInfo

    def choose(self, candidate: Candidate) -> tuple[ZoneInfo, str]:
        """Return the candidate's time zone, and which source gave it."""
        for name, get in self.sources:
            zone = _phone_zone(candidate) if get is None else known_zone(get(candidate.body))
            if zone is not None:
                return zone, name
        return self.last, f"'{self.last.key}'"


def _phone_zone(candidate: Candidate) -> ZoneInfo | None:
    phone = candidate.address(PHONE)
    return known_zone(zone_of_phone(phone)) if phone is not None else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Computes due times. `zones`: None if no rule goes by the customer's clock."""

    due: DueTime
    zones: ZoneSources | None = None

    def plan(
        self, candidate: Candidate, key: str, now: float = 0.0
    ) -> tuple[float, str, Reason | None]:
        """Return the due time in epoch seconds, the zone's name ("": none), and why none is sent.

        `key` spreads the due times behind quiet hours; no set time before `now` counts.
        """
        zone, found = None, candidate.found
        if self.zones is not None:
            zone, source = self.zones.choose(candidate)
            found |= {"timezone": zone.key, "timezone_from": source}
        due = self.due.compute(candidate.due_from, zone or _UTC, key, now)
        name = zone.key if zone else ""
        quiet = self.due.quiet
        if zone and quiet and quiet.at_quiet == "drop" and quiet.is_quiet(due, zone):
            return due, name, Reason.QUIET_HOURS
        if due == math.inf or has_expired(candidate.expires_at, due):
            return min(due, LAST_MOMENT), name, Reason.EXPIRED_IN_QUIET_HOURS
        return due, name, None


_UTC = ZoneInfo("UTC")

AT_ONCE: Final = Schedule(DueTime())
"""Due when the candidate may be sent at all."""
