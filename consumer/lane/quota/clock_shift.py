"""Clock skew between two owners: a checkpoint's times, moved into the clock of this machine.

Theory of operation. Owners of a lane run on machines whose clocks differ, and a permit's stamp
means something only by the clock that made it. Each checkpoint says what its writer's clock showed
(`at`), and Kafka says when it was appended. The next owner's claim has both times too. The
difference of both differences tells how far the clocks are apart. It is too late by what Kafka
took, which is the safe side:

    shift = (appended − at) of the checkpoint − (appended − now) of the claim

A stamp that lies in the future even so is none: no call ends later than one that leaves now. The
quota counts it as that, and thus as used up for a period at most.
"""

from __future__ import annotations

from consumer.lane.quota.cells import Cells
from consumer.records.checkpoint import (
    Checkpoint,
    LimitCalls,
)

TOLERATED = 0.25
"""Seconds of difference that are left to the limits' `skew`: Kafka takes as long to answer, and
stamps that move a little at each takeover would cost the quota calls."""


def shift_between(
    former: Checkpoint | None, appended: float | None, claimed: float | None, now: float
) -> float:
    """Seconds to add to a former owner's times; 0 where that is not known.

    `appended` and `claimed`: when Kafka took its checkpoint and our claim. `now`: what our clock
    showed after the claim.
    """
    if former is None or not former.at or appended is None or claimed is None:
        return 0.0
    shift = (appended - former.at) - (claimed - now)
    return shift if abs(shift) > TOLERATED else 0.0


def in_our_time(former: Checkpoint, shift: float, now: float, latest: float) -> Checkpoint:
    """All times that the next owner goes by, moved by `shift`; no call later than `latest`."""

    def of_call(at: float) -> float:
        return min(at + shift, latest)

    quota = former.quota and tuple(_moved(each, shift, now, latest) for each in former.quota)
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
