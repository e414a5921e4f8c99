"""What waits on the delay topics, put beside what waits in the lanes. Pure.

One member of a group reads the delay topics, and any process may own a lane: the parts meet where
both are known. Applying it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from consumer.observability.status.status import CampaignStatus, LaneStatus, StatusSnapshot

HERE = "here"
CAMPAIGNS_SHOWN = 200
"""How many campaigns of a lane are told one by one, as many as metrics name: first the parked, then
those with an open circuit breaker, then those with the oldest waiting invitations, then those with
delayed ones."""


def with_delayed(now: StatusSnapshot) -> StatusSnapshot:
    """Return the snapshot whose lanes and campaigns say what of them is delayed, if a delay topic
    is read here."""
    if not now.delayed:
        return now
    return replace(
        now, lanes=[_lane(lane, now.delayed_campaigns.get(lane.name, {})) for lane in now.lanes]
    )


def in_order(campaigns: Sequence[CampaignStatus]) -> list[CampaignStatus]:
    """Return the most important campaigns first."""
    return sorted(
        campaigns,
        key=lambda shown: (
            not shown.parked,
            not shown.circuit_open,
            -shown.oldest_age,
            -(shown.delayed or 0),
            shown.name,
        ),
    )


def _lane(lane: LaneStatus, delayed: Mapping[str, int]) -> LaneStatus:
    total = sum(delayed.values())
    lane = replace(lane, delayed=total, waiting=lane.in_lane + total)
    if lane.owner != HERE:
        return lane
    shown = [_campaign(each, delayed.get(each.name, 0)) for each in lane.campaigns]
    names = {each.name for each in shown}
    more = [
        CampaignStatus(name, number, 0.0, delayed=number)
        for name, number in delayed.items()
        if number and name not in names
    ]
    if lane.campaigns_more:  # some of these may be among the campaigns that are not shown
        return replace(lane, campaigns=shown)
    every = in_order([*shown, *more])
    return replace(
        lane,
        campaigns=every[:CAMPAIGNS_SHOWN],
        campaigns_more=len(every[CAMPAIGNS_SHOWN:]),
    )


def _campaign(campaign: CampaignStatus, delayed: int) -> CampaignStatus:
    return replace(campaign, delayed=delayed, waiting=campaign.in_lane + delayed)
