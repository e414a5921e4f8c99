"""Status document entries of a lane and of an ended call. Pure: no clock, no client."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from consumer.http.calls import Answered
from consumer.lane.state.snapshot import AccountSnapshot, LaneSnapshot
from consumer.observability.metrics.labels import OTHER
from consumer.observability.status.delayed import CAMPAIGNS_SHOWN, HERE, in_order
from consumer.observability.status.status import (
    AccountStatus,
    BatchStatus,
    CallStatus,
    CampaignStatus,
    LaneStatus,
)

NAMED = 3
"""Campaigns that a sentence names."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Since when an account's calls are held back (epoch seconds), and how its last one failed."""

    since: float
    why: str = ""


def lane_status(
    lane: LaneSnapshot,
    troubles: Mapping[str, Trouble] = MappingProxyType({}),
    failed: Mapping[str, str] = MappingProxyType({}),
) -> LaneStatus:
    """Return the status of a lane that this process owns. `troubles`: of accounts; `failed`:
    campaign → how its last call that was not accepted failed."""
    campaigns = in_order(list(_campaigns(lane, failed)))
    waiting = sum(campaign.in_lane for campaign in campaigns)
    accounts = [_account(account, troubles.get(account.name)) for account in lane.accounts]
    return LaneStatus(
        name=lane.name,
        owner=HERE,
        waiting=waiting,
        stopped=_stopped(accounts, campaigns),
        campaigns=campaigns[:CAMPAIGNS_SHOWN],
        campaigns_more=len(campaigns[CAMPAIGNS_SHOWN:]),
        limits=[replace(limit, left=round(limit.left, 2)) for limit in lane.quota.limits],
        limits_in_use=lane.quota.limits_in_use,
        next_permit=_finite(lane.quota.next_permit),
        held_back_by=lane.quota.held_back_by,
        in_flight=[
            BatchStatus(
                batch.id,
                batch.campaign,
                len(batch.invitations),
                max(0.0, lane.at - batch.sealed_at),
            )
            for batch in lane.in_flight
        ],
        accounts=accounts,
        lag=lane.lag,
        paused=lane.paused,
        drain=_finite(lane.drain),
    )


def call_status(lane: str, event: Answered, seconds: float) -> CallStatus:
    """Return the status of an ended call: of codes only one that the vendor's page or config names,
    for any other may be a customer's word."""
    return CallStatus(
        at=event.at,
        lane=lane,
        vendor=event.vendor,
        batch=event.batch.id,
        campaign=event.batch.campaign,
        customers=len(event.batch.invitations),
        answer=event.label,
        verdict=event.outcome.verdict.value,
        seconds=seconds,
        code=event.known_code,
        why=event.reason,
        meaning=event.meaning,
    )


def _account(account: AccountSnapshot, trouble: Trouble | None) -> AccountStatus:
    return AccountStatus(
        account.name,
        account.credentials_refused,
        account.circuit_open,
        None if trouble is None else trouble.since,
        "" if trouble is None else trouble.why,
        None if account.well else _finite(account.tries_at),
    )


def _stopped(accounts: Sequence[AccountStatus], campaigns: Sequence[CampaignStatus]) -> str:
    """Return why nothing but trials leaves, in words that follow "while"; empty if calls may."""
    if accounts and all(account.held_back for account in accounts):
        refused = [account.name for account in accounts if account.credentials_refused]
        if refused:
            return f"the vendor refuses account {', '.join(refused)}"
        return f"the circuit of account {', '.join(each.name for each in accounts)} is open"
    waiting = [campaign for campaign in campaigns if campaign.in_lane]
    if waiting and all(campaign.circuit_open for campaign in waiting):
        names = ", ".join(campaign.name for campaign in waiting[:NAMED])
        return f"the circuit of campaign {names} is open"
    return ""


def _campaigns(lane: LaneSnapshot, failed: Mapping[str, str]) -> Iterator[CampaignStatus]:
    """Yield campaigns with something to show. A campaign outside the config has its name from a
    record, so the name is not shown."""
    for name, campaign in lane.campaigns.items():
        if campaign.waiting or campaign.parked or campaign.circuit_open:
            yield CampaignStatus(
                name if name in lane.known else OTHER,
                campaign.waiting,
                campaign.oldest_age,
                campaign.parked,
                campaign.circuit_open,
                tries_at=campaign.parked_until if campaign.parked else None,
                why=failed.get(name, "") if campaign.parked or campaign.circuit_open else "",
            )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
