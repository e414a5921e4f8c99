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
def sick_campaign_stops_its_account() -> Iterator[None]:
    """Trouble of one campaign is the account's, and its probes are all the sick one's (D1)."""
    own = "if not own.opened:", "if True:"

    def sick_first(standing: CircuitBreaker, now: float, campaign: str = "") -> bool:
        accused = not standing.accused or campaign in standing.accused
        return accused and now >= standing.probe_time(campaign)

    with (
        rewritten(Accounts, "_trouble", own),
        patch.object(circuit_breaker, "QUICK", 0),
        patch.object(CircuitBreaker, "may_probe", sick_first),
    ):
        yield
