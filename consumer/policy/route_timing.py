"""Route timing: what the rules of a route say about *now*, each time that an invitation could go.

A lane asks when it reads an invitation (when due), before it seals a call, and before a retry:

    paused        waits; it is delayed again and again until the pause ends, or it expires
    not due yet   waits until its due time
    quiet         waits until quiet hours end by the customer's clock, or is dropped
    shadow        ends instead of being called

Which rules are a route's is looked up by its name in the present config. An invitation whose route
was renamed or removed has none there, and obeys `GoneRoute`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from consumer.policy.due_time import DueTime
from consumer.policy.expiry import has_expired
from consumer.policy.quiet_hours import QuietClock, QuietHours
from consumer.policy.zones import known_zone
from consumer.records.result import Reason


class HeldBack(NamedTuple):
    """Why an invitation is not called now: it ends with `reason`; or waits until `until` (epoch
    seconds), or an unknown time. `details`: more keys of its result."""

    reason: Reason | None = None
    until: float | None = None
    details: Mapping[str, str] = {}


@dataclass(frozen=True)
class RouteTiming:
    """One route's rules about now. `after_quiet`: when invitations are due that quiet hours caught
    in the lane; None without quiet hours. `zone`: IANA name for invitations that have none."""

    after_quiet: DueTime | None = None
    zone: str = "UTC"
    paused: bool = False
    shadow: bool = False

    @cached_property
    def _quiet_hours(self) -> tuple[QuietHours, QuietClock, DueTime] | None:
        due = self.after_quiet
        return (due.quiet, QuietClock(due.quiet), due) if due and due.quiet else None

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def quiet(
        self, now: float, zone_name: str, key: str, expires_at: float | None
    ) -> HeldBack | None:
        """Return what quiet hours do to an invitation; None if it may go. `key` spreads when those
        are due that quiet hours caught."""
        if self._quiet_hours is None:
            return None
        hours, clock, due = self._quiet_hours
        zone = known_zone(zone_name) or self._zone
        if not clock.is_quiet(now, zone.key):
            return None
        if hours.at_quiet == "drop":
            return HeldBack(Reason.QUIET_HOURS)
        until = due.compute(now, zone, key)
        if until == math.inf or has_expired(expires_at, until):
            return HeldBack(Reason.EXPIRED_IN_QUIET_HOURS)
        return HeldBack(until=until)


@dataclass(frozen=True)
class GoneRoute(RouteTiming):
    """The rules about now of all routes that the config has no more: the strictest. Which policy
    an invitation had is unknown, so the quiet hours of each policy must let it go. It waits for
    the latest end and is asked again then. It is not paused; the invitation itself says whether it
    is in shadow."""

    policies: tuple[RouteTiming, ...] = ()

    def quiet(
        self, now: float, zone_name: str, key: str, expires_at: float | None
    ) -> HeldBack | None:
        """See `RouteTiming`. An invitation that cannot go before it expires by one policy ends."""
        found = [timing.quiet(now, zone_name, key, expires_at) for timing in self.policies]
        held = [answer for answer in found if answer is not None]
        return max(held, key=_strictness, default=None)


def _strictness(held: HeldBack) -> float:
    return math.inf if held.until is None else held.until
