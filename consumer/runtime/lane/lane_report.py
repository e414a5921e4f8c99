"""Log lines and metrics of vendor calls, written by a lane's owner. It makes no decision.

The log has one line for each call, and one for each event that an operator should see: refused
credentials, a circuit breaker that opens or closes (an account's or a campaign's), a parked
campaign, a 429, a bisected batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from consumer.http.calls import Answered, LoginEnded
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, SealReason
from consumer.observability.metrics.metrics import AccountSnapshot, Metrics
from consumer.records.call import Outcome, Verdict
from consumer.runtime.campaign_circuits import CampaignCircuits

log = structlog.get_logger(__name__)

WELL = AccountSnapshot()


@dataclass(slots=True)
class LaneReport:
    """Report of one ownership of a lane."""

    lane: Lane
    metrics: Metrics
    _accounts: dict[str, AccountSnapshot] = field(default_factory=dict)
    _circuits: CampaignCircuits = field(init=False)

    def __post_init__(self) -> None:
        self._circuits = CampaignCircuits(self.lane)

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    def sealed(self, batch: Batch) -> None:
        """Record a call that is about to be sent."""
        self.metrics.sealed(self.name, batch.campaign, batch.why, len(batch.invitations))
        self.metrics.bisected(self.name, calls=batch.why is SealReason.PART)

    def answered(self, event: Answered, seconds: float) -> None:
        """Record a call that ended, after the lane has processed its answer."""
        self._count(event, seconds)
        self._say(event, seconds)
        self._say_more(event.batch, event.outcome)
        for each in self.lane.settlement.ended_bisections():
            self.metrics.bisected(self.name, began=1)
            log.warning(
                "batch_divided",
                lane=self.name,
                campaign=each.campaign,
                customers=each.size,
                bad=each.bad,
                accepted=each.good,
                calls=each.calls,
            )
        self._say_account(event.vendor)
        self._circuits.answered(event)

    def login(self, event: LoginEnded) -> None:
        """Record a login that ended, after the lane has processed it."""
        self.metrics.login(event.vendor, event.outcome.verdict)
        if event.expires_at is None:
            log.warning("login_failed", vendor=event.vendor, status=event.outcome.http_status)
        self._say_account(event.vendor)

    def accounts(self) -> dict[str, AccountSnapshot]:
        """Return vendor account → its circuit breaker's state, for the lane's campaigns."""
        vendors = {each.vendor for each in self.lane.settings.campaigns.values()}
        return {vendor: self._standing(vendor) for vendor in sorted(vendors)}

    def held_back(self, now: float) -> Mapping[str, int]:
        """Return campaigns that their own circuit breaker holds back → waiting invitations."""
        return self._circuits.held_back(now)

    # -- parts --------------------------------------------------------------------------------

    def _count(self, event: Answered, seconds: float) -> None:
        batch, outcome, metrics = event.batch, event.outcome, self.metrics
        metrics.call(self.name, event.vendor, event.label, seconds)
        if outcome.code is not None:
            metrics.vendor_code(self.name, event.vendor, outcome.code)
        if outcome.throttled:
            metrics.throttled(self.name)
        if outcome.verdict is Verdict.IN_DOUBT:
            metrics.in_doubt(self.name)
        if outcome.verdict is Verdict.ACCEPTED:
            metrics.answered(self.name, _ages(batch, event.at))

    def _say(self, event: Answered, seconds: float) -> None:
        batch, outcome = event.batch, event.outcome
        say = log.info if outcome.verdict is Verdict.ACCEPTED else log.warning
        say(
            "call",
            lane=self.name,
            batch=batch.id,
            campaign=batch.campaign,
            customers=len(batch.invitations),
            why=batch.why.value,
            verdict=outcome.verdict.value,
            answer=event.label,
            code=outcome.code,
            seconds=round(seconds, 3),
            **({"hint": outcome.hint} if outcome.hint else {}),
        )

    def _say_more(self, batch: Batch, outcome: Outcome) -> None:
        if outcome.parked:
            log.error("campaign_parked", lane=self.name, campaign=batch.campaign, code=outcome.code)
        if outcome.throttled:
            log.error(
                "vendor_throttles",
                lane=self.name,
                closed_until=round(self.lane.limiter.closed_until, 3),
                limits_in_use=self.lane.quota_backoff.quota_fraction,
            )

    def _say_account(self, vendor: str) -> None:
        before, now = self._accounts.get(vendor, WELL), self._standing(vendor)
        self._accounts[vendor] = now
        if now == before:
            return
        if now == WELL:
            log.warning("vendor_recovered", lane=self.name, vendor=vendor)
        else:
            what = "credentials_refused" if now.refused else "circuit_opened"
            log.error(what, lane=self.name, vendor=vendor)

    def _standing(self, vendor: str) -> AccountSnapshot:
        refused = self.lane.accounts.refused(vendor)
        return AccountSnapshot(refused, ill=not (refused or self.lane.accounts.well(vendor)))


def _ages(batch: Batch, now: float) -> Iterator[float]:
    """Yield the seconds since each invitation's event.

    RFC 3339 allows lower-case `t` and `z`, `fromisoformat` does not. An unreadable time is skipped,
    because it is only a measurement.
    """
    for held in batch.invitations:
        with suppress(ValueError, OverflowError):
            yield now - datetime.fromisoformat(held.invitation["event_time"].upper()).timestamp()
