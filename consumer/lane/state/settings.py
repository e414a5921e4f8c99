"""What a lane needs of the config, as plain values: the state machine reads no config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from consumer.policy.route_timing import RouteTiming
from consumer.policy.rules import ALL_RULES, PolicyRules
from consumer.records.channel import Channel, ChannelSpec


@dataclass(frozen=True, slots=True)
class Limit:
    """`calls` in any `period` seconds (as the vendor states it, without skew)."""

    calls: int
    period: float

    @property
    def name(self) -> str:
        """The limit as metrics and the status page name it: `20/5s`."""
        return f"{self.calls}/{self.period:g}s"


FRESH_SECONDS = 5.0
"""Longest time in seconds from before the intent's commit to the first byte: well under the session
timeout, after which another process may own the lane."""

LATE_ARRIVAL_GRACE = 5.0
"""Seconds after a timeout within which the request may still reach the vendor."""


LEAST_SILENCE = 60.0
"""Seconds that a vendor may ask for after a 429, however short the limits' periods are."""

UNLIMITED_SILENCE = 3600.0
"""Seconds that a vendor may ask for where the config sets no limits."""


@dataclass(frozen=True, slots=True)
class LaneCampaign:
    """A campaign whose calls share this lane's quota. Times in seconds.

    `bisect_calls`: calls that finding the bad recipients of a refused batch may cost. `spec` and
    `required`: what its calls need of an invitation now (None: not checked). An invitation that
    waited since another config may lack it. `paused`: its invitations wait in the delay topics.
    `routes`: names of those that send to it.
    """

    name: str
    vendor: str
    channel: Channel
    max_batch: int = 5000
    max_wait: float = 600.0
    weight: float = 1.0
    in_doubt: Literal["report", "resend"] = "report"
    max_attempts: int = 5
    bisect_calls: int = 200
    max_bytes: int = 10 * 2**20
    spec: ChannelSpec | None = None
    required: tuple[str, ...] = ()
    paused: bool = False
    routes: tuple[str, ...] = ()


class RankedByCampaign:
    """What waits for a permit and is ranked by its campaign's `max_wait` and `weight`."""

    __slots__ = ()
    rules: LaneCampaign

    @property
    def urgent(self) -> bool:
        """Never: what a retry asks for is a call of the window."""
        return False

    @property
    def max_wait(self) -> float:
        """The campaign's `max_wait`."""
        return self.rules.max_wait

    @property
    def weight(self) -> float:
        """The campaign's weight."""
        return self.rules.weight


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """One lane: its quota, campaigns and bounds. `logins`: vendors that need a session. `routes`:
    each route's rules about now; `gone_routes`: those of a route that the config has no more.
    `contacts`: the contact store is asked about each invitation. `reserve`: permits are kept as if
    one burst of so many full calls came a day; None for the bursts that were learnt.

    Invitations beyond `max_buffered` or `max_buffered_bytes` are spilled, at most `max_spilled` of
    them. Settled records stay on the log for `keep` seconds.
    """

    name: str
    campaigns: Mapping[str, LaneCampaign]
    config_version: str
    limits: tuple[Limit, ...] = ()
    skew: float = 2.0
    share: float = 1.0
    first_start_full: bool = True
    max_in_flight: int = 16
    linger: float = 1.0
    max_buffered: int = 200_000
    max_buffered_bytes: int = 100_000_000
    max_spilled: int = 500_000
    keep: float = 7 * 86400.0
    call_timeout: float = 30.0
    logins: frozenset[str] = frozenset()
    max_retry_after: float | None = None
    reserve: int | None = None
    policy: PolicyRules = ALL_RULES
    routes: Mapping[str, RouteTiming] = field(default_factory=dict)
    gone_routes: RouteTiming | None = None
    contacts: bool = False

    def timing_of(self, route: str) -> RouteTiming | None:
        """Return a route's rules about now; None without any."""
        return self.routes.get(route, self.gone_routes)

    def is_in_shadow(self, route: str, *, made_so: bool) -> bool:
        """Return whether an invitation ends instead of being called: by its route's present mode,
        or by the mode in which it was made if the config has the route no more."""
        timing = self.routes.get(route)
        return made_so if timing is None else timing.shadow

    @property
    def longest_silence(self) -> float:
        """Longest silence in seconds after one 429: `max_retry_after`, else the longest period."""
        if self.max_retry_after is not None:
            return self.max_retry_after
        periods = [limit.period + self.skew for limit in self.limits]
        return max([*periods, LEAST_SILENCE] if periods else [UNLIMITED_SILENCE])
