"""What bad recipients, outages and sick campaigns cost a lane: `python -m benchmarks.answers WHAT`.

The program's own lane under Pisano's four documented limits, on a virtual clock.

`bisection`: beside five campaigns with 2 customers a second, 5,000 customers of a sixth campaign
come at once, and some of them are bad. `outages`: a day in which the vendor fails again and again
for 1 to 30 minutes, with the circuit breaker and without it. `sick`: campaigns that fail, each in
its own way, beside healthy ones of their account.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from benchmarks.answers import bisection, outages, sick

Row = Mapping[str, object]
J = TypeVar("J")
F = TypeVar("F")


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown."""
    heads = list(rows[0])
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row.values()))} |"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def show(
    play: Callable[[J], F],
    jobs: Iterable[J],
    rows: Callable[[Iterable[F]], Iterator[Row]],
    given: argparse.Namespace,
) -> None:
    """Play all at a low priority, and print what came of it."""
    with ProcessPoolExecutor(given.processes, initializer=os.nice, initargs=(given.nice,)) as pool:
        print("\n".join(table(list(rows(pool.map(play, jobs))))))


def main(arguments: Sequence[str] | None = None) -> None:
    """Play what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["bisection", "outages", "sick"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--hours", type=float, default=24.0, help="of outages")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--nice", type=int, default=10)
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    if given.what == "bisection":
        show(bisection.play, bisection.jobs(seeds), bisection.rows, given)
    elif given.what == "sick":
        show(sick.play, sick.jobs(seeds), sick.rows, given)
    else:
        show(outages.play, outages.jobs(seeds, given.hours), outages.rows, given)


if __name__ == "__main__":
    main()
