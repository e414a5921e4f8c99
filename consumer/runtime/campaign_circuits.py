"""Logs which campaigns their own circuit breaker holds back.

    closed ──breaker opens, account's is closed, invitations wait─► open: `campaign_circuit_opened`
       ▲                                                             │
       └── answered, parked, or no invitations wait ─────────────────┘ `campaign_circuit_closed`

While the account's circuit breaker is open, it holds back all campaigns of the account: the log
has `circuit_opened` of the account and no line of a campaign. A campaign without waiting
invitations is not held back, though its breaker stays open until its next call is accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from consumer.http.calls import Answered
from consumer.lane.lane import Lane
from consumer.records.call import Verdict

HINT = (
    "the vendor fails or refuses this campaign's calls, one customer at a time is tried: mend it "
    "at the vendor, then `survey-dispatcher campaigns retry {campaign}`"
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CampaignCircuits:
    """Campaign circuit breakers of one ownership of a lane, as the log shows them.

    `_last`: campaign → answer and vendor's code of its last call that was not accepted; `_told`:
    campaigns whose breaker was logged as open.
    """

    lane: Lane
    _last: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def answered(self, event: Answered) -> None:
        """Record a call that ended, after the lane has processed its answer."""
        campaign, outcome = event.batch.campaign, event.outcome
        if outcome.verdict is not Verdict.ACCEPTED:
            self._last[campaign] = event.label, outcome.code
        if not self.lane.accounts.campaigns[campaign].closed or campaign in self._told:
            self._tell([campaign], self._waiting(), event.at)

    def held_back(self, now: float) -> Mapping[str, int]:
        """Return campaigns that their breaker holds back → waiting invitations. Log changes."""
        breakers = self.lane.accounts.campaigns
        suspects = [name for name, own in breakers.items() if not own.closed]
        if not suspects and not self._told:
            return {}
        waiting = self._waiting()
        self._tell({*suspects, *self._told}, waiting, now)
        return {name: waiting[name] for name in suspects if self._is_held(name, waiting, now)}

    def _tell(self, campaigns: Iterable[str], waiting: Mapping[str, int], now: float) -> None:
        for campaign in campaigns:
            if campaign not in self._told and self._is_held(campaign, waiting, now):
                self._told.add(campaign)
                answer, code = self._last.get(campaign, (None, None))
                log.warning(
                    "campaign_circuit_opened",
                    lane=self.lane.settings.name,
                    campaign=campaign,
                    answer=answer,
                    code=code,
                    waiting=waiting[campaign],
                    hint=HINT.format(campaign=campaign),
                )
            elif campaign in self._told and (why := self._ended(campaign, waiting, now)):
                self._told.discard(campaign)
                log.warning(
                    "campaign_circuit_closed",
                    lane=self.lane.settings.name,
                    campaign=campaign,
                    waiting=waiting.get(campaign, 0),
                    why=why,
                )

    def _is_held(self, campaign: str, waiting: Mapping[str, int], now: float) -> bool:
        known = self.lane.settings.campaigns.get(campaign)
        if known is None or self._ended(campaign, waiting, now):
            return False
        return self.lane.accounts.well(known.vendor) and not self.lane.accounts.refused(
            known.vendor
        )

    def _ended(self, campaign: str, waiting: Mapping[str, int], now: float) -> str | None:
        """Return why the breaker no longer holds the campaign back; None if it still may."""
        if self.lane.settlement.parked(campaign, now):  # or removed from the config
            return "parked"
        if self.lane.accounts.campaigns[campaign].closed:
            return "answered"
        return None if waiting.get(campaign) else "nothing_waits"

    def _waiting(self) -> Counter[str]:
        """Return campaign → unsettled invitations, including calls in flight."""
        lane, outcomes = self.lane, self.lane.settlement
        waiting = Counter(lane.buffer.read_plan.counts)
        for name, window in lane.windows.items():
            waiting[name] += window.count
        waiting.update(trial.campaign for trial in outcomes.trials if trial.ready)
        for bisection in outcomes.bisections:
            waiting[bisection.campaign] += sum(1 for _ in bisection)
        for batch in lane.in_flight.values():
            waiting[batch.campaign] += len(batch.invitations)
        return waiting
