"""Forecast of an upload: how many calls its rows take, and when the last of them would leave.

The lane's own rate limiter is asked on a clock of its own, from an unused quota and with no other
traffic: what the lane sends beside the upload comes on top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import LaneSettings
from consumer.operations.uploads.row_checks import Batch, Checked

MOST_PLAYED: Final = 5_000
"""Calls that the limiter is asked about; more are extrapolated."""

ANSWER: Final = 1.0
"""Seconds until a call is answered, and its permit's stamp stands."""


class LaneForecast(NamedTuple):
    """Of one lane: calls, seconds from the first to the last, and epoch seconds of the last."""

    lane: str
    invitations: int
    calls: int
    seconds: float
    last_at: float


def forecast(checked: Checked, lanes: Mapping[str, LaneSettings], now: float) -> list[LaneForecast]:
    """Return the forecast of each lane that gets invitations."""
    found = []
    for name in dict.fromkeys(batch.lane for batch in checked.invitations):
        own = [batch for batch in checked.invitations if batch.lane == name]
        calls = sum(_calls(checked, batch, lanes[name]) for batch in own)
        seconds = duration(calls, lanes[name])
        begin = max(now, checked.first_due or now)
        last = max(checked.last_due, begin + seconds)
        number = sum(checked.invitations[batch] for batch in own)
        found.append(LaneForecast(name, number, calls, seconds, last))
    return found


def duration(calls: int, lane: LaneSettings) -> float:
    """Return the seconds from the first to the last of so many calls; 0 without limits."""
    if not lane.limits or calls < 2:
        return 0.0
    limiter = Limiter(lane.limits, skew=lane.skew, share=lane.share)
    at, played = 0.0, min(calls, MOST_PLAYED)
    for _ in range(played):
        at = max(at, limiter.next_at(at))
        limiter.take_permit(at)
        limiter.call_ended(at + ANSWER)
    return at * (calls - 1) / (played - 1)


def _calls(checked: Checked, batch: Batch, lane: LaneSettings) -> int:
    campaign = lane.campaigns[batch.campaign]
    by_number = math.ceil(checked.invitations[batch] / campaign.max_batch)
    return max(by_number, math.ceil(checked.bytes[batch] / campaign.max_bytes))
