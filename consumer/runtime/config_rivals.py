"""Detects that routers with another config write to a lane: two applications with one id.

Two owners take a lane in turn and are told apart by that (`owners.contested`); two configs with one
owner are not. The invitations say which config routed them: one of each poll is looked at. While a
deploy rolls out both are there for minutes, so the log waits for a minute and the alert for ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
import structlog

from consumer.adapters.metrics import Metrics

FRESH = 300.0
"""Seconds since an invitation was routed in which it tells of a router that runs now. What comes
back from the delay topics is older."""

PATIENCE = 60.0
SAY_EVERY = 600.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ConfigRivals:
    """Of one ownership of a lane. `since`: when its config came into force here."""

    lane: str
    metrics: Metrics
    config_version: str
    since: float
    _first: float | None = None
    _last: float = 0.0
    _say_at: float = 0.0

    def follow(self, config_version: str, now: float) -> None:
        """Another config from now on."""
        if config_version != self.config_version:
            self.config_version, self.since, self._first = config_version, now, None

    def look(self, value: bytes | None, now: float) -> None:
        """At the record of an invitation; says what is wrong."""
        told = told_by(value)
        why = self.note(*told, now) if told else None
        if why:
            log.error("config_contested", lane=self.lane, why=why)

    def note(self, config_version: str, routed_at: float, now: float) -> str | None:
        """An invitation that a config routed at a time; what to say of it, if anything."""
        fresh = self.since < routed_at and now - routed_at <= FRESH
        if config_version == self.config_version or not fresh:
            return None
        self.metrics.other_config(self.lane)
        if self._first is None or now - self._last > FRESH:
            self._first = now
        self._last = now
        if now - self._first < PATIENCE or now < self._say_at:
            return None
        self._say_at = now + SAY_EVERY
        return (
            f"routers with config {config_version} write to this lane, whose owner has config "
            f"{self.config_version}: campaigns that it does not know wait until they expire. Are "
            "there two applications with one application_id, or replicas with different configs? "
            "Give each application its own, and all replicas one config"
        )


def told_by(value: bytes | None) -> tuple[str, float] | None:
    """Which config routed an invitation, and when; None for a record that does not say."""
    try:
        found = orjson.loads(value or b"")
        return str(found["config_version"]), datetime.fromisoformat(found["routed_at"]).timestamp()
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
