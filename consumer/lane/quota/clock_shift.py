"""Clock skew between two owners: a checkpoint's times, moved into the clock of this machine.

Theory of operation. Owners of a lane run on machines whose clocks differ, and a permit's stamp is
valid only by the clock that made it. Each checkpoint contains its writer's clock (`at`), and Kafka
records when it was appended. The next owner's claim has both times too. The difference of both
differences is the offset between the clocks. It is too late by the time that Kafka took, which is
the safe side:

    shift = (appended − at) of the checkpoint − (appended − now) of the claim

A stamp that is still in the future is wrong: no call ends later than one that leaves now. The quota
counts it as such a call, so it is used up for one period at most.
"""

from __future__ import annotations

from consumer.lane.quota.cells import Cells
from consumer.records.checkpoint import Checkpoint, LimitCalls

TOLERATED = 0.25
"""Seconds of difference that are left to the limits' `skew`: Kafka takes as long to answer, and
stamps that move a little at each takeover would cost the quota calls."""


def shift_between(
    former: Checkpoint | None, appended: float | None, claimed: float | None, now: float
) -> float:
    """Return the seconds to add to a previous owner's times; 0 if they are unknown. `appended` and
    `claimed`: when Kafka appended its checkpoint and our claim. `now`: our clock after the
    claim."""
    if former is None or not former.at or appended is None or claimed is None:
        return 0.0
    shift = (appended - former.at) - (claimed - now)
    return shift if abs(shift) > TOLERATED else 0.0


def in_our_time(former: Checkpoint, shift: float, now: float, latest: float) -> Checkpoint:
    """Move all times that the next owner uses by `shift`; no call later than `latest`."""

    def of_call(at: float) -> float:
        return min(at + shift, latest)

    quota = former.quota and tuple(_moved(limit, shift, now, latest) for limit in former.quota)
    return former.model_copy(
        update={
            "permit_log": tuple(map(of_call, former.permit_log)),
            "quota": quota,
            "unknown_until": former.unknown_until and of_call(former.unknown_until),
            "closed_until": former.closed_until and former.closed_until + shift,
            "limits_since": former.limits_since and min(former.limits_since + shift, now),
        }
    )


def _moved(limit: LimitCalls, shift: float, now: float, latest: float) -> LimitCalls:
    if limit.cells is None:
        return limit
    cells = Cells(limit.period, limit.cells).moved(shift, latest)
    return limit.model_copy(update={"cells": cells.packed_counts(now)})
