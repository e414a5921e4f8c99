"""The lane's quota: permits by the worst counter a vendor may keep, less what a 429 taught."""

from __future__ import annotations

from consumer.lane.limiter import Limiter
from consumer.lane.settings import FRESH_SECONDS, LATE_ARRIVAL_GRACE, LaneSettings
from consumer.lane.throttling import Throttling
from consumer.model import Checkpoint, Outcome


class Quota:
    """The limiter and the part of it that is in use, as the former owner left them."""

    def __init__(self, settings: LaneSettings, checkpoint: Checkpoint | None, now: float) -> None:
        self._settings = settings
        self.throttling = Throttling(settings.limits)
        if checkpoint is not None:
            self.throttling.part = checkpoint.limits_part
            self.throttling.since = checkpoint.limits_since
        self.limiter = self._restore(checkpoint, now)

    def answered(self, at: float, *, silent: bool = False) -> None:
        """A call or a login ended at `at`. `silent`: without an answer, so that the vendor may
        count it later still."""
        self.limiter.answered(at + LATE_ARRIVAL_GRACE if silent else at)

    def refused(self, outcome: Outcome, sealed_at: float, at: float) -> None:
        """The vendor said 429: silence, then fewer calls."""
        self.limiter.close_until(self.throttling.refused(outcome, sealed_at, at))
        self.limiter.set_share(self._share)

    def recover(self, now: float) -> bool:
        """Use more again, if it is time. True if anything changed."""
        recovered = self.throttling.recover(now)
        if recovered:
            self.limiter.set_share(self._share)
        return recovered

    def follow(self, settings: LaneSettings, now: float) -> None:
        """Another config from now on."""
        self._settings = settings
        self.throttling.follow(settings.limits)
        self.limiter.reconfigure(settings.limits, settings.skew, self._share, now)

    def latest(self, now: float) -> float:
        """When a call that is about to leave now can reach the vendor at the latest."""
        return now + FRESH_SECONDS + self._settings.call_timeout + LATE_ARRIVAL_GRACE

    @property
    def _share(self) -> float:
        return self._settings.share * self.throttling.part

    def _restore(self, checkpoint: Checkpoint | None, now: float) -> Limiter:
        settings = self._settings
        horizon = Limiter(settings.limits, skew=settings.skew).horizon
        if checkpoint is None:
            assume_full = settings.first_start_full
        else:  # limits that look further back than the log of the former ones: nobody knows
            assume_full = horizon > (checkpoint.permit_log_reach or horizon)
        late = self.latest(now)
        limiter = Limiter.restore(
            settings.limits,
            checkpoint.permit_log if checkpoint else (),
            assume_full_at=late if assume_full else None,
            in_doubt_until=[late] * len(checkpoint.in_flight if checkpoint else ()),
            skew=settings.skew,
            share=self._share,
        )
        limiter.close_until(checkpoint.closed_until if checkpoint else 0.0)
        return limiter
