"""Status report of a running process: the board, the counters and the health, put together.

A snapshot is made on request, at most twice a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from prometheus_client.metrics import MetricWrapperBase

from consumer import __version__
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Disposition, Metrics
from consumer.observability.status.board import StatusBoard
from consumer.observability.status.notes import notes
from consumer.observability.status.status import (
    LaneStatus,
    ProcessStatus,
    StageStatus,
    StatusSnapshot,
    dump,
)
from consumer.records.result import Status

KEPT = 0.5
"""Seconds for which a snapshot is reused."""

Samples = Iterator[tuple[Mapping[str, str], float]]


@dataclass(slots=True)
class StatusReport:
    """Makes snapshots. `now` is the loops' clock; `config` gives the version and the lanes of the
    config in use."""

    board: StatusBoard
    metrics: Metrics
    health: Health
    now: Callable[[], float]
    config: Callable[[], tuple[str, Sequence[str]]]
    instance: str = ""
    started_at: float = field(init=False)
    _lock: Lock = field(default_factory=Lock)
    _made: tuple[float, bytes] = (0.0, b"")

    def __post_init__(self) -> None:
        self.started_at = self.now()

    def json(self) -> bytes:
        """Return the snapshot as JSON. From any thread."""
        with self._lock:
            at, body = self._made
            if not body or self.now() - at >= KEPT:
                body = dump(self.snapshot())
                self._made = self.now(), body
            return body

    def snapshot(self) -> StatusSnapshot:
        """Return the present snapshot."""
        metrics, at = self.metrics, self.now()
        calls, doubtful = self.board.calls()
        version, lanes = self.config()
        now = StatusSnapshot(
            at=at,
            process=self._process(version),
            problems=[*self.health.alive(), *self.health.ready()],
            stages=self._stages(at),
            lanes=_lanes(lanes, self.board.lanes()),
            calls=calls,
            doubtful=doubtful,
            in_doubt=_sums(_samples(metrics.in_doubt_batches), "lane"),
            results=_results(metrics),
            dead_letters=_dead_letters(metrics),
            router_lag=_sums(_samples(metrics.consumer_lag), "topic"),
            ladder=_sums(_samples(metrics.ladder_waiting), "step"),
            orphans=_sums(_samples(metrics.orphaned_records), "lane"),
            stopped_inputs=_sums(_samples(metrics.input_stopped), "topic"),
        )
        return replace(now, notes=notes(now))

    def _process(self, config_version: str) -> ProcessStatus:
        result, at = self.board.reload
        return ProcessStatus(
            self.instance, __version__, self.started_at, config_version, result, at
        )

    def _stages(self, at: float) -> list[StageStatus]:
        stopped = _sums(_samples(self.metrics.stage_stopped), "loop")
        beats = {labels["loop"]: beat for labels, beat in _samples(self.metrics.loop_heartbeat)}
        return [
            StageStatus(name, max(0.0, at - beats.get(name, at)), stopped.get(name, 0) > 0)
            for name in sorted({*beats, *stopped})
        ]


def _lanes(configured: Sequence[str], owned: Mapping[str, LaneStatus]) -> list[LaneStatus]:
    """Return the config's lanes, and lanes that left it but are still owned here."""
    names = dict.fromkeys([*configured, *owned])
    return [owned.get(name) or LaneStatus(name) for name in names]


def _samples(metric: MetricWrapperBase) -> Samples:
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield sample.labels, sample.value


def _sums(samples: Samples, label: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for labels, value in samples:
        sums[labels[label]] = sums.get(labels[label], 0) + int(value)
    return sums


def _results(metrics: Metrics) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {status.value: {} for status in Status}
    for labels, value in _samples(metrics.results_total):
        if value:
            reasons = found.setdefault(labels["status"], {})
            reasons[labels["reason"]] = reasons.get(labels["reason"], 0) + int(value)
    return found


def _dead_letters(metrics: Metrics) -> dict[str, int]:
    dead = (
        (labels, value)
        for labels, value in _samples(metrics.events_total)
        if value and labels["disposition"] == Disposition.DEAD_LETTER
    )
    return _sums(dead, "reason")
