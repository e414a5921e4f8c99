"""The vendor accounts of a lane: who may be called now, with how many, and who must log in."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

from consumer.lane.session import Session
from consumer.lane.standing import Standing
from consumer.model import Outcome

ALL = 10**9
"""No bound but the batch's own."""

SLOW = 1 / 3
"""Share of the time to answer after which a call is slow."""

HANGS = 2
"""Slow calls at once, at which no more are made: one may be chance, two are a vendor that hangs,
and every further batch would be in doubt as well."""


class Accounts:
    """Sessions and standings by vendor account, and the calls that are out."""

    def __init__(self, logins: Collection[str], call_timeout: float, rng: random.Random) -> None:
        self.sessions = {vendor: Session() for vendor in logins}
        self.standings: dict[str, Standing] = defaultdict(Standing)
        self._slow = call_timeout * SLOW
        self._out: dict[str, Counter[float]] = defaultdict(Counter)
        self._rng = rng

    def follow(
        self, logins: Collection[str], call_timeout: float, changed: Collection[str], now: float
    ) -> None:
        """Another config; what was wrong with accounts that `changed` may be mended."""
        self._slow = call_timeout * SLOW
        for vendor in logins:
            self.sessions.setdefault(vendor, Session())
        for vendor in changed:
            self.standings[vendor].renewed(now)
            if vendor in self.sessions:
                self.sessions[vendor].forget()

    def most(self, vendor: str, now: float) -> int:
        """How many customers a call to this account may carry now: none, one as a probe, or all."""
        session = self.sessions.get(vendor)
        if session is not None and not session.usable(now):
            return 0
        standing = self.standings[vendor]
        if not standing.well:
            return int(standing.may_probe(now))
        slow = sum(number for when, number in self._out[vendor].items() if now - when > self._slow)
        return ALL if slow < HANGS else 0

    def wake_at(self, now: float) -> float:
        """When a probe is due next; infinite if none waits for its time."""
        due = (
            standing.probe_at
            for standing in self.standings.values()
            if not (standing.well or standing.probing) and standing.probe_at > now
        )
        return min(due, default=math.inf)

    def left(self, vendor: str, now: float) -> None:
        """A call was sealed."""
        self._out[vendor][now] += 1
        self.standings[vendor].probing = not self.standings[vendor].well

    def answered(
        self, vendor: str, outcome: Outcome, sealed_at: float, at: float, *, expected: bool = False
    ) -> bool:
        """That call ended. True if the account has recovered by it.

        `expected`: somebody in it is known to be trouble, so that it is no news of the vendor.
        """
        self._over(vendor, sealed_at)
        standing = self.standings[vendor]
        if outcome.relogin:
            session = self.sessions.setdefault(vendor, Session())
            session.invalidate(at, sealed_at, self._rng)
        if outcome.unattributed:
            standing.refused(sealed_at, at, self._rng)
        elif outcome.trouble and not expected:
            standing.trouble(sealed_at, at, self._rng)
        elif outcome.throttled or outcome.relogin or expected:
            standing.no_verdict(sealed_at)
        else:
            if vendor in self.sessions:
                self.sessions[vendor].proved()
            return standing.good(sealed_at)
        return False

    def login_failed(self, vendor: str, outcome: Outcome, at: float) -> None:
        """A login was refused or not answered."""
        self.sessions[vendor].refused(at, self._rng, denied=outcome.refused)

    def logging_in(self) -> int:
        """Logins that are out."""
        return sum(session.logging_in for session in self.sessions.values())

    def next_login(self) -> float:
        """When a login may be due at the earliest, for whoever waits; infinite if none can be."""
        idle = (each for each in self.sessions.values() if not each.logging_in)
        return min((each.next_login() for each in idle), default=math.inf)

    def logins(self, wanted: Collection[str], now: float) -> Iterator[tuple[str, float]]:
        """(vendor, when) of logins that somebody waits for: due now, or not before `when`."""
        for vendor, session in self.sessions.items():
            if vendor in wanted and not session.logging_in:
                yield vendor, now if session.wants_login(now) else session.next_login()

    def refused(self, vendor: str) -> bool:
        """Whether the vendor refuses the account, its calls or its logins."""
        session = self.sessions.get(vendor)
        return self.standings[vendor].state == "refused" or (session is not None and session.denied)

    def well(self, vendor: str) -> bool:
        """Whether whole batches may leave."""
        return self.standings[vendor].well

    def ill(self, vendors: Iterable[str]) -> bool:
        """Whether the last calls to every one of these ended with trouble."""
        return all(
            standing.in_a_row or not standing.well
            for standing in (self.standings[vendor] for vendor in vendors)
        )

    def _over(self, vendor: str, sealed_at: float) -> None:
        out = self._out[vendor]
        out[sealed_at] -= 1
        if out[sealed_at] <= 0:
            del out[sealed_at]
