"""The dispatcher with many campaigns or another input: figures for each event."""

from __future__ import annotations

from benchmarks.throughput import config
from benchmarks.throughput.measure import measure, startup
from benchmarks.throughput.scene import Scene
from benchmarks.throughput.systems import Job, Prepare, dispatcher
from tests.support.kafka import unique

Figures = dict[str, float]
SECONDS = "first to last result, s"


def figures(
    place: Scene, source: str, events: int, *, started: float, campaigns: int = 1
) -> Figures:
    """Run once. Raises SystemExit where not every event has one right result."""
    prepare = with_campaigns(campaigns)
    run = measure("dispatcher", prepare, place, source, events, started=started)
    if not run.is_right:
        raise SystemExit(f"not every event has one right result: {run}")
    return {
        "CPU an event, µs": round(run.work / events * 1e6, 1),
        SECONDS: run.first_to_last,
        "peak MB": run.peak_mb,
        "customers a call": round(events / run.calls),
    }


def with_campaigns(count: int) -> Prepare:
    """The dispatcher with so many campaigns, which share the events."""

    def prepare(place: Scene, source: str, _: int) -> Job:
        name = unique("bench")
        made = config.document(name, place.bootstrap, place.sink, source, campaigns=count)
        return dispatcher(place, made)

    return prepare


def started(place: Scene, campaigns: int = 1) -> float:
    """CPU seconds of a start."""
    return startup(with_campaigns(campaigns), place)
