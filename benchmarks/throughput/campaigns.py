"""`python -m benchmarks.throughput.campaigns`: a backlog of several campaigns that share a lane.

No quota. How full are the calls, and does the size of the backlog change what an event takes?
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.throughput import ours, workload
from benchmarks.throughput.scene import filled, scene


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, and a JSON line for each backlog."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=8)
    parser.add_argument("--backlogs", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    given = parser.parse_args(arguments)
    table = Table("backlog")
    with scene() as place:
        started = ours.started(place, given.campaigns)
        for backlog in given.backlogs:
            source = filled(place, workload.events(backlog, stores=given.campaigns))
            found = ours.figures(place, source, backlog, started=started, campaigns=given.campaigns)
            print(json.dumps({"backlog": backlog, **found}, ensure_ascii=False), flush=True)
            if not table.rows:
                for name in found:
                    table.add_column(name)
            table.add_row(f"{backlog:,}", *(f"{value:,}" for value in found.values()))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
