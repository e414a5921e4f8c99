"""Bursts: what a permit in hand is worth because many full calls may come at once. Pure.

Theory of operation. A counter that looks back over `p` seconds returns a permit `p` after it was
spent, not sooner: to have k of n permits in hand costs the share k/n of the rate, at any time. They
are worth it if a burst comes meanwhile. One of m full calls of c customers that finds x permits
sends x of them at once and the others one by one, p/n apart: each permit more spares the m − x that
wait p/n. So with H bursts a second, a permit that is spent costs over the `p` for which it is gone

    worth   Σ over limits and sizes   p · H · (m − x)⁺ · c · p/n        customer-seconds

in expectation, which the price contains (`scheduler.py`). It is nothing without bursts, or while a
quota is at rest, and little beside calls that end more waiting: no level is set apart.

What is learnt. Arrivals are worth so many full calls, and the quota carries R = min n/p a second:

    W ← (W − R·Δt + Σ 1/max_batch)⁺       m is the peak of W until it is 0 again

Steady traffic keeps W near 0 at any rate that the quota carries in full calls. Bursts below `LEAST`
of the quota are passed over; beyond `MOST` no permits are kept: the rest waits long in any case.
Their counts fade over `MEMORY`; H is a count over the time seen (which fades too), at least a day.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from consumer.lane.state.settings import LaneSettings
from consumer.records.checkpoint import BurstCount, BurstHistory

MEMORY = 28 * 86400.0
"""Seconds after which a burst counts for 1/e of a new one: a monthly one is not forgotten."""

DAY = 86400.0
"""Seconds that are taken as seen at least, so that a first burst counts as a daily one."""

LEAST, MOST, STEP = 0.05, 0.5, 0.025
"""Shares of the quota's calls: the smallest burst that counts, the most permits that are kept (a
steady customer then waits at most twice as long), and the resolution of sizes."""

REFRESHED_EVERY = 600.0
"""Seconds after which counts are faded again."""

FORGOTTEN = 0.01
"""Faded count below which bursts of a size are dropped."""


@dataclass(frozen=True, slots=True)
class BurstRate:
    """Bursts of `calls` full calls, `a_second` of them, with `customers` (by weight) a call."""

    calls: int
    a_second: float
    customers: float


class Bursts:
    """A lane's bursts: learnt, or set by `LaneSettings.reserve`. `known`: of its last owner."""

    def __init__(self, settings: LaneSettings, known: BurstHistory | None, now: float) -> None:
        self.rates: Sequence[BurstRate] = ()
        self._counts = {count.calls: count for count in known.counts} if known else {}
        self._seconds = known.seconds if known else 0.0
        self._faded_at = self._at = now
        self._arrived = Counter[str]()
        self._standing = self._peak = self._calls = self._customers = 0.0
        self.reconfigure(settings)

    def reconfigure(self, settings: LaneSettings) -> None:
        """Apply other limits and campaigns. What was learnt stays."""
        self._settings = settings
        paces = ((settings.share * limit.calls / limit.period, limit) for limit in settings.limits)
        self._pace, tightest = min(paces, key=lambda each: each[0], default=(0.0, None))
        self._quota = settings.share * tightest.calls if tightest else 0.0
        self._compute_rates()

    def arrived(self, campaign: str, now: float) -> None:
        """Record an arrival. What stood before the first one since `advance` drains until then."""
        if not self._arrived:
            self.advance(now)
        self._arrived[campaign] += 1

    def advance(self, now: float) -> None:
        """Let the calls that stand drain until `now`, and count a burst that is over."""
        if not self._pace:
            self._arrived.clear()
            return
        passed, self._at = max(0.0, now - self._at), now
        self._take_arrivals()
        self._standing -= self._pace * passed
        self._peak = max(self._peak, self._standing)
        if self._standing <= 0:
            if self._peak >= max(1.0, LEAST * self._quota):
                self._count_burst(now)
            self._standing = self._peak = self._calls = self._customers = 0.0
        if now - self._faded_at >= REFRESHED_EVERY or now < self._faded_at:
            self._fade(now)
            self._compute_rates()

    def worth(self, left: Sequence[float], calls: Sequence[int]) -> float:
        """Return what a permit is worth, customer-seconds. `left`, `calls`: permits in hand and
        our calls of each limit."""
        if not self.rates:
            return 0.0
        limits = zip(self._settings.limits, left, calls, strict=True)
        return sum(
            limit.period**2 / most * self._shortage(permits, most)
            for limit, permits, most in limits
        )

    def known(self, now: float) -> BurstHistory:
        """Return what was learnt, for the checkpoint."""
        self._fade(now)
        return BurstHistory(seconds=self._seconds, counts=tuple(self._counts.values()))

    def _take_arrivals(self) -> None:
        for name, count in self._arrived.items():
            campaign = self._settings.campaigns.get(name)
            if campaign is not None:
                self._standing += count / campaign.max_batch
                self._calls += count / campaign.max_batch
                self._customers += count * campaign.weight
        self._arrived.clear()

    def _shortage(self, permits: float, most: int) -> float:
        """Return the customers a second that one permit more would spare one slot of waiting."""
        kept = most if self._settings.reserve is not None else most * MOST
        return sum(
            burst.a_second * burst.customers * max(0.0, min(burst.calls, kept) - permits)
            for burst in self.rates
        )

    def _count_burst(self, now: float) -> None:
        self._fade(now)
        step = max(1, round(STEP * self._quota))
        calls = step * math.ceil(min(self._peak, self._quota) / step)
        before = self._counts.get(calls, BurstCount(calls=calls, count=0.0, customers=0.0))
        count = before.count + 1
        customers = before.customers + (self._customers / self._calls - before.customers) / count
        self._counts[calls] = BurstCount(calls=calls, count=count, customers=customers)
        self._compute_rates()

    def _fade(self, now: float) -> None:
        passed, self._faded_at = max(0.0, now - self._faded_at), now
        kept = math.exp(-passed / MEMORY)
        self._seconds = self._seconds * kept + passed
        self._counts = {
            size: count.model_copy(update={"count": count.count * kept})
            for size, count in self._counts.items()
            if count.count * kept >= FORGOTTEN
        }

    def _compute_rates(self) -> None:
        reserve = self._settings.reserve
        if not self._settings.limits or reserve == 0:
            self.rates = ()
        elif reserve is not None:
            campaigns = self._settings.campaigns.values()
            full = max((one.max_batch * one.weight for one in campaigns), default=0.0)
            self.rates = (BurstRate(reserve, 1 / DAY, full),)
        else:
            seen = max(DAY, self._seconds)
            self.rates = tuple(
                BurstRate(count.calls, count.count / seen, count.customers)
                for count in self._counts.values()
            )
