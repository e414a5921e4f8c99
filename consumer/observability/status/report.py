"""Status report of a running process: the board, the counters and the health, put together.

A snapshot is made on request, at most twice a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from consumer import __version__
from consumer.observability.health import Health
from consumer.observability.metrics.labels import Disposition
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.board import StatusBoard
from consumer.observability.status.delayed import with_delayed
from consumer.observability.status.notes import notes
from consumer.observability.status.status import (
    ContactStoreStatus,
    LaneStatus,
    PauseStatus,
    ProcessStatus,
    StageStatus,
    StatusSnapshot,
    dump,
)
from consumer.records.result import Status

KEPT = 0.5
"""Seconds for which a snapshot is reused."""


@dataclass(slots=True)
class StatusReport:
    """Makes snapshots. `now` is the loops' clock; `config` gives the version and the lanes of the
    config in use, `pauses` what is paused."""

    board: StatusBoard
    metrics: Metrics
    health: Health
    now: Callable[[], float]
    config: Callable[[], tuple[str, Sequence[str]]]
    instance: str = ""
    pauses: Callable[[], Sequence[PauseStatus]] = tuple
    contacts: Callable[[], ContactStoreStatus | None] = lambda: None
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
        totals, at = self.metrics.series.totals, self.now()
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
            in_doubt=_whole(totals("in_doubt_batches_total", "lane")),
            results={status.value: self._results(status) for status in Status},
            dead_letters=self._dead_letters(),
            router_lag=_whole(totals("consumer_lag_records", "topic")),
            delayed=_whole(totals("delayed_invitations", "step")),
            delayed_campaigns=self._delayed_campaigns(),
            orphans=_whole(totals("orphaned_lane_records", "lane")),
            stopped_inputs=_whole(totals("input_stopped", "topic")),
            waiting_inputs=_whole(totals("input_waits_for_schema", "topic")),
            pauses=self.pauses(),
            held_back=self._held_back(),
            contacts=self._contact_store(),
        )
        now = with_delayed(now)
        return replace(now, notes=notes(now))

    def _process(self, config_version: str) -> ProcessStatus:
        result, at = self.board.reload
        return ProcessStatus(
            self.instance, __version__, self.started_at, config_version, result, at
        )

    def _stages(self, at: float) -> list[StageStatus]:
        totals = self.metrics.series.totals
        stopped = totals("stage_stopped", "loop")
        beats = totals("loop_heartbeat_timestamp_seconds", "loop")
        return [
            StageStatus(name, max(0.0, at - beats.get(name, at)), stopped.get(name, 0) > 0)
            for name in sorted({*beats, *stopped})
        ]

    def _results(self, status: Status) -> dict[str, int]:
        return _counted(self.metrics.series.totals("results_total", "reason", status=status.value))

    def _delayed_campaigns(self) -> dict[str, dict[str, int]]:
        totals, name = self.metrics.series.totals, "campaign_delayed_invitations"
        return {
            lane: _counted(totals(name, "campaign", lane=lane)) for lane in totals(name, "lane")
        }

    def _held_back(self) -> dict[str, dict[str, int]]:
        totals = self.metrics.series.totals
        rules = totals("held_back_total", "rule")
        return {rule: _counted(totals("held_back_total", "reason", rule=rule)) for rule in rules}

    def _contact_store(self) -> ContactStoreStatus | None:
        store = self.contacts()
        if store is None:
            return None
        waiting = self.metrics.series.totals("contacts_asking_invitations", "lane")
        return replace(store, waiting=int(sum(waiting.values())))

    def _dead_letters(self) -> dict[str, int]:
        totals = self.metrics.series.totals
        return _counted(totals("events_total", "reason", disposition=Disposition.DEAD_LETTER))


def _lanes(configured: Sequence[str], owned: Mapping[str, LaneStatus]) -> list[LaneStatus]:
    """Return the config's lanes, and lanes that left it but are still owned here."""
    names = dict.fromkeys([*configured, *owned])
    return [owned.get(name) or LaneStatus(name) for name in names]


def _counted(totals: Mapping[str, float]) -> dict[str, int]:
    return {name: number for name, number in _whole(totals).items() if number}


def _whole(totals: Mapping[str, float]) -> dict[str, int]:
    return {name: int(number) for name, number in totals.items()}
