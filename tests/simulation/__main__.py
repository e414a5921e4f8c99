"""`python -m tests.simulation`: many worlds, one world's story, or all planted defects.

Ends with `N seeds, M violations`, and exit code 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.mutants import MUTANTS
from tests.simulation.world.fleet import Summary, run_seeds, search
from tests.simulation.world.judged import judge

FIND_WITHIN = 10_000


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    options = _options()
    if options.seed is not None:
        return _story(options)
    if options.mutants:
        return _all_mutants(options.jobs)
    return _many(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds to run")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes to use")
    parser.add_argument("--seed", type=int, help="replay one seed and tell its story")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="plant this defect")
    parser.add_argument("--contacts", action="store_true", help="worlds with contact rules")
    parser.add_argument("--mutants", action="store_true", help="find every planted defect")
    return parser.parse_args()


def _story(options: argparse.Namespace) -> int:
    verdict = judge(options.seed, mutant=options.mutant, tell=True, contacts=options.contacts)
    print(*verdict.story, sep="\n")  # noqa: T201 - this is a command
    for line in verdict.wrong:
        print("VIOLATION:", line)  # noqa: T201
    print(f"1 seeds, {int(bool(verdict.wrong))} violations")  # noqa: T201
    return int(bool(verdict.wrong))


def _many(options: argparse.Namespace) -> int:
    summary, began = Summary(), time.monotonic()
    seeds = range(options.start, options.start + options.seeds)
    chosen = {"mutant": options.mutant, "contacts": options.contacts}
    for verdict in run_seeds(seeds, options.jobs, **chosen):
        summary.add(verdict)
        if verdict.wrong:
            print(f"seed {verdict.seed}: {verdict.wrong[0]}", flush=True)  # noqa: T201
        if summary.seeds % 1_000 == 0:
            print(f"{summary.seeds} seeds, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    print(summary.text(time.monotonic() - began))  # noqa: T201
    print(f"{summary.seeds} seeds, {summary.violations} violations")  # noqa: T201
    return int(summary.violations > 0)


def _all_mutants(jobs: int) -> int:
    missed = 0
    for name in MUTANTS:
        found = search(name, range(FIND_WITHIN), jobs)
        missed += found is None
        if found is None:
            print(f"{name}: NOT FOUND within {FIND_WITHIN} seeds", flush=True)  # noqa: T201
        else:
            print(f"{name}: seed {found.seed}: {found.wrong[0]}", flush=True)  # noqa: T201
    print(f"{len(MUTANTS)} mutants, {missed} not found")  # noqa: T201
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
