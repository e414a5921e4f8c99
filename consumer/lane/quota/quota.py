"""The lane's rate limit: permits by the worst counter a vendor may keep, less after a 429."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from consumer.lane.quota.backoff import QuotaBackoff
from consumer.lane.quota.bursts import Bursts
from consumer.lane.quota.cells import Cells
from consumer.lane.quota.clock_shift import in_our_time
from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import FRESH_SECONDS, LATE_ARRIVAL_GRACE, LaneSettings, Limit
from consumer.lane.state.snapshot import LimitSnapshot, QuotaSnapshot
from consumer.records.call import Outcome
from consumer.records.checkpoint import Checkpoint, LimitCalls

NOTHING_LOGGED = 1e-3
"""Seconds that the log of stamps reaches back where all limits count by cells."""


class Quota:
    """The limiter and the fraction of it that is in use, as the previous owner left them."""

    def __init__(self, settings: LaneSettings, checkpoint: Checkpoint | None, now: float) -> None:
        self._settings = settings
        self.backoff = QuotaBackoff(settings.limits)
        if checkpoint is not None:
            checkpoint = in_our_time(checkpoint, 0.0, now, self.latest_arrival(now))
            self.backoff.quota_fraction = checkpoint.limits_part
            self.backoff.since = checkpoint.limits_since
        self.limiter = self._restore(checkpoint, now)
        self.bursts = Bursts(settings, checkpoint.bursts if checkpoint else None, now)

    def call_ended(self, at: float, *, silent: bool = False) -> None:
        """Record that a call or a login ended at `at`. `silent`: without an answer, so that the
        vendor may count it later still."""
        self.limiter.call_ended(at + LATE_ARRIVAL_GRACE if silent else at)

    def call_throttled(self, outcome: Outcome, sealed_at: float, at: float) -> None:
        """Record a 429: silence, then fewer calls."""
        asked = min(outcome.retry_after or 0.0, self._settings.longest_silence)
        outcome = replace(outcome, retry_after=asked)
        self.limiter.close_until(self.backoff.record_refused(outcome, sealed_at, at))
        self.limiter.set_share(self._share)

    def recover(self, now: float) -> bool:
        """Raise the fraction in use, if it is time. Return True if it changed."""
        recovered = self.backoff.recover(now)
        if recovered:
            self.limiter.set_share(self._share)
        return recovered

    def reconfigure(self, settings: LaneSettings, now: float) -> None:
        """Apply another config."""
        self._settings = settings
        self.backoff.reconfigure(settings.limits)
        self.bursts.reconfigure(settings)
        self.limiter.reconfigure(settings.limits, settings.skew, self._share, now)

    def latest_arrival(self, now: float) -> float:
        """Return when a call that is about to leave now can reach the vendor at the latest."""
        return now + FRESH_SECONDS + self._settings.call_timeout + LATE_ARRIVAL_GRACE

    def level(self, now: float) -> tuple[float, float]:
        """Return the smallest remaining share of the limits, 0 to 1 (1 without limits), and what a
        permit in hand is worth for bursts, customer-seconds."""
        permits, calls = self.limiter.permits(now), self.limiter.calls
        shares = (left / most for left, most in zip(permits, calls, strict=True))
        return min(shares, default=1.0), self.bursts.worth(permits, calls)

    @property
    def log_reach(self) -> float:
        """Seconds that the checkpoint's log reaches back. An older program reads 0 as unknown, and
        trusts the log for all limits."""
        return self.limiter.log_reach or (NOTHING_LOGGED if self._settings.limits else 0.0)

    def snapshot(self, now: float) -> QuotaSnapshot:
        """Return the permits that are left, and what delays the next one."""
        limiter, limits = self.limiter, self._settings.limits
        wait, held_back_by = limiter.check(now), None
        if wait:
            held_back_by = "429" if wait.limit is None else wait.limit.name
        left = zip(limits, limiter.permits(now), limiter.calls, strict=True)
        return QuotaSnapshot(
            [LimitSnapshot(limit.name, permits, calls) for limit, permits, calls in left],
            max(0.0, limiter.next_at(now) - now),
            held_back_by,
            limiter.closed_until,
            self.backoff.quota_fraction,
        )

    @property
    def _share(self) -> float:
        return self._settings.share * self.backoff.quota_fraction

    def _restore(self, checkpoint: Checkpoint | None, now: float) -> Limiter:
        late = self.latest_arrival(now)
        settings, full = self._settings, self._settings.first_start_full
        limiter = restored(
            checkpoint, settings.limits, settings.skew, self._share, late, full_at_first=full
        )
        if checkpoint is not None:
            limiter.close_until(min(checkpoint.closed_until, now + settings.longest_silence))
        return limiter


def restored(
    checkpoint: Checkpoint | None,
    limits: Sequence[Limit],
    skew: float,
    share: float,
    late: float,
    *,
    full_at_first: bool,
) -> Limiter:
    """Return the limiter of these limits that continues a checkpoint. Each batch in doubt counts at
    `late`, its latest arrival. So does the whole quota where calls within its horizon are unknown.
    `full_at_first`: that is so without a checkpoint, too."""
    if checkpoint is None:
        full = late if full_at_first else None
        return Limiter.restore(limits, (), assume_full_at=full, skew=skew, share=share)
    if checkpoint.quota is None:  # written by a program that did not record its limits
        horizon = Limiter(limits, skew=skew).horizon
        stated = "permit_log_reach" in checkpoint.model_fields_set
        full = late if stated and horizon > checkpoint.permit_log_reach else None
        limiter = Limiter.restore(
            limits, checkpoint.permit_log, assume_full_at=full, skew=skew, share=share
        )
    else:
        limiter = Limiter.resume(checkpoint.quota, checkpoint.permit_log)
        limiter.unknown_until = checkpoint.unknown_until or -math.inf
        limiter.reconfigure(limits, skew, share, late)
    for _ in checkpoint.in_flight:
        limiter.count_calls(late)
    return limiter


def with_calls(checkpoint: Checkpoint, ended: Sequence[float]) -> Checkpoint:
    """Return the checkpoint after more calls, for programs that write it without a lane."""
    quota = checkpoint.quota and tuple(
        limit.model_copy(update={"cells": _with(limit, ended)}) for limit in checkpoint.quota
    )
    log = (*checkpoint.permit_log, *ended)
    return checkpoint.model_copy(update={"permit_log": log, "quota": quota})


def _with(limit: LimitCalls, ended: Sequence[float]) -> tuple[int, ...] | None:
    if limit.cells is None:
        return None
    cells = Cells(limit.period, limit.cells)
    for at in ended:
        cells.add(at)
    return cells.packed_counts(-math.inf)
