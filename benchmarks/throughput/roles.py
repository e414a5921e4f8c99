"""`make bench ARGS=--roles`: router alone, then sender alone on its invitations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.throughput import config
from benchmarks.throughput.measure import measure, startup
from benchmarks.throughput.scene import Scene
from benchmarks.throughput.systems import Job, Prepare, router, sender
from tests.support.kafka import unique


def main(place: Scene, source: str, events: int) -> None:
    """Print a table and JSON lines: events for each second of CPU, that is on one core."""
    name = unique("roles")
    headings = ("role", "first to last, s", "CPU-s", "without start", "peak MB")
    table = Table(*headings, "events a CPU-s", "without start")
    for role, prepare in (("router", router), ("sender", sender)):
        started = startup(_alone(prepare, unique("roles")), place)
        run = measure(role, _alone(prepare, name), place, source, events, started=started)
        whole, work = round(events / run.cpu), round(events / run.work)
        print(json.dumps({**asdict(run), "events_a_cpu_s": whole, "events_a_work_s": work}))
        figures = (f"{run.first_to_last:.1f}", f"{run.cpu:.1f}", f"{run.work:.1f}")
        table.add_row(role, *figures, f"{run.peak_mb:.0f}", f"{whole:,}", f"{work:,}")
        if role == "sender" and not run.is_right:
            raise SystemExit("not every event has one right result")
    Console(width=100).print(table)


def _alone(role: Callable[[Scene, dict[str, Any]], Job], name: str) -> Prepare:
    def prepare(place: Scene, source: str, _: int) -> Job:
        return role(place, config.document(name, place.bootstrap, place.sink, source))

    return prepare
