"""`make bench`: the dispatcher beside a plain loop and other peers, on a real Apache Kafka.

400,000 transactions of about 320 bytes on four partitions → those with `channel` "pos", `amount`
above 10 and a phone (all) → batches of 5,000 or one second → one POST each to a sink that answers
at once → one result a recipient → offsets committed. What the columns are: `measure`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.throughput import roles, workload
from benchmarks.throughput.measure import Run, measure, startup
from benchmarks.throughput.scene import Scene, filled, scene
from benchmarks.throughput.systems import NAMES, SYSTEMS, installable

REFERENCE = "plain"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the systems `--runs` times in turn; print a table, and a JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["plain", "ours"])
    parser.add_argument("--peers", action="store_true", help="all systems that can be installed")
    parser.add_argument("--roles", action="store_true", help="router alone, sender alone")
    given = parser.parse_args(arguments)
    if given.roles:
        with scene() as place:
            return roles.main(place, filled(place, workload.events(given.events)), given.events)
    names = installable(list(SYSTEMS) if given.peers else given.systems)
    with scene() as place:
        source = filled(place, workload.events(given.events))
        started = {name: startup(SYSTEMS[name], place) for name in names}
        rounds = [one_round(names, place, source, given.events, started) for _ in range(given.runs)]
    show(rounds)
    if not all(run.is_right for runs in rounds for run in runs.values()):
        raise SystemExit("not every event has one right result")
    return None


def one_round(
    names: Sequence[str], place: Scene, source: str, events: int, started: Mapping[str, float]
) -> dict[str, Run]:
    """Run each system once on the same events."""
    runs = {}
    for name in names:
        run = measure(name, SYSTEMS[name], place, source, events, started=started[name])
        print(json.dumps(asdict(run)), flush=True)
        runs[name] = run
    return runs


def show(rounds: Sequence[Mapping[str, Run]]) -> None:
    """A row a run, with its CPU as a multiple of the reference's in the same round."""
    headings = ("system", "first to last, s", "CPU-s", "without start", "peak MB", "calls")
    table = Table(*headings, "CPU ÷ plain", "without start", "wrong")
    for runs in rounds:
        reference = runs.get(REFERENCE)
        for name, run in runs.items():
            ratios = ("", "")
            if reference:
                whole, work = run.cpu / reference.cpu, run.work / reference.work
                ratios = (f"{whole:.2f}", f"{work:.2f}")
                line = {"system": name, "ratio_cpu": round(whole, 2), "ratio_work": round(work, 2)}
                print(json.dumps(line))
            figures = (f"{run.first_to_last:.1f}", f"{run.cpu:.1f}", f"{run.work:.1f}")
            wrong = "0" if run.is_right else f"{run.records}/{run.distinct}/{run.wrong}"
            table.add_row(
                NAMES[name], *figures, f"{run.peak_mb:.0f}", str(run.calls), *ratios, wrong
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
