"""Times of a status in words, as the page has them."""

from __future__ import annotations

from consumer.adapters.status import LaneStatus

MINUTE, HOUR, DAY = 60, 3600, 86400


def lasting(seconds: float) -> str:
    """3.2 s, 47 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 1.5 * MINUTE:
        return f"{round(seconds)} s"
    minutes = round(seconds / MINUTE)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 2 * DAY / MINUTE:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = minutes // 60
    return f"{hours // 24} d {hours % 24} h"


def next_permit(lane: LaneStatus) -> str:
    """When a call may leave."""
    if lane.next_permit is None:
        return "after an answer"
    return f"in {lasting(lane.next_permit)}" if lane.next_permit else "now"


def drained(lane: LaneStatus) -> str:
    """When nobody waits any more, at the present rates."""
    if lane.drain is None:
        return "never"
    return lasting(lane.drain) if lane.drain else "–"
