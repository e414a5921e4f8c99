"""A lane's status from its topics, without a running process. Pure.

Permits are those that the next owner would have: a batch in flight counts as it would after a
takeover.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from consumer.config.sections import Quota
from consumer.kafka.lane_logs import LaneView
from consumer.lane.offsets.bitmap import unpack
from consumer.lane.quota.limiter import Limiter
from consumer.lane.quota.quota import restored
from consumer.lane.state.settings import LATE_ARRIVAL_GRACE
from consumer.lane.state.snapshot import LimitSnapshot
from consumer.observability.status.status import BatchStatus, LaneStatus, Level, Note
from consumer.records.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Found:
    """The data read of a lane; `members`: processes that are in its group."""

    view: LaneView
    quota: Quota
    members: int


def lane_status(found: Found, now: float) -> LaneStatus:
    """Return the lane at `now` (epoch seconds): permits, batches in flight, and how much waits."""
    view, quota = found.view, found.quota
    limiter = _limiter(found, now)
    left = zip(quota.limits, limiter.permits(now), limiter.calls, strict=True)
    checkpoint = view.checkpoint
    closed = checkpoint is not None and checkpoint.closed_until > now
    return LaneStatus(
        name=view.name,
        owner=view.owner.instance if view.owner and found.members else None,
        waiting=view.waiting,
        limits=[LimitSnapshot(limit.name, permits, calls) for limit, permits, calls in left],
        limits_in_use=checkpoint.limits_part if checkpoint else 1.0,
        next_permit=max(0.0, limiter.next_at(now) - now),
        held_back_by="429" if closed else None,
        in_flight=_batches(checkpoint, now),
        lag=view.waiting,
    )


def lane_notes(found: Found) -> Iterator[Note]:
    """Yield the notes that only a lane's topics can give."""
    view = found.view
    if view.base is None:
        what = "its newest checkpoint cannot be read: a later version of the program wrote it"
        yield Note(Level.BAD, view.name, what)
    if not found.members:
        last = f", the last was {view.owner.instance}" if view.owner else ""
        yield Note(Level.BAD, view.name, f"no process owns it{last}: nothing is sent")
        if view.in_flight:
            what = f"batches in doubt, for its owner ended while they were called: {view.in_flight}"
            yield Note(Level.WARN, view.name, what)


def _limiter(found: Found, now: float) -> Limiter:
    quota, checkpoint = found.quota, found.view.checkpoint
    part = checkpoint.limits_part if checkpoint else 1.0
    late = now + quota.call_timeout + LATE_ARRIVAL_GRACE if checkpoint else now
    used = quota.first_start == "used" or bool(found.view.base)
    limiter = restored(
        checkpoint, quota.limits, quota.skew, quota.share * part, late, full_at_first=used
    )
    if checkpoint is not None:
        limiter.close_until(checkpoint.closed_until)
    return limiter


def _batches(checkpoint: Checkpoint | None, now: float) -> list[BatchStatus]:
    return [
        BatchStatus(
            batch.batch_id,
            batch.campaign,
            sum(1 for _ in unpack(batch.offsets, batch.first)),
            max(0.0, now - batch.sealed_at),
        )
        for batch in (checkpoint.in_flight if checkpoint else ())
    ]
