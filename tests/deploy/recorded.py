"""A run with faults that a real Prometheus has seen: which fault was when.

A dispatcher process works on a real Kafka against the vendors' double. Fault after fault is
switched on, each until Prometheus itself shows it, and off again (see `stories`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.sandbox.server import SandboxServer
from deploy.monitoring.alert import ALERT_PREFIX
from tests.deploy.feeder import Feeder
from tests.deploy.prometheus import Prometheus
from tests.support.dispatcher import PATIENCE, Dispatcher, LiveWorld, replace_file, until
from tests.support.kafka import KafkaBroker

P = "survey_dispatcher_"
JOB, RULES_JOB = "survey-dispatcher", "survey-dispatcher-rules"
"""The applications in Prometheus: the first has no contact store."""

SILENT = "silent-till"
"""The first one's input that falls silent: what it had in the week before is written, not lived."""

RULES_WORK = "rules work"
"""What the second one's faults are compared with, as those of the first with `works`."""

AFTERMATH = 10.0
"""Seconds after a fault in which rates still show it."""


def rings(alert: str) -> str:
    """The alert is pending or fires."""
    return f'ALERTS{{alertname="{ALERT_PREFIX}{alert}"}}'


def grew(metric: str, window: str = "5s") -> str:
    """Some series of the counter grew lately."""
    return f"increase({P}{metric}[{window}]) > 0"


@dataclass
class Recording:
    """The Prometheus that saw it, and fault → when it was (epoch seconds)."""

    prometheus: Prometheus
    faults: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def fault(self, name: str, *shown: str, within: float = PATIENCE) -> Iterator[None]:
        """From entering until Prometheus has shown each of these expressions to hold."""
        began = time.time()
        yield
        for expr in shown:
            self.shows(f"{name}: {expr}", expr, within)
        self.faults[name] = began, time.time()

    def shows(self, what: str, expr: str, within: float = PATIENCE) -> None:
        """Wait until Prometheus has any series for the expression."""
        until(what, lambda: bool(self.prometheus.now(expr)), within)

    @property
    def began(self) -> float:
        """When the first one began."""
        return min(began for began, _ in self.faults.values())

    @property
    def ended(self) -> float:
        """When the last one's traces were gone."""
        return max(ended for _, ended in self.faults.values()) + AFTERMATH


@dataclass
class Run:
    """Everything that the faults need."""

    kafka: KafkaBroker
    world: LiveWorld
    recording: Recording
    feeder: Feeder
    config: Path
    vendor: SandboxServer
    job: str = JOB

    def start(self, instance: str, config: Path | None = None) -> Dispatcher:
        """A dispatcher that Prometheus scrapes."""
        running = self.world.start(config or self.config, instance)
        self.recording.prometheus.scrape(running.port, self.job)
        return running

    def reconfigure(self, text: str) -> None:
        """Replace the config in one step, as every careful tool does."""
        replace_file(self.config, text)

    def vendor_again(self, **settings: Any) -> None:
        """Another double at the same address, whose sessions are short."""
        self.vendor.stop()
        self.vendor = self.world.start_vendor(token_ttl=5.0, **settings)

    @contextmanager
    def vendor_says(self, **faults: object) -> Iterator[None]:
        """The double shows these faults meanwhile."""
        self.world.set_faults(**faults)
        yield
        self.world.set_faults()

    def calm(self) -> None:
        """Wait until the vendor takes calls again (it is asked now and then) and few wait."""
        for closed in ("credentials_refused", "circuit_open"):
            self.recording.shows(f"no {closed}", f'{P}{closed}{{lane="pisano"}} == 0', within=150)
        few = f'sum({P}waiting_invitations{{lane="pisano"}}) < 200'
        self.recording.shows("few customers wait", few, within=150)
