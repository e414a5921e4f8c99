"""`python -m tests.simulation.permits`: a row for each counter and network.

Every counter judges the same calls. Exit code 1 if any was refused, if less than 97 % of the
quota was used (but under heavy tails), or if a planted mistake was not found.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.simulation.permits.judges import COUNTERS
from tests.simulation.permits.mutants import MUTANTS
from tests.simulation.permits.runs import RESTLESS, SCENES, Tally, hunt, run_all, tasks_of

ENOUGH = 0.97
"""Share of the quota's calls that a waiting backlog gets at least."""

REPORTED_ONLY = ("heavy-tailed", RESTLESS)
HUNT_CALLS = 20_000


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    options = _options()
    console, began = Console(width=120), time.monotonic()
    wrong = _mutants(console) if options.mutants else _worlds(options, console)
    console.print(f"{time.monotonic() - began:.0f} s of wall time, {wrong} wrong")
    return int(wrong > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.permits", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="calls of each combination")
    parser.add_argument("--counter", choices=list(COUNTERS), help="judge by this counter alone")
    parser.add_argument("--latency", choices=SCENES, help="run these worlds alone")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes to use")
    parser.add_argument("--mutants", action="store_true", help="find every planted mistake")
    return parser.parse_args()


def _worlds(options: argparse.Namespace, console: Console) -> int:
    counters = [options.counter] if options.counter else list(COUNTERS)
    scenes = [options.latency] if options.latency else list(SCENES)
    tallies = {scene: Tally() for scene in scenes}
    tasks = [task for scene in scenes for task in tasks_of(scene, options.calls)]
    for task, tally in run_all(tasks, options.jobs, counters):
        tallies[task.scene].add(tally)
        if tally.refused.total():
            print(f"refused: {task} {dict(+tally.refused)}", flush=True)  # noqa: T201
        so_far = tallies[task.scene]
        if so_far.calls == options.calls:
            print(f"{task.scene}: {so_far.refused.total()} refused", flush=True)  # noqa: T201
    console.print(_table(counters, tallies))
    return sum(_wrong(scene, tally) for scene, tally in tallies.items())


def _wrong(scene: str, tally: Tally) -> int:
    wasted = scene not in REPORTED_ONLY and tally.share < ENOUGH
    return tally.refused.total() + wasted


def _table(counters: Sequence[str], tallies: Mapping[str, Tally]) -> Table:
    table = Table("counter", "latency", "calls", "takeovers", "429s", "share of the quota")
    for counter in counters:
        for scene, tally in tallies.items():
            share = "–" if scene == RESTLESS else f"{tally.share:.2%}"
            numbers = (tally.calls, tally.takeovers, tally.refused[counter])
            table.add_row(counter, scene, *(f"{each:,}" for each in numbers), share)
    return table


def _mutants(console: Console) -> int:
    table, missed = Table("mistake", "found after", *COUNTERS), 0
    table.title = f"Calls refused of {HUNT_CALLS:,}, by counter"
    for name in MUTANTS:
        first, refused = hunt(name, HUNT_CALLS, on=True)
        missed += not first
        numbers = (refused[counter] for counter in COUNTERS)
        table.add_row(name, f"{first:,}" if first else "NEVER", *(f"{each:,}" for each in numbers))
    console.print(table)
    return missed


if __name__ == "__main__":
    sys.exit(main())
