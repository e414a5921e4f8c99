"""How the contact store is doing, as lanes, the view, metrics and status page share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from consumer.contacts.recovery import Recovery
from consumer.observability.metrics.contacts import ContactMetrics
from consumer.observability.status.status import ContactStoreStatus

log = structlog.get_logger(__name__)

REPEAT_AFTER = 60.0
"""Seconds between two log lines about a store that stays unavailable."""


@dataclass(slots=True)
class ContactState:
    """Written by several threads; each write replaces a value. `now`: steady seconds."""

    metrics: ContactMetrics
    now: Callable[[], float]
    recovery: Recovery | None = None
    why: str = ""
    """Why the store is unavailable; empty while it answers."""
    closed: str = ""
    """Why opt-outs may be unread, so that nothing may be sent; empty while all are applied."""
    _logged_at: float | None = None
    _reported: frozenset[str] = field(default_factory=frozenset)

    @property
    def missing_lanes(self) -> frozenset[str]:
        """Lanes that have not reported their calls in flight to the store's generation."""
        return frozenset() if self.recovery is None else self.recovery.missing - self._reported

    def status(self) -> ContactStoreStatus:
        """Return the store's state for the status page."""
        phase = "" if self.recovery is None else self.recovery.phase
        return ContactStoreStatus(phase, self.closed or self.why, sorted(self.missing_lanes))

    def looked(self, recovery: Recovery) -> None:
        """Record how far the store's generation is."""
        if self.recovery is None or self.recovery.phase != recovery.phase:
            log.info("contact_store", phase=recovery.phase, missing=sorted(recovery.missing))
        self.recovery, self._reported = recovery, frozenset()
        self.metrics.phase(recovery.phase)
        if recovery.phase == "ready" and not self.why:
            self.metrics.ready()  # else an idle store, or one behind a closed gate, counts as down

    def reported(self, lane: str) -> None:
        """Record that a lane has reported, until the next look."""
        self._reported |= {lane}

    def answered(self, kind: str, seconds: float) -> None:
        """Record an answer of the store."""
        if self.why:
            log.info("contact_store_answers")
        self.why, self._logged_at = "", None
        self.metrics.answered(kind, seconds)

    def unavailable(self, why: str) -> None:
        """Record that the store does not answer, or grants nothing; invitations wait."""
        self.metrics.unavailable()
        now = self.now()
        if why != self.why or self._logged_at is None or now - self._logged_at >= REPEAT_AFTER:
            log.warning("contact_store_unavailable", why=why, what="invitations wait")
            self._logged_at = now
        self.why = why

    def hold_back(self, why: str) -> None:
        """Send nothing while opt-outs may be unread; an empty text lets invitations go again."""
        if why and not self.closed:
            log.warning("feeds_hold_back", why=why, what="invitations wait")
        elif self.closed and not why:
            log.info("feeds_read", what="invitations go")
        self.closed = why
        self.metrics.feeds_hold_back(closed=bool(why))
