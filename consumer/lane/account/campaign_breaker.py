"""A campaign's own circuit breaker: trouble and refusals that belong to it, not to the account.

An open breaker lets one customer at a time through (`Window.take_probe` rotates over them). After
trouble the probes are paced, and slower the more campaigns of the account are open: failing
campaigns together spend few of the permits that healthy ones need. After a refusal the next probe
leaves at once, for a refused call invites no customer. It leaves a moment later where other
campaigns' calls will test the account, and slower if refused again. The first accepted call closes
the breaker. `ALONE` different customers refused alone, with none accepted, park the campaign.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from dataclasses import dataclass, field

from consumer.lane.account.circuit_breaker import TRIPS, pause_of

ALONE = 3
"""Different customers refused alone, with none accepted between, after which the campaign itself is
blamed. At 2 % stray refusals that is 8 in a million."""


MOST_REMEMBERED = 20_000
"""Offsets of refused calls that are remembered. Beyond it all are forgotten: their calls are then
only refused once more before they are divided."""


@dataclass(slots=True)
class CampaignBreaker:
    """One campaign's breaker.

    `run`: calls with trouble in a row. `accused`: a call was refused, and none was accepted since.
    `alone`: offset → sealing time of calls of one customer that were refused since. `together`:
    offset → sealing time of the last refused call of several customers; the newest of these was
    sealed at `batch_at`. `doubted`: it was refused while its account's breaker was open, and
    another campaign's call closed that one: a further refusal is about this campaign.
    """

    run: int = 0
    opened: bool = False
    accused: bool = False
    failures: int = 0
    probing: bool = False
    doubted: bool = False
    since: float = -math.inf
    accepted_at: float = -math.inf
    alone: dict[int, float] = field(default_factory=dict)
    together: dict[int, float] = field(default_factory=dict)
    batch_at: float = -math.inf

    @property
    def closed(self) -> bool:
        """Whether whole batches may leave."""
        return not (self.opened or self.accused)

    @property
    def suspect(self) -> bool:
        """Whether a further refusal says nothing about the account."""
        return self.doubted or not self.closed

    def record_success(self, sealed_at: float, *, accepted: bool = True) -> bool:
        """Record a call that the vendor processed. Return True if the breaker closes by that."""
        if accepted:
            self.accepted_at = max(self.accepted_at, sealed_at)
        if sealed_at <= self.since:
            return False
        closes = self.opened or (self.accused and accepted)
        self.run, self.opened, self.failures = 0, False, 0
        if accepted:
            self.accused = self.doubted = False
            self.alone.clear()
        return closes

    def record_failure(
        self, sealed_at: float, at: float, rng: random.Random, *, open_now: int
    ) -> float:
        """Record a failed call. Return the seconds until the next probe; 0 while it is closed.

        `open_now`: how many campaigns of the account have an open breaker, this one included.
        """
        if sealed_at <= self.since and self.opened:
            return 0.0
        self.run += 1
        if not self.opened and self.run < TRIPS:
            return 0.0
        self.opened, self.since = True, at
        pause = pause_of("ill", self.failures, rng) * max(1, open_now)
        self.failures += 1
        return pause

    def open_by_recovery(self, at: float) -> None:
        """Open the breaker because another campaign's call closed the account's while this one had
        trouble: the next call carries one customer."""
        self.opened, self.since = True, math.nextafter(at, 0.0)

    def tried_before(self, at: float) -> None:
        """Open the breaker, because the previous owner called a customer in vain and its breaker is
        gone. The first call carries one customer, and its failure counts no attempt."""
        if self.run == 0 and not self.opened and self.accepted_at == -math.inf:
            self.open_by_recovery(at)

    def refused_alone(self, offset: int, sealed_at: float) -> None:
        """Record that a call of one customer was refused."""
        self.accused = True
        self.alone[offset] = sealed_at

    def refused_again(self, offsets: Collection[int]) -> bool:
        """Return whether some of these were refused together before, and others of the campaign
        accepted later: then a further refusal is about them, not about the account."""
        before = (self.together[offset] for offset in offsets if offset in self.together)
        return min(before, default=math.inf) < self.accepted_at

    def refused_together(self, offsets: Collection[int], sealed_at: float) -> None:
        """Record that a call of several customers was refused."""
        self.accused = True
        if len(self.together) > MOST_REMEMBERED:
            self.together.clear()
        self.together.update(dict.fromkeys(offsets, sealed_at))
        self.batch_at = sealed_at

    def refusal_pause(self, rng: random.Random, *, at_once: bool, open_now: int) -> float:
        """Return the seconds until the next customer is called; 0 at first if `at_once`."""
        self.failures += 1
        if at_once and self.failures == 1:
            return 0.0
        return pause_of("ill", self.failures - 1, rng) * max(1, open_now)

    def acquit(self) -> None:
        """Clear the refusals: they were the account's."""
        self.accused = self.doubted = False
        self.alone.clear()
        self.together.clear()
        self.batch_at = -math.inf

    def is_blamed(self, account_accepted_at: float, *, before: bool = False) -> bool:
        """Return whether the refusals are the campaign's, because other calls of the account
        passed.

        `before`: it was blamed before, and none of its calls was accepted since, so that one more
        customer refused alone is enough.
        """
        refused = self.alone.values()
        enough = 1 if before else ALONE
        return len(refused) >= enough and account_accepted_at > min(refused)
