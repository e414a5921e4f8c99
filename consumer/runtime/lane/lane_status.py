"""Status page entries of a lane and of an ended call. Pure: no clock, no client."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from consumer.http.calls import Answered
from consumer.lane.lane import Lane
from consumer.lane.quota.limiter import WaitUntil
from consumer.observability.metrics.labels import OTHER
from consumer.observability.metrics.metrics import CampaignSnapshot, LaneSnapshot
from consumer.observability.status.status import (
    AccountStatus,
    BatchStatus,
    CallStatus,
    CampaignStatus,
    LaneStatus,
    LimitStatus,
)
from consumer.vendors import customer_radar, pisano

HERE = "here"
CAMPAIGNS_SHOWN = 20
"""How many campaigns of a lane are shown one by one: first the parked, then those with an open
circuit breaker, then those with the oldest waiting invitations."""

_DOCUMENTED = frozenset({*pisano.CODES, *customer_radar.CODES})


def lane_status(lane: Lane, limits: Sequence[str], shown: LaneSnapshot, now: float) -> LaneStatus:
    """Return a lane's status: the gauges' values (`shown`), batches, and the limit in effect.

    `limits`: names of the lane's limits, in their order.
    """
    campaigns = _campaigns(shown.campaigns, lane.settings.campaigns)
    return LaneStatus(
        name=lane.settings.name,
        owner=HERE,
        waiting=sum(each.waiting for each in campaigns),
        campaigns=campaigns[:CAMPAIGNS_SHOWN],
        campaigns_more=len(campaigns[CAMPAIGNS_SHOWN:]),
        limits=_limits(lane, limits, now),
        limits_in_use=shown.limits_in_use,
        next_permit=_finite(shown.next_permit),
        held_back_by=_held_back_by(lane, limits, now),
        in_flight=[
            BatchStatus(
                batch.id, batch.campaign, len(batch.invitations), max(0.0, now - batch.sealed_at)
            )
            for batch in lane.in_flight.values()
        ],
        accounts=[
            AccountStatus(name, each.refused, each.ill) for name, each in shown.accounts.items()
        ],
        lag=shown.lag,
        paused=shown.paused,
        drain=_finite(shown.drain),
    )


def call_status(lane: str, event: Answered, seconds: float) -> CallStatus:
    """Return the status of an ended call, with the vendor's code only if its page documents it."""
    code = event.outcome.code
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
        code=code if code in _DOCUMENTED else None,
    )


def _campaigns(shown: Mapping[str, CampaignSnapshot], known: Iterable[str]) -> list[CampaignStatus]:
    """Return the campaigns' status, most important first.

    A campaign outside the config has its name from a record, so the name is not shown.
    """
    names, found = frozenset(known), []
    for name, each in shown.items():
        if each.waiting or each.parked or each.circuit_open:
            label = name if name in names else OTHER
            found.append(
                CampaignStatus(label, each.waiting, each.oldest_age, each.parked, each.circuit_open)
            )
    return sorted(
        found,
        key=lambda each: (not each.parked, not each.circuit_open, -each.oldest_age, each.name),
    )


def _limits(lane: Lane, names: Sequence[str], now: float) -> list[LimitStatus]:
    left = lane.limiter.permits(now)
    return [
        LimitStatus(name, round(permits, 2), calls)
        for name, permits, calls in zip(names, left, lane.limiter.calls, strict=True)
    ]


def _held_back_by(lane: Lane, names: Sequence[str], now: float) -> str | None:
    verdict = lane.limiter.check(now)
    if not isinstance(verdict, WaitUntil):
        return None
    if verdict.limit is None:
        return "429"
    return dict(zip(lane.settings.limits, names, strict=True)).get(verdict.limit)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
