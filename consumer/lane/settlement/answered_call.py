"""A call that ended, as settlement sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.lane.account.accounts import News
from consumer.lane.state.commands import Batch
from consumer.lane.state.results import CallFacts
from consumer.records.call import Outcome, Verdict


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
