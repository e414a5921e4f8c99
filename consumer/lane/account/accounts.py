"""The vendor accounts of a lane: which calls may leave now, how large, and which logins are due.

Each account has a circuit breaker (`breakers`), each campaign its own (`campaigns`). An answer
counts for the account or the campaign:

| answer                         | campaign closed, account closed | campaign open | account open |
|--------------------------------|---------------------------------|---------------|--------------|
| trouble                        | both count it                   | the campaign  | the account  |
| refusal                        | suspects the account, opens the | the campaign  | the account  |
|                                | campaign                        |               |              |
| accepted                       | closes both                     | closes both   | closes both  |

A refusal of a customer on trial only confirms the suspicion of a closed account: while the account
is open, it must not postpone the probe of another customer.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from consumer.lane.account.campaign_breaker import CampaignBreaker
from consumer.lane.account.circuit_breaker import CircuitBreaker, State
from consumer.lane.account.login_session import LoginSession
from consumer.lane.state.commands import Batch
from consumer.lane.state.snapshot import AccountSnapshot
from consumer.records.call import Outcome, Verdict

SLOW = 1 / 3
"""Share of the call timeout after which a call is slow."""

HANGS = 2
"""Slow calls at once that stop further calls: one may be chance, two are a vendor that hangs, and
every further batch would be in doubt as well."""


@dataclass(frozen=True, slots=True)
class News:
    """What an answer says about its account and campaign.

    `recovered`: the account's breaker closed. `closed`: the campaign's did. `pause`: seconds until
    the campaign's next probe. `refused`: a definite no without a cause. `was_well`: both breakers
    were closed, so that an attempt counts.
    """

    recovered: bool = False
    closed: bool = False
    pause: float = 0.0
    refused: bool = False
    was_well: bool = True


class Accounts:
    """Sessions and breakers by vendor account, breakers by campaign, and the calls in flight."""

    def __init__(self, logins: Collection[str], call_timeout: float, rng: random.Random) -> None:
        self.sessions = {vendor: LoginSession() for vendor in logins}
        self.breakers: dict[str, CircuitBreaker] = defaultdict(CircuitBreaker)
        self.campaigns: dict[str, CampaignBreaker] = defaultdict(CampaignBreaker)
        self._slow = call_timeout * SLOW
        self._out: dict[str, dict[str, Batch]] = defaultdict(dict)
        """Vendor → calls in flight, except for open campaigns, whose calls may well hang."""
        self._probes: set[str] = set()
        self._vendors: dict[str, str] = {}
        self._rng = rng

    def reconfigure(
        self, logins: Collection[str], call_timeout: float, changed: Collection[str], now: float
    ) -> None:
        """Apply another config. Accounts in `changed` start with a closed breaker and a login."""
        self._slow = call_timeout * SLOW
        for vendor in logins:
            self.sessions.setdefault(vendor, LoginSession())
        for vendor in changed:
            self.breakers[vendor].credentials_renewed(now)
            self._acquit(vendor)
            if vendor in self.sessions:
                self.sessions[vendor].forget()

    def retry(self, vendor: str, campaign: str, now: float) -> None:
        """End the pauses of account and campaign; their breakers stay open."""
        self.breakers[vendor].retry(now)
        if vendor in self.sessions:
            self.sessions[vendor].retry(now)
        self.campaigns[campaign].failures = 0

    def usable(self, vendor: str, now: float) -> bool:
        """Return whether the account has the session that a call needs."""
        session = self.sessions.get(vendor)
        return session is None or session.usable(now)

    def open_for_all(self, vendor: str, now: float) -> bool:
        """Return whether any campaign of the account may be called now."""
        return (
            self.usable(vendor, now)
            and self.breakers[vendor].closed
            and not self._hangs(vendor, now)
        )

    def may_call(self, campaign: str) -> bool:
        """Return whether this campaign may be called, given that its account's breaker is closed:
        no probe of it is in flight."""
        return not self.campaigns[campaign].probing

    def one_only(self, vendor: str, campaign: str) -> bool:
        """Return whether the campaign's next call is a probe with one customer."""
        return not (self.breakers[vendor].closed and self.campaigns[campaign].closed)

    def _hangs(self, vendor: str, now: float) -> bool:
        out = self._out[vendor].values()
        slow = sum(now - batch.sealed_at > self._slow for batch in out)
        return slow >= HANGS

    def left(self, batch: Batch, *, part: bool = False) -> None:
        """Record that a call was sealed. `part`: of a bisection or a trial, which is no probe."""
        vendor, campaign = batch.rules.vendor, batch.campaign
        standing, own = self.breakers[vendor], self.campaigns[campaign]
        self._vendors[campaign] = vendor
        if own.closed:
            self._out[vendor][batch.id] = batch
        if not part and not (standing.closed and own.closed):
            self._probes.add(batch.id)
            standing.probing = not standing.closed
            own.probing = not own.closed

    def answered(
        self,
        batch: Batch,
        outcome: Outcome,
        at: float,
        *,
        expected: bool = False,
        trial: bool = False,
    ) -> News:
        """Record an answer. Return what it says.

        `expected`: a part of a divided batch, in which a customer is known to fail. `trial`: a
        customer that was refused alone before. A failure of these says nothing, but a success does.
        """
        vendor, sealed_at = batch.rules.vendor, batch.sealed_at
        standing, own = self.breakers[vendor], self.campaigns[batch.campaign]
        was_well = standing.closed and own.closed
        self.unsent(batch)
        if outcome.relogin and not self._token_tried(vendor, sealed_at):
            self.sessions[vendor].invalidate(at, sealed_at, self._rng)
        elif sealed_at < standing.renewed_at and (outcome.relogin or outcome.unattributed):
            return News(was_well=was_well)  # it is about the former secret
        elif outcome.relogin or outcome.unattributed:
            self._refused(batch, at, expected=expected, trial=trial)
            return News(refused=True, was_well=was_well)
        elif outcome.trouble and not (expected or trial):
            return News(pause=self._trouble(batch, at), was_well=was_well)
        elif not (outcome.throttled or outcome.trouble):
            return self._good(batch, outcome.verdict is Verdict.ACCEPTED)
        return News(was_well=was_well)

    def unsent(self, batch: Batch) -> None:
        """Record that a call is no longer in flight, whatever its answer."""
        self._out[batch.rules.vendor].pop(batch.id, None)
        if batch.id in self._probes:
            self._probes.discard(batch.id)
            self.breakers[batch.rules.vendor].probing = False
            self.campaigns[batch.campaign].probing = False

    def proved_at(self, vendor: str) -> float:
        """Return when the account's newest accepted call was sealed."""
        return self.breakers[vendor].accepted_at

    def passes(self, vendor: str, campaign: str) -> bool:
        """Return whether a call of the account was accepted since this campaign's last refusal."""
        return self._passes(vendor, self.campaigns[campaign])

    def testable(self, vendor: str, waiting: Iterable[str]) -> bool:
        """Return whether calls of campaigns that were not refused will soon test the account: they
        are in flight, or their customers are `waiting` (names of campaigns)."""
        out = (batch.campaign for batch in self._out[vendor].values())
        return not all(self.campaigns[name].accused for name in chain(out, waiting))

    def open_campaigns(self, vendor: str) -> int:
        """Return how many campaigns of the account have an open breaker."""
        named = (own for name, own in self.campaigns.items() if self._vendors.get(name) == vendor)
        return sum(not own.closed for own in named)

    def suspects(self, vendor: str) -> list[str]:
        """Return the account's campaigns that had trouble, and no accepted call since."""
        return [
            name
            for name, own in self.campaigns.items()
            if (own.run or own.opened) and self._vendors.get(name) == vendor
        ]

    def _token_tried(self, vendor: str, sealed_at: float) -> bool:
        session = self.sessions.setdefault(vendor, LoginSession())
        return session.replaced and sealed_at >= session.opened_at

    def _refused(self, batch: Batch, at: float, *, expected: bool, trial: bool) -> None:
        vendor, sealed_at = batch.rules.vendor, batch.sealed_at
        standing, own = self.breakers[vendor], self.campaigns[batch.campaign]
        again = len(batch.invitations) > 1 and own.refused_again(
            [pending.offset for pending in batch.invitations]
        )
        if (
            expected
            or again
            or (not trial and standing.closed and own.suspect and self._passes(vendor, own))
        ):
            return
        if not trial or (standing.closed and standing.suspected_at is not None):
            standing.record_refusal(sealed_at, at, self._rng, batch.campaign, repeated=trial)
        if standing.state is State.REFUSED and vendor in self.sessions:
            self.sessions[vendor].invalidate(at, sealed_at, self._rng)

    def _passes(self, vendor: str, own: CampaignBreaker) -> bool:
        """Return whether a call of the account was accepted since this campaign's last refusal."""
        refused = [*own.alone.values(), own.batch_at]
        return self.breakers[vendor].accepted_at > max(refused)

    def _trouble(self, batch: Batch, at: float) -> float:
        vendor, sealed_at = batch.rules.vendor, batch.sealed_at
        standing, own = self.breakers[vendor], self.campaigns[batch.campaign]
        if not standing.closed:
            standing.record_failure(sealed_at, at, self._rng, batch.campaign)
            return 0.0
        if not own.opened:
            standing.record_failure(sealed_at, at, self._rng, batch.campaign)
        return own.record_failure(sealed_at, at, self._rng, open_now=self.open_campaigns(vendor))

    def _good(self, batch: Batch, accepted: bool) -> News:
        vendor, sealed_at = batch.rules.vendor, batch.sealed_at
        if accepted and vendor in self.sessions:
            self.sessions[vendor].proved()
        standing = self.breakers[vendor]
        failed = (standing.accused | standing.tested) - {batch.campaign}
        was_refused = standing.state is State.REFUSED
        closed = self.campaigns[batch.campaign].record_success(sealed_at, accepted=accepted)
        recovered = standing.record_success(sealed_at, accepted=accepted)
        if recovered and accepted and was_refused:
            for name in failed:
                self.campaigns[name].doubted = True
        return News(recovered=recovered, closed=closed)

    def _acquit(self, vendor: str) -> None:
        for name, own in self.campaigns.items():
            if self._vendors.get(name) == vendor:
                own.acquit()

    def login_failed(self, vendor: str, outcome: Outcome, at: float) -> None:
        """Record that a login was refused or not answered."""
        self.sessions[vendor].refused(at, self._rng, denied=outcome.refused)

    def logging_in(self) -> int:
        """Return the number of logins in flight."""
        return sum(session.logging_in for session in self.sessions.values())

    def next_login(self) -> float:
        """Return the earliest time of the next login of any vendor; infinite if none can be due."""
        idle = (each for each in self.sessions.values() if not each.logging_in)
        return min((each.next_login() for each in idle), default=math.inf)

    def logins(self, wanted: Collection[str], now: float) -> Iterator[tuple[str, float]]:
        """Yield (vendor, time) of `wanted` vendors' logins: due now, or not before that time."""
        for vendor, session in self.sessions.items():
            if vendor in wanted and not session.logging_in:
                yield vendor, now if session.wants_login(now) else session.next_login()

    def refused(self, vendor: str) -> bool:
        """Return whether the vendor refuses the account, its calls or its logins."""
        session = self.sessions.get(vendor)
        return self.breakers[vendor].state == "refused" or (session is not None and session.denied)

    def holds_back(self, vendor: str, campaign: str) -> bool:
        """Return whether either breaker is open (account, campaign), or a login was refused."""
        own = self.campaigns.get(campaign)
        return self.refused(vendor) or not self.well(vendor) or (own is not None and not own.closed)

    def well(self, vendor: str) -> bool:
        """Return whether the account's breaker is closed, so that whole batches may leave."""
        return self.breakers[vendor].closed

    def snapshot(self, vendor: str) -> AccountSnapshot:
        """Return whether the account's calls may leave; refused credentials say more than the open
        circuit breaker that follows."""
        refused, session = self.refused(vendor), self.sessions.get(vendor)
        denied = session if session is not None and session.denied else None
        tries_at = denied.next_login() if denied else self.breakers[vendor].next_probe
        return AccountSnapshot(vendor, refused, not (refused or self.well(vendor)), tries_at)

    def ill(self, vendors: Iterable[str]) -> bool:
        """Return whether the last calls to every one of these vendors ended with trouble."""
        return all(
            standing.in_a_row or not standing.closed
            for standing in (self.breakers[vendor] for vendor in vendors)
        )
