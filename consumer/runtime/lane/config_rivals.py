"""Detects that routers with another config write to a lane: two applications with one id.

Two owners take a lane in turn and are told apart by that (`owners.contested`); two configs with one
owner are not. The invitations say which config routed them: a sample of each poll is looked at.
While a deploy rolls out both are there for minutes, so the log waits for a minute and the alert for
ten, for each config that is met.

What was met outlives a session: a process that takes the lane again and again, as two owners or a
bad network make it, would otherwise begin to count with each takeover, and say nothing.
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
"""Seconds since an invitation was routed in which it tells of a router that runs now. What comes
back from the delay topics is older."""

PATIENCE = 60.0
SAY_EVERY = 600.0

FORGOTTEN = 86_400.0
"""Seconds after which a config that wrote no more is met for the first time again."""

REMEMBERED = 16
"""Configs that are told apart; the one that was met longest ago makes room."""

SAMPLE = 500
"""One in so many records of a poll is looked at, the newest first: a router that was left out of a
roll-out may write few of them."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ConfigRivals:
    """Of a lane in one process, over all its ownerships. `since`: when the config came into force
    here. `_met`: another config → when it was met first and last."""

    lane: str
    metrics: Metrics
    config_version: str
    since: float
    _met: dict[str, tuple[float, float]] = field(default_factory=dict)
    _say_at: float = 0.0

    def reconfigure(self, config_version: str, now: float) -> None:
        """Another config from now on."""
        if config_version != self.config_version:
            self.config_version, self.since = config_version, now
            self._met.clear()

    def read(self, messages: Sequence[Message], now: float) -> None:
        """Look at a sample of a poll."""
        for message in messages[::-SAMPLE]:
            self.inspect_record(value_of(message), now)

    def inspect_record(self, value: bytes | None, now: float) -> None:
        """At the record of an invitation; says what is wrong."""
        told = told_by(value)
        why = self.record_invitation(*told, now) if told else None
        if why:
            log.error("config_contested", lane=self.lane, why=why)

    def record_invitation(self, config_version: str, routed_at: float, now: float) -> str | None:
        """An invitation that a config routed at a time; what to say of it, if anything."""
        self.since = min(self.since, now)  # the clock may have been stepped back meanwhile
        fresh = self.since < routed_at and now - routed_at <= FRESH
        if config_version == self.config_version or not fresh:
            return None
        self.metrics.other_config(self.lane)
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
        """When this config was met first."""
        first, last = self._met.pop(config_version, (now, now))
        if now - last > FORGOTTEN or first > now:
            first = now
        if len(self._met) >= REMEMBERED:
            del self._met[next(iter(self._met))]
        self._met[config_version] = first, now
        return first


def told_by(value: bytes | None) -> tuple[str, float] | None:
    """Which config routed an invitation, and when; None for a record that does not say."""
    try:
        found = orjson.loads(value or b"")
        return str(found["config_version"]), datetime.fromisoformat(found["routed_at"]).timestamp()
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
