"""Log lines and metrics of vendor calls, written by a lane's owner. It makes no decision.

The log has one line for each call, and one for each event that an operator should see: refused
credentials, a circuit breaker that opens or closes (an account's or a campaign's), a campaign that
is parked or sends again, a 429, a bisected batch. Why a call failed is told in the words of
`failure_words`, beside a vendor's code what it means.

A campaign's breaker is logged only while it holds invitations back:

    closed ──breaker opens, account's is closed, invitations wait─► open: `campaign_circuit_opened`
       ▲                                                             │
       └── answered, parked, or no invitations wait ─────────────────┘ `campaign_circuit_closed`

While the account's circuit breaker is open, it holds back all campaigns of the account: the log
has `circuit_opened` of the account and no line of a campaign. A campaign without waiting
invitations is not held back, though its breaker stays open until its next call is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from consumer.http.calls import Answered, LoginEnded
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.snapshot import (
    AccountSnapshot,
    CampaignCircuit,
    CampaignSnapshot,
    LaneSnapshot,
)
from consumer.observability.metrics.exemplars import Exemplar
from consumer.observability.metrics.lane import LaneMetrics
from consumer.records.call import Outcome, Verdict
from consumer.records.fields import rfc3339
from consumer.records.trace_context import trace_id_of
from consumer.runtime.lane.lane_status import Trouble
from consumer.runtime.lane.lane_traces import LaneTraces

HINT = (
    "the vendor fails or refuses this campaign's calls, one customer at a time is tried: mend it "
    "at the vendor, then `survey-dispatcher campaigns retry {campaign}`"
)

PARKED_HINT = (
    "the vendor cannot use this campaign as it is: mend it at the vendor, or its `id` in the "
    "config, then `survey-dispatcher campaigns retry {campaign}`"
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneReport:
    """Report of one ownership of a lane.

    `failed`: campaign → why its last call was not accepted. `troubles`: account → since when and
    why its calls are held back. `_failed`: campaign → answer, code and words of its last call that
    was not accepted; `_held_back`: campaigns whose breaker was logged as open; `_parked`: campaign
    → when it was parked last.
    """

    lane: Lane
    metrics: LaneMetrics
    traces: LaneTraces
    _accounts: dict[str, AccountSnapshot] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    _failed: dict[str, dict[str, str | None]] = field(default_factory=dict)
    _held_back: set[str] = field(default_factory=set)
    _parked: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The lane's name."""
        return self.lane.settings.name

    def sealed(self, batch: Batch) -> None:
        """Record a call that is about to be sent."""
        self.metrics.sealed(batch.campaign, batch.why, len(batch.invitations))
        self.metrics.bisected(calls=batch.why is SealReason.PART)

    def answered(self, event: Answered, seconds: float) -> None:
        """Record a call that ended, after the lane has processed its answer."""
        self._count(event, seconds)
        self.traces.answered(event)
        self._log_call(event, seconds)
        self._log_429(event.outcome, event.at)
        for ended in self.lane.settlement.bisections.take_ended():
            self.metrics.bisected(began=1)
            log.warning(
                "batch_divided",
                lane=self.name,
                campaign=ended.campaign,
                customers=ended.size,
                bad=ended.bad,
                accepted=ended.good,
                calls=ended.calls,
            )
        self._log_account(event.vendor, event.at, event.reason)
        campaign = event.batch.campaign
        if event.outcome.verdict is not Verdict.ACCEPTED:
            self.failed[campaign] = _words(event.reason, event.meaning)
            self._failed[campaign] = _told(event)
        shown = self.lane.campaign_snapshot(campaign, event.at)
        self._log_parked(campaign, shown, event.at)
        self._log_circuit(campaign, shown)

    def login(self, event: LoginEnded) -> None:
        """Record a login that ended, after the lane has processed it."""
        self.metrics.login(event.vendor, event.outcome.verdict)
        if event.expires_at is None:
            log.warning(
                "login_failed",
                vendor=event.vendor,
                status=event.outcome.http_status,
                reason=event.reason,
            )
        self._log_account(event.vendor, event.at, event.reason)

    def log_circuits(self, shown: LaneSnapshot) -> None:
        """Log the campaign circuit breakers that changed without an answer."""
        for name, campaign in shown.campaigns.items():
            self._log_circuit(name, campaign)

    # -- parts --------------------------------------------------------------------------------

    def _count(self, event: Answered, seconds: float) -> None:
        batch, outcome, metrics = event.batch, event.outcome, self.metrics
        sampled = self.traces.sampled_in(batch)
        of_call = [Exemplar(seconds, trace_id_of(one.traceparent), event.at) for one in sampled[:1]]
        metrics.call(event.vendor, event.label, seconds, of_call)
        if outcome.code is not None:
            metrics.vendor_code(event.vendor, outcome.code)
        if outcome.throttled:
            metrics.throttled()
        if outcome.verdict is Verdict.IN_DOUBT:
            metrics.in_doubt()
        if outcome.verdict is Verdict.ACCEPTED:
            of_events = [
                Exemplar(age, trace_id_of(one.traceparent), event.at)
                for one in sampled
                for age in _ages([one], event.at)
            ]
            metrics.accepted(_ages(batch.invitations, event.at), of_events)

    def _log_call(self, event: Answered, seconds: float) -> None:
        batch, outcome = event.batch, event.outcome
        write = log.info if outcome.verdict is Verdict.ACCEPTED else log.warning
        write(
            "call",
            lane=self.name,
            batch=batch.id,
            campaign=batch.campaign,
            customers=len(batch.invitations),
            why=batch.why.value,
            verdict=outcome.verdict.value,
            answer=event.label,
            code=outcome.code,
            **({"reason": event.reason} if event.reason else {}),
            **({"meaning": event.meaning} if event.reason and event.meaning else {}),
            seconds=round(seconds, 3),
            **({"hint": outcome.hint} if outcome.hint else {}),
        )

    def _log_429(self, outcome: Outcome, at: float) -> None:
        if outcome.throttled:
            quota = self.lane.quota.snapshot(at)
            log.error(
                "vendor_throttles",
                lane=self.name,
                closed_until=rfc3339(quota.closed_until),
                limits_in_use=f"{quota.limits_in_use:.0%}",
            )

    def _log_parked(self, name: str, campaign: CampaignSnapshot, at: float) -> None:
        before = self._parked.get(name, 0.0)
        if campaign.parked_at > before:
            self._parked[name] = campaign.parked_at
            log.error(
                "campaign_parked",
                lane=self.name,
                campaign=name,
                **self._failed.get(name, {}),
                tries_at=rfc3339(campaign.parked_until),
                hint=PARKED_HINT.format(campaign=name),
            )
        elif before and not campaign.parked_at:
            del self._parked[name]
            log.warning(
                "campaign_unparked",
                lane=self.name,
                campaign=name,
                parked_at=rfc3339(before),
                seconds=round(at - before, 3),
                waiting=campaign.unsettled,
            )

    def _log_account(self, vendor: str, at: float, reason: str) -> None:
        well, now = AccountSnapshot(vendor), self.lane.accounts.snapshot(vendor)
        before = self._accounts.get(vendor, well)
        self._accounts[vendor] = now
        trouble = self.troubles.pop(vendor, Trouble(at))
        if not now.well:
            self.troubles[vendor] = Trouble(trouble.since, reason or trouble.why)
        if now == before:
            return
        if now == well:
            seconds = round(at - trouble.since, 3)
            log.warning("vendor_recovered", lane=self.name, vendor=vendor, seconds=seconds)
        else:
            what = "credentials_refused" if now.credentials_refused else "circuit_opened"
            log.error(what, lane=self.name, vendor=vendor, reason=reason)

    def _log_circuit(self, name: str, campaign: CampaignSnapshot) -> None:
        held_back, circuit = name in self._held_back, campaign.circuit
        if campaign.circuit_open and not held_back:
            self._held_back.add(name)
            log.warning(
                "campaign_circuit_opened",
                lane=self.name,
                campaign=name,
                **self._failed.get(name, {}),
                waiting=campaign.unsettled,
                hint=HINT.format(campaign=name),
            )
        elif held_back and circuit not in {CampaignCircuit.OPEN, CampaignCircuit.ACCOUNT}:
            self._held_back.discard(name)
            log.warning(
                "campaign_circuit_closed",
                lane=self.name,
                campaign=name,
                waiting=campaign.unsettled,
                why=circuit.value,
            )


def _told(event: Answered) -> dict[str, str | None]:
    """Return what the log says of a failed call."""
    return {
        "answer": event.label,
        "code": event.outcome.code,
        "reason": event.reason,
        "meaning": event.meaning,
    }


def _words(reason: str, meaning: str | None) -> str:
    return f"{reason}: {meaning.rstrip('.')}" if meaning else reason


def _ages(invitations: Iterable[PendingInvitation], now: float) -> list[float]:
    """Return the seconds since each invitation's event, or since it was due if that was later. One
    that had to wait for a contact rule is left out: its wait says nothing of this service."""
    times = [
        (pending.event_at, pending.eligible_from)
        for pending in invitations
        if not pending.waits_for
    ]
    return [now - max(happened, due) for happened, due in times if happened is not None]
