"""Customer since: a new customer is not asked yet.

Counted back from the transaction, so that a replay decides alike. An event that does not say since
when, or says it in no readable way, is held back: the rule is never open by accident. A date
without a time counts from its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumer.policy.candidate import Candidate, Value
from consumer.records.result import Reason


@dataclass(frozen=True, slots=True)
class CustomerSince:
    """`at`: since when the person is a customer. `at_least`: seconds before the transaction."""

    at: Value
    at_least: float

    def __call__(self, candidate: Candidate, _now: float) -> Reason | None:
        """Refuse a customer that is too new."""
        since = candidate.time_at(self.at)
        known = since is not None and candidate.event_time - since >= self.at_least
        return None if known else Reason.TOO_NEW
