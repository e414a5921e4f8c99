"""Detects routers with another config that write to a lane: two applications with one id.

`owners.contested` detects two owners by their alternating takeovers, but not two configs under one
owner. Each invitation names the config that routed it, so a sample of each poll is inspected. A
rolling deploy mixes two configs for minutes, so the log waits one minute and the alert ten after
the first sight of each config.

The sightings outlive a session. Two owners or a bad network cause one takeover after another;
counting from zero at each takeover would never reach the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
import structlog
from confluent_kafka import Message

from consumer.kafka.records.messages import value_of
from consumer.observability.metrics.metrics import Metrics

FRESH = 300.0
"""Seconds after its routing in which an invitation proves a router that runs now. Invitations from
the delay topics are older."""

PATIENCE = 60.0
SAY_EVERY = 600.0

FORGOTTEN = 86_400.0
"""Seconds without an invitation after which a config counts as new again."""

REMEMBERED = 16
"""How many configs are remembered; beyond that the least recently seen is evicted."""

SAMPLE = 500
"""One in so many records of a poll is inspected, the newest first: a router that a rollout missed
may write few of them."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ConfigRivals:
    """Other configs seen in a lane's invitations by one process, over all its ownerships.

    `since`: when this process's config came into force; `_met`: other config → first and last time
    it was seen.
    """

    lane: str
    metrics: Metrics
    config_version: str
    since: float
    _met: dict[str, tuple[float, float]] = field(default_factory=dict)
    _say_at: float = 0.0

    def reconfigure(self, config_version: str, now: float) -> None:
        """Switch to another config of this process; forget the other configs seen so far."""
        if config_version != self.config_version:
            self.config_version, self.since = config_version, now
            self._met.clear()

    def read(self, messages: Sequence[Message], now: float) -> None:
        """Inspect a sample of a poll."""
        for message in messages[::-SAMPLE]:
            self.inspect_record(value_of(message), now)

    def inspect_record(self, value: bytes | None, now: float) -> None:
        """Inspect the record of an invitation; log a conflict of configs."""
        told = told_by(value)
        why = self.record_invitation(*told, now) if told else None
        if why:
            log.error("config_contested", lane=self.lane, why=why)

    def record_invitation(self, config_version: str, routed_at: float, now: float) -> str | None:
        """Record an invitation by its config and routing time. Return the text to log, if any."""
        self.since = min(self.since, now)  # the clock may have been stepped back
        fresh = self.since < routed_at and now - routed_at <= FRESH
        if config_version == self.config_version or not fresh:
            return None
        self.metrics.lane(self.lane).other_config()
        waits = now < self._say_at <= now + SAY_EVERY
        if now - self._meet(config_version, now) < PATIENCE or waits:
            return None
        self._say_at = now + SAY_EVERY
        return (
            f"routers with config {config_version} write to this lane, whose owner has config "
            f"{self.config_version}: campaigns that it does not know wait until they expire. Are "
            "there two applications with one application_id, or replicas with different configs? "
            "Give each application its own, and all replicas one config"
        )

    def _meet(self, config_version: str, now: float) -> float:
        """Record a sighting of another config. Return the time of the first one."""
        first, last = self._met.pop(config_version, (now, now))
        if now - last > FORGOTTEN or first > now:
            first = now
        if len(self._met) >= REMEMBERED:
            del self._met[next(iter(self._met))]
        self._met[config_version] = first, now
        return first


def told_by(value: bytes | None) -> tuple[str, float] | None:
    """Return the config version and routing time of an invitation; None if it has none."""
    try:
        record = orjson.loads(value or b"")
        found = record.get("result", record)  # version 1 has the keys at the top
        return str(found["config_version"]), datetime.fromisoformat(found["routed_at"]).timestamp()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
