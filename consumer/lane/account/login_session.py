"""Session of a vendor account: token refresh ahead of expiry, one login at a time.

The token itself never enters the lane: the state machine knows only its lifetime.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from consumer.lane.account.circuit_breaker import full_jitter, pause_of

REFRESH_AT = 0.9
"""Share of a token's life after which a new one is fetched, while the old one is still used."""

USABLE_UNTIL = 0.98
"""Share of a token's life after which no call leaves with it: its clock is the vendor's."""


@dataclass(slots=True)
class LoginSession:
    """Session of a vendor that needs a login. Times are epoch seconds.

    `denied`: its credentials are refused. `replaced`: the token was fetched because a call was
    refused, so that a further refusal is not about the token (while calls are accepted at all).
    """

    opened_at: float = 0.0
    refresh_at: float = 0.0
    usable_until: float = 0.0
    logging_in: bool = False
    not_before: float = 0.0
    failures: int = 0
    denied: bool = False
    replaced: bool = False
    invalidated: bool = False

    def usable(self, now: float) -> bool:
        """Return whether a call may leave now."""
        return now < self.usable_until

    def wants_login(self, now: float) -> bool:
        """Return whether a login should leave now, given a permit."""
        return not self.logging_in and now >= max(self.refresh_at, self.not_before)

    def next_login(self) -> float:
        """Return the earliest time of the next login."""
        return max(self.refresh_at, self.not_before)

    def opened(self, now: float, expires_at: float) -> None:
        """Record that a login succeeded."""
        life = expires_at - now
        self.replaced = self.invalidated
        self.invalidated = False
        self.opened_at = now
        self.refresh_at = now + life * REFRESH_AT
        self.usable_until = now + life * USABLE_UNTIL
        self.logging_in = self.denied = False

    def forget(self) -> None:
        """Forget the session of another account: log in at once."""
        self.refresh_at = self.usable_until = self.not_before = 0.0
        self.failures = 0
        self.denied = self.replaced = self.invalidated = False

    def retry(self, now: float) -> None:
        """End the login's backoff: the cause may be repaired."""
        self.not_before = min(self.not_before, now)

    def proved(self) -> None:
        """Record that a call was accepted: the token is good, and the next failure is a first."""
        self.failures = 0

    def refused(self, now: float, rng: random.Random, *, denied: bool = False) -> None:
        """Record that a login failed, and back off. `denied`: its credentials were refused."""
        self.logging_in, self.denied = False, denied
        self._failed(now, rng)
        if denied:
            self.not_before = now + pause_of("refused", self.failures - 1, rng)

    def invalidate(self, now: float, sent_at: float, rng: random.Random) -> None:
        """Log in again, because a call that left at `sent_at` was refused for its token.

        At once the first time, with backoff when fresh tokens are refused too: a storm of logins is
        a defect. An answer to a call older than the session says nothing about it.
        """
        if sent_at < self.opened_at or not self.usable_until:
            return
        self.refresh_at = self.usable_until = 0.0
        self.invalidated = True
        self._failed(now, rng)
        if self.failures == 1:
            self.not_before = now

    def _failed(self, now: float, rng: random.Random) -> None:
        self.failures += 1
        self.not_before = now + full_jitter(self.failures, rng)
