"""The vendor accounts of a lane: which calls may leave now, how large, and which logins are due.

Each account has a breaker (`standing`), each campaign its own (`campaign_standing`). An answer is
news of one of them:

| answer                         | campaign closed, account closed | campaign open | account open |
|--------------------------------|---------------------------------|---------------|--------------|
| trouble                        | both count it                   | the campaign  | the account  |
| refusal                        | suspects the account, opens the | the campaign  | the account  |
|                                | campaign                        |               |              |
| accepted                       | closes both                     | closes both   | closes both  |
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from consumer.lane.account.campaign_breaker import CampaignBreaker
from consumer.lane.account.circuit_breaker import (
    CircuitBreaker,
    State,
)
from consumer.lane.account.login_session import LoginSession
from consumer.lane.state.commands import Batch
from consumer.records.call import (
    Outcome,
    Verdict,
)

SLOW = 1 / 3
"""Share of the time to answer after which a call is slow."""

HANGS = 2
"""Slow calls at once, at which no more are made: one may be chance, two are a vendor that hangs,
and every further batch would be in doubt as well."""


@dataclass(frozen=True, slots=True)
class News:
    """What an answer told. `recovered`: the account is well again. `closed`: the campaign is.
    `pause`: seconds until the campaign's next probe. `refused`: a definite no without a cause.
    `was_well`: the campaign and its account were well, so that an attempt counts.
    """

    recovered: bool = False
    closed: bool = False
    pause: float = 0.0
    refused: bool = False
    was_well: bool = True


class Accounts:
    """Sessions and breakers by vendor account, breakers by campaign, and the calls that are out."""

    def __init__(self, logins: Collection[str], call_timeout: float, rng: random.Random) -> None:
        self.sessions = {vendor: LoginSession() for vendor in logins}
        self.breakers: dict[str, CircuitBreaker] = defaultdict(CircuitBreaker)
        self.campaigns: dict[str, CampaignBreaker] = defaultdict(CampaignBreaker)
        self._slow = call_timeout * SLOW
        self._out: dict[str, dict[str, Batch]] = defaultdict(dict)
        """Vendor → calls that are out, but for those of open campaigns, which may well hang."""
        self._probes: set[str] = set()
        self._vendors: dict[str, str] = {}
        self._rng = rng

    def reconfigure(
        self, logins: Collection[str], call_timeout: float, changed: Collection[str], now: float
    ) -> None:
        """Another config; what was wrong with accounts that `changed` may be mended."""
        self._slow = call_timeout * SLOW
        for vendor in logins:
            self.sessions.setdefault(vendor, LoginSession())
        for vendor in changed:
            self.breakers[vendor].credentials_renewed(now)
            self._acquit(vendor)
            if vendor in self.sessions:
                self.sessions[vendor].forget()

    def retry(self, vendor: str, campaign: str, now: float) -> None:
        """What was wrong may be mended: end the pauses of both, whose breakers stay open."""
        self.breakers[vendor].retry(now)
        if vendor in self.sessions:
            self.sessions[vendor].retry(now)
        self.campaigns[campaign].failures = 0

    def usable(self, vendor: str, now: float) -> bool:
        """Whether the account has the session that a call needs."""
        session = self.sessions.get(vendor)
        return session is None or session.usable(now)

    def open_for_all(self, vendor: str, now: float) -> bool:
        """Whether any campaign of the account may be called now."""
        return (
            self.usable(vendor, now)
            and self.breakers[vendor].closed
            and not self._hangs(vendor, now)
        )

    def may_call(self, campaign: str) -> bool:
        """Whether this campaign of an account that is well may be called: a probe is not out."""
        return not self.campaigns[campaign].probing

    def one_only(self, vendor: str, campaign: str) -> bool:
        """Whether the campaign's next call carries one customer, as a probe."""
        return not (self.breakers[vendor].closed and self.campaigns[campaign].closed)

    def _hangs(self, vendor: str, now: float) -> bool:
        out = self._out[vendor].values()
        slow = sum(now - batch.sealed_at > self._slow for batch in out)
        return slow >= HANGS

    def wake_at(self, now: float) -> float:
        """When a probe is due next; infinite if none waits for its time."""
        due = (
            standing.probe_at
            for standing in self.breakers.values()
            if not (standing.closed or standing.probing) and standing.probe_at > now
        )
        return min(due, default=math.inf)

    def left(self, batch: Batch, *, part: bool = False) -> None:
        """A call was sealed. `part`: of a divided batch, or one on trial, which is no probe."""
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
        """That call ended.

        `expected`: a part of a divided batch, in which a customer is known to fail. `trial`: a
        customer that was refused alone before. Their failures are no news, but a success is.
        """
        vendor, sealed_at = batch.rules.vendor, batch.sealed_at
        standing, own = self.breakers[vendor], self.campaigns[batch.campaign]
        was_well = standing.closed and own.closed
        self.unsent(batch)
        if outcome.relogin and not self._token_tried(vendor, sealed_at):
            self.sessions[vendor].invalidate(at, sealed_at, self._rng)
        elif sealed_at < standing.renewed_at and (outcome.relogin or outcome.unattributed):
            return News(was_well=was_well)  # it is about the secret of before
        elif outcome.relogin or outcome.unattributed:
            self._refused(batch, at, expected=expected, trial=trial)
            return News(refused=True, was_well=was_well)
        elif outcome.trouble and not (expected or trial):
            return News(pause=self._trouble(batch, at), was_well=was_well)
        elif not (outcome.throttled or outcome.trouble):
            return self._good(batch, outcome.verdict is Verdict.ACCEPTED)
        return News(was_well=was_well)

    def unsent(self, batch: Batch) -> None:
        """A call is out no more, whatever it told."""
        self._out[batch.rules.vendor].pop(batch.id, None)
        if batch.id in self._probes:
            self._probes.discard(batch.id)
            self.breakers[batch.rules.vendor].probing = False
            self.campaigns[batch.campaign].probing = False

    def proved_at(self, vendor: str) -> float:
        """When the account's newest accepted call was sealed."""
        return self.breakers[vendor].accepted_at

    def passes(self, vendor: str, campaign: str) -> bool:
        """Whether a call of the account was accepted since this campaign's last refused one."""
        return self._passes(vendor, self.campaigns[campaign])

    def testable(self, vendor: str, waiting: Iterable[str]) -> bool:
        """Whether calls of campaigns that were not refused will soon tell of the account: they are
        out, or their customers are `waiting` (names of campaigns)."""
        out = (batch.campaign for batch in self._out[vendor].values())
        return not all(self.campaigns[name].accused for name in chain(out, waiting))

    def open_campaigns(self, vendor: str) -> int:
        """How many campaigns of the account have an open breaker."""
        named = (own for name, own in self.campaigns.items() if self._vendors.get(name) == vendor)
        return sum(not own.closed for own in named)

    def suspects(self, vendor: str) -> list[str]:
        """Campaigns of the account that had trouble, and no accepted call since."""
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
            [held.offset for held in batch.invitations]
        )
        if (
            expected
            or again
            or (not trial and standing.closed and own.suspect and self._passes(vendor, own))
        ):
            return
        if not trial or standing.suspected_at is not None:
            standing.record_refusal(sealed_at, at, self._rng, batch.campaign, repeated=trial)
        if standing.state is State.REFUSED and vendor in self.sessions:
            self.sessions[vendor].invalidate(at, sealed_at, self._rng)

    def _passes(self, vendor: str, own: CampaignBreaker) -> bool:
        """Whether a call of the account was accepted since this campaign was refused."""
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
        return self.breakers[vendor].state == "refused" or (session is not None and session.denied)

    def holds_back(self, vendor: str, campaign: str) -> bool:
        """Whether a breaker is open, the account's or the campaign's, or a login was refused."""
        own = self.campaigns.get(campaign)
        return self.refused(vendor) or not self.well(vendor) or (own is not None and not own.closed)

    def well(self, vendor: str) -> bool:
        """Whether whole batches may leave."""
        return self.breakers[vendor].closed

    def ill(self, vendors: Iterable[str]) -> bool:
        """Whether the last calls to every one of these ended with trouble."""
        return all(
            standing.in_a_row or not standing.closed
            for standing in (self.breakers[vendor] for vendor in vendors)
        )
