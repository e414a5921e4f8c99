"""Waits under the documented quota, beside other ways to spend it.

    .venv/bin/python -m benchmarks.scheduling.waits

Zipf(1.1) campaigns with Poisson arrivals; an hour's warm-up, then four; every arrival counts and a
run ends when the last is sent. A row tells the worst of ten seeds (baselines: of `--others`). A
lone customer of an idle lane is played too. One JSON line a run, a table at the end.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from consumer.simulate.simulate import DOCUMENTED, Scenario, poisson_lane, synthetic_lane
from consumer.simulate.strategies import BASELINES, OURS, Strategy, play_lane
from consumer.simulate.traffic import Arrival

AIMS = {(50, 5.0): 1.08, (300, 20.0): 1.08, (5, 2.0): 1.20}
"""(campaigns, invitations a second) → the mean wait over the bound, at most."""

APART = {5: 0.25, 50: 1.0, 300: 1.0}
"""Seconds between two polls for arrivals, by campaigns; the program polls every 0.05 s, which
would take five times as long to play. It only adds to our waits."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    campaigns: int
    rate: float
    strategy: str
    seed: int
    hours: float
    max_wait: float


def strategies(campaigns: int) -> Mapping[str, Strategy]:
    """Ours first."""
    return {OURS: partial(play_lane, apart=APART[campaigns]), **BASELINES}


def play(job: Job) -> dict[str, Any]:
    """Its figures."""
    scenario = Scenario(job.campaigns, job.rate, job.hours, job.seed, max_wait=job.max_wait)
    figures = scenario.run(strategies(job.campaigns)[job.strategy])
    names = {
        "campaigns": job.campaigns,
        "rate": job.rate,
        "strategy": job.strategy,
        "seed": job.seed,
    }
    return {**names, **figures}


def jobs(given: argparse.Namespace) -> Iterator[Job]:
    """All runs, ours before the others'."""
    for name in given.strategies:
        for campaigns, rate in AIMS:
            for seed in range(given.seeds if name == OURS else given.others):
                yield Job(campaigns, rate, name, seed, given.hours, given.max_wait)


def lone() -> float:
    """How long the only customer of an idle lane waits, seconds."""
    traffic = poisson_lane(synthetic_lane(["only"], DOCUMENTED, 1.0), {"only": 1.0}, 0.0, 0)
    alone = type(traffic)(traffic.settings, lambda: iter([Arrival(100.0, "only")]), {})
    return alone.play(play_lane, 0).waits[0]


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Markdown: the worst seed of each."""
    heads = (
        "trace | strategy | runs | mean, s | over the bound | aim | p99, s | max, s | calls | 429s"
    )
    yield f"| {heads} |"
    yield "|---" * 10 + "|"
    for campaigns, rate in AIMS:
        for name in (OURS, *BASELINES):
            found = [
                row
                for row in rows
                if (row["campaigns"], row["rate"], row["strategy"]) == (campaigns, rate, name)
            ]
            if found:
                yield _row(name, found)


def _row(name: str, found: Sequence[Mapping[str, Any]]) -> str:
    worst = max(found, key=lambda each: each["ratio"])
    trace = f"{worst['campaigns']} campaigns, {worst['rate']:g}/s"
    aim = f"{AIMS[worst['campaigns'], worst['rate']]:.2f}" if name == OURS else ""
    waits = f"{worst['mean_wait']:,.1f} | {worst['ratio']:,.3f} | {aim} | {worst['p99']:,.0f}"
    throttled = sum(each["throttled"] for each in found)
    rest = f"{worst['max']:,.0f} | {worst['calls']:,} | {throttled}"
    return f"| {trace} | {name} | {len(found)} | {waits} | {rest} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Play all, on `--processes` cores at a low priority."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--others", type=int, default=1, help="seeds of each baseline")
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--max-wait", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--strategies", nargs="*", default=[OURS, *BASELINES])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--nice", type=int, default=10)
    given = parser.parse_args(arguments)
    rows = []
    with ProcessPoolExecutor(given.processes, initializer=os.nice, initargs=(given.nice,)) as pool:
        for row in pool.map(play, jobs(given)):
            rows.append(row)
            print(json.dumps(row), flush=True)
    print("\n".join(table(rows)))
    print(f"\nThe only customer of an idle lane waits {lone():.2f} s.")


if __name__ == "__main__":
    main()
