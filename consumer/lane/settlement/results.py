"""Results: the one final record of an invitation."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.lane.account.accounts import News
from consumer.lane.state.commands import Batch
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Outcome, Verdict
from consumer.records.fields import RECORD_VERSION, rfc3339
from consumer.records.invitation import Invitation
from consumer.records.result import Reason, Result


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What all invitations of one call share. Times are RFC 3339."""

    batch: str | None = None
    sent_at: str | None = None
    answered_at: str | None = None
    http_status: int | None = None
    code: str | None = None
    message: str | None = None

    @classmethod
    def from_call(
        cls, batch: str, outcome: Outcome, sent_at: float, answered_at: float
    ) -> CallFacts:
        """Return the facts of a call that was made."""
        return cls(
            batch=batch,
            sent_at=rfc3339(sent_at),
            answered_at=rfc3339(answered_at),
            http_status=outcome.http_status,
            code=outcome.code,
            message=outcome.message,
        )


NO_CALL = CallFacts()


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """A call that ended at `at`, and what its answer says about account and campaign."""

    batch: Batch
    outcome: Outcome
    facts: CallFacts
    at: float
    news: News = field(default_factory=News)

    @property
    def verdict(self) -> Verdict:
        """The answer's verdict; no clear answer is a retry if the campaign resends."""
        verdict = self.outcome.verdict
        resend = verdict is Verdict.IN_DOUBT and self.batch.rules.in_doubt == "resend"
        return Verdict.RETRY if resend else verdict


def result_of(
    invitation: Invitation,
    reason: Reason,
    campaign: LaneCampaign | None,
    attempt: int,
    facts: CallFacts = NO_CALL,
) -> Result:
    """Make the final record of an invitation; `campaign` is None if the config lacks it."""
    result: Result = {
        "version": RECORD_VERSION,
        "id": invitation["id"],
        "event_id": invitation["event_id"],
        "status": reason.status,
        "reason": reason,
        "route": invitation["route"],
        "campaign": invitation["campaign"],
        "vendor": campaign.vendor if campaign else None,
        "channel": campaign.channel if campaign else None,
        "batch": facts.batch,
        "attempt": attempt,
        "http_status": facts.http_status,
        "vendor_code": facts.code,
        "vendor_message": facts.message,
        "recipient": invitation["pseudonym"],
        "event_time": invitation["event_time"],
        "routed_at": invitation["routed_at"],
        "sent_at": facts.sent_at,
        "answered_at": facts.answered_at,
        "config_version": invitation["config_version"],
        "source": invitation["source"],
    }
    if "resend_of" in invitation:
        result["resend_of"] = invitation["resend_of"]
    return result
