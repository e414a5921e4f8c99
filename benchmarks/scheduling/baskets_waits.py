"""Waits of real purchases under the documented quota.

    .venv/bin/python -m benchmarks.scheduling.baskets_waits

The 60 largest of the 457 stores are campaigns, households are recipients (a batch takes each
once), and the recorded year is played in 30 days, 7 days, 1 day and 4 hours, nights and rush hours
included. One JSON line a run, a table at the end.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Any

from consumer.demo.baskets import Basket, baskets
from consumer.simulate.figures import summary
from consumer.simulate.recorded import store_traffic
from consumer.simulate.strategies import BASELINES, OURS, Strategy, play_lane

STORES = 60
PACES = {"30 d": 30 * 86400.0, "7 d": 7 * 86400.0, "1 d": 86400.0, "4 h": 4 * 3600.0}
"""What the year is pressed into, seconds."""

APART = {"30 d": 0.05, "7 d": 0.05, "1 d": 0.25, "4 h": 1.0}
"""Seconds between two polls for arrivals; the program polls every 0.05 s. It only adds."""


@cache
def year() -> list[Basket]:
    """Read once a process."""
    return list(baskets())


def play(job: tuple[str, str]) -> dict[str, Any]:
    """(pace, strategy) → its figures."""
    pace, name = job
    found = year()
    speed = (found[-1].time - found[0].time) / PACES[pace]
    traffic = store_traffic(STORES, speed, found)
    strategies: dict[str, Strategy] = {OURS: partial(play_lane, apart=APART[pace]), **BASELINES}
    return {
        "pace": pace,
        "strategy": name,
        **summary([traffic.play(strategies[name], 0)], traffic.least),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Markdown. No bound: it is for even traffic and distinct recipients."""
    heads = "the year in | strategy | mean, s | p50, s | p99, s | max, s | calls | a call | 429s"
    yield f"| {heads} |"
    yield "|---" * 9 + "|"
    for row in rows:
        waits = " | ".join(f"{row[key]:,.1f}" for key in ("mean_wait", "p50", "p99", "max"))
        calls = f"{row['calls']:,} | {row['customers_per_call']:.1f} | {row['throttled']}"
        yield f"| {row['pace']} | {row['strategy']} | {waits} | {calls} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Play all, on `--processes` cores at a low priority."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--nice", type=int, default=10)
    parser.add_argument("--paces", nargs="*", choices=list(PACES), default=list(PACES))
    given = parser.parse_args(arguments)
    jobs = [(pace, name) for pace in given.paces for name in (OURS, *BASELINES)]
    rows = []
    with ProcessPoolExecutor(given.processes, initializer=os.nice, initargs=(given.nice,)) as pool:
        for row in pool.map(play, jobs):
            rows.append(row)
            print(json.dumps(row), flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
