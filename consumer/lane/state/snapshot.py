"""Snapshot: the one picture of a lane, which metrics, the status document and the log render.

Plain frozen values: whatever is shown of a lane is in here. Times are epoch seconds, waits and ages
are seconds. `Lane.snapshot` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from consumer.lane.state.commands import Batch


class CampaignCircuit(StrEnum):
    """What a campaign's own circuit breaker does to its invitations."""

    CLOSED = "answered"
    OPEN = "open"
    """It holds them back and lets one customer at a time through."""
    PARKED = "parked"
    """They are in the delay topics: the vendor or the config does not know the campaign."""
    EMPTY = "nothing_waits"
    """It is open, and there are none."""
    ACCOUNT = "account"
    """It is open, and so is the account's breaker, which holds all campaigns back."""


@dataclass(frozen=True, slots=True)
class CampaignSnapshot:
    """A campaign's invitations that wait in memory or in the log, the age of the oldest one in
    memory (0 if none).

    `parked`: the vendor cannot use the campaign as it is; since `parked_at` (0: a call was accepted
    since), and until `parked_until` nothing of it is called. `unsettled`: also invitations in
    calls, bisections and trials.
    """

    waiting: int
    oldest_age: float
    parked: bool = False
    circuit: CampaignCircuit = CampaignCircuit.CLOSED
    unsettled: int = 0
    parked_at: float = 0.0
    parked_until: float = 0.0

    @property
    def circuit_open(self) -> bool:
        """Whether its own circuit breaker holds invitations back."""
        return self.circuit is CampaignCircuit.OPEN


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """A vendor account: the vendor refuses its credentials, or its circuit breaker is open. Either
    way one customer at a time is tried now and then, the next at `tries_at` (infinite: when the
    trial in flight is answered)."""

    name: str
    credentials_refused: bool = False
    circuit_open: bool = False
    tries_at: float = field(default=math.inf, compare=False)

    @property
    def well(self) -> bool:
        """Whether whole batches may leave."""
        return not (self.credentials_refused or self.circuit_open)


@dataclass(frozen=True, slots=True)
class LimitSnapshot:
    """A limit (`20/5s`): `left` calls now, of the `calls` that this application may make."""

    name: str
    left: float
    calls: int


@dataclass(frozen=True, slots=True)
class QuotaSnapshot:
    """The rate limit. `next_permit`: seconds, 0 for now, infinite if only an answer can bring one.

    `held_back_by` names the limit that delays it, or `429`: then no call leaves before
    `closed_until`. `limits_in_use`: part of the configured limits, below 1 only after a 429.
    """

    limits: Sequence[LimitSnapshot] = ()
    next_permit: float = 0.0
    held_back_by: str | None = None
    closed_until: float = 0.0
    limits_in_use: float = 1.0


@dataclass(frozen=True, slots=True)
class LaneSnapshot:
    """A lane's state at `at`.

    `buffered` includes invitations in flight. `span`: offsets from base to the last one read;
    `lag`: records not settled; `drain`: seconds until no invitation waits, infinite for never.
    `known`: campaigns of the config; the name of any other one is from a record. `asking`:
    invitations that wait for the contact store.
    """

    name: str
    at: float
    campaigns: Mapping[str, CampaignSnapshot] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    accounts: Sequence[AccountSnapshot] = ()
    quota: QuotaSnapshot = QuotaSnapshot()
    in_flight: Sequence[Batch] = ()
    buffered: int = 0
    buffered_bytes: int = 0
    spilled: int = 0
    span: int = 0
    lag: int = 0
    drain: float = 0.0
    paused: bool = False
    asking: int = 0
