"""What a world of permits is made of: the quota, the network, and how often a lane is lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import Limit

DOCUMENTED = (Limit(20, 5), Limit(40, 25), Limit(80, 125), Limit(160, 625))

TIMEOUT, GRACE = 30.0, 5.0
"""Seconds until a caller gives up, and within which the vendor may still meet its request."""

FRESH = 5.0
"""Seconds within which a call leaves once it is decided, or never."""

Latency = Callable[[random.Random], float]
"""Seconds from the first byte to the answer; beyond `TIMEOUT` no answer is waited for."""

LATENCIES: dict[str, Latency] = {
    "uniform": lambda rng: rng.uniform(0.05, 2.0),
    "lognormal": lambda rng: rng.lognormvariate(-0.7, 1.0),
    "heavy-tailed": lambda rng: 0.5 * rng.paretovariate(1.0),
}
"""Of `heavy-tailed` (a Pareto distribution of index 1) 1.7 % time out."""

NETWORKS: dict[str, Latency] = {
    **LATENCIES,
    "ill": lambda rng: rng.uniform(0, 90) if rng.random() < 0.2 else rng.uniform(0.05, 2.0),
}
"""With one where many calls time out, for worlds that need not use their quota well."""


@dataclass(frozen=True, slots=True)
class Scene:
    """`losses`: mean seconds between two changes of the lane's owner, half of them crashes.
    `logins`: mean seconds between two logins, which take permits of the same quota."""

    limits: tuple[Limit, ...]
    latency: str
    losses: float = 1800.0
    logins: float = 600.0

    @property
    def warm_up(self) -> float:
        """Seconds after which the beginning (a lost checkpoint, an assumed full quota) is over."""
        return 4 * max(limit.period for limit in self.limits) + 2 * (TIMEOUT + GRACE)

    @property
    def tightest(self) -> Limit:
        """The limit that decides in the long run."""
        return min(self.limits, key=lambda limit: limit.calls / limit.period)


def restless(rng: random.Random) -> Scene:
    """One to three limits, any network, and an owner for a minute on average."""
    limits = tuple(
        Limit(rng.randint(1, 20), rng.choice((1.0, 5.0, 10.0, 60.0)))
        for _ in range(rng.randint(1, 3))
    )
    return Scene(limits, rng.choice(list(NETWORKS)), losses=60.0, logins=60.0)


@dataclass(frozen=True, slots=True)
class Practice:
    """How an owner uses its limiter: the defaults are the lane's own ways, all else is wrong.

    `doubt`: seconds after a takeover until which a call of the former owner may still arrive
    (None: not counted). `grace`: by what a timeout's stamp is later.
    """

    limiter: type[Limiter] = Limiter
    skew: float = 2.0
    keeps_log: bool = True
    doubt: float | None = TIMEOUT + GRACE
    grace: float = GRACE
    logins_count: bool = True
    assumes_full: bool = True
