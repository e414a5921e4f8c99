"""Status document entries of a lane and of an ended call. Pure: no clock, no client."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from consumer.http.calls import Answered
from consumer.lane.state.snapshot import LaneSnapshot
from consumer.observability.metrics.labels import OTHER
from consumer.observability.status.status import (
    BatchStatus,
    CallStatus,
    CampaignStatus,
    LaneStatus,
)

HERE = "here"
CAMPAIGNS_SHOWN = 20
"""How many campaigns of a lane are shown one by one: first the parked, then those with an open
circuit breaker, then those with the oldest waiting invitations."""


def lane_status(lane: LaneSnapshot) -> LaneStatus:
    """Return the status of a lane that this process owns."""
    campaigns = sorted(
        _campaigns(lane),
        key=lambda shown: (not shown.parked, not shown.circuit_open, -shown.oldest_age, shown.name),
    )
    return LaneStatus(
        name=lane.name,
        owner=HERE,
        waiting=sum(campaign.waiting for campaign in campaigns),
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
        accounts=lane.accounts,
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
    )


def _campaigns(lane: LaneSnapshot) -> Iterator[CampaignStatus]:
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
            )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
