"""Trial: a customer whose call was refused alone. Is the cause the customer, campaign or account?

The customer waits apart from its window, so that it spoils no other customer's call, and is called
alone again. A refusal is *confirmed* once a call of the account that was sealed later is accepted
and the campaign accepted another customer since the first refusal. `CERTAIN` confirmed refusals
reject the customer; one accepted call settles it; otherwise it waits until it expires.

    refused ──later call accepted──► confirmed 1, 2 ──called again──► refused …
       │                                 └── confirmed 3 ──► rejected
       └── pause (4 s … 600 s) ──► called again
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from consumer.lane.account.circuit_breaker import PACES
from consumer.lane.settlement.results import CallFacts
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign, RankedByCampaign

CERTAIN = 3
"""Confirmed refusals of a customer alone that reject it. At 2 % stray refusals a good customer
meets three in 8 of a million calls."""


@dataclass(slots=True, eq=False)
class Trial(RankedByCampaign):
    """A customer on trial. It waits for permits like a window. Call times are times of sealing."""

    rules: LaneCampaign
    held: PendingInvitation
    facts: CallFacts
    first_refused: float
    refused_at: float
    confirmed: int = 0
    failures: int = 0
    not_before: float = 0.0
    under_way: bool = False
    judged: bool = False
    """Whether the last refusal was confirmed."""

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.held.campaign

    @property
    def ready(self) -> int:
        """One customer, unless its call is in flight."""
        return 0 if self.under_way else 1

    @property
    def max_batch(self) -> int:
        """One customer makes a full call."""
        return 1

    @property
    def oldest(self) -> float:
        """When the customer's invitation arrived."""
        return self.held.arrived

    @property
    def growth(self) -> float:
        """One customer waits."""
        return 1.0

    def waited(self, now: float) -> float:
        """Return the customer-seconds."""
        return now - self.held.arrived

    def confirm(self, accepted_at: float, campaign_accepted_at: float, now: float) -> bool:
        """Confirm the last refusal if other calls passed. Return True if it is the last needed."""
        later = accepted_at > self.refused_at and campaign_accepted_at > self.first_refused
        if not later or self.under_way or self.judged:
            return False
        self.confirmed, self.judged, self.not_before = self.confirmed + 1, True, now
        return self.confirmed >= CERTAIN

    def refused(self, facts: CallFacts, sealed_at: float) -> None:
        """Record that its call was refused again."""
        self.facts, self.refused_at = facts, sealed_at
        self.under_way = self.judged = False

    def pause(self, at: float, rng: random.Random, trials: int) -> None:
        """Wait longer each time, and longer with more `trials`: while no other call is accepted,
        another attempt tells little and costs a permit."""
        first, longest = PACES["ill"][0], PACES["refused"][1]
        pause = min(longest, first * 2.0 ** min(self.failures, 10) * trials)
        self.not_before = at + rng.uniform(pause / 2, pause)
        self.failures += 1
