"""Planted defects of the breakers: a sick campaign, or a stray answer, silences its account."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

from consumer.lane.account import circuit_breaker
from consumer.lane.account.accounts import Accounts
from consumer.lane.account.circuit_breaker import CircuitBreaker
from tests.simulation.planting import defect, rewritten


@defect
def stray_refusal_silences_the_account() -> Iterator[None]:
    """The first refusal, of whichever call, shuts the account until a paced probe passes (D6)."""
    suspected = "if self.closed and self.suspected_at is None:", "if False:"
    with (
        rewritten(CircuitBreaker, "record_refusal", suspected),
        patch.object(circuit_breaker, "QUICK", 0),
    ):
        yield


@defect
def trials_postpone_the_probe() -> Iterator[None]:
    """Customers that were refused alone before keep their account closed for all others."""
    only_while_closed = "standing.closed and standing.suspected_at", "standing.suspected_at"
    with rewritten(Accounts, "_refused", only_while_closed):
        yield


@defect
def sick_campaign_stops_its_account() -> Iterator[None]:
    """Trouble of one campaign is the account's, and its probes are all the sick one's (D1)."""
    own = "if not own.opened:", "if True:"
    sick_first = (
        "if self.closed or self.probing:",
        "if self.closed or self.probing or (self.accused and campaign not in self.accused):",
    )
    with (
        rewritten(Accounts, "_trouble", own),
        rewritten(CircuitBreaker, "probe_time", sick_first),
        patch.object(circuit_breaker, "QUICK", 0),
    ):
        yield
