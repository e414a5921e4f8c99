"""`python -m tests.chaos`: a real Kafka, three dispatchers, and harm; ends with one JSON object.

Progress goes to stderr. The exit code is 1 if a promise was broken, or a replica ended by itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos.experiment import Plan, run_experiment


def main() -> int:
    """Read the command line, run_experiment, print the figures."""
    arguments = _parser().parse_args()
    harms = {
        "kill": arguments.kills,
        "move": arguments.rebalances - arguments.rebalances // 2,
        "scale": arguments.rebalances // 2,
        "freeze": arguments.freeze,
        "broker": arguments.broker,
        "network": arguments.proxy,
        "vendor": arguments.vendor,
        "disk": arguments.disk,
    }
    wanted = {name: number for name, number in harms.items() if number}
    plan = Plan(wanted, arguments.seed, arguments.rate, arguments.pace)
    if arguments.keep is None:
        with tempfile.TemporaryDirectory(prefix="chaos-") as home:
            figures = run_experiment(plan, Path(home))
    else:
        arguments.keep.mkdir(parents=True)
        figures = run_experiment(plan, arguments.keep)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["broken"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    counts = {
        "kills": "kill -9 of a dispatcher, preferably with a call in flight",
        "rebalances": "planned moves: half SIGTERM and start, half a third replica",
        "freeze": "SIGSTOP of a dispatcher beyond its session, then SIGCONT",
        "broker": "kill -9 and restart of the broker, or SIGSTOP for seconds",
        "proxy": "network trouble of one dispatcher: cut, slow, silent",
        "vendor": "resets, hangs and truncated answers of a vendor",
        "disk": "the broker's disk is full until it ends, then it starts again",
    }
    for name, meaning in counts.items():
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help=meaning)
    parser.add_argument("--seed", type=int, default=7, help="of the order and choices of harm")
    parser.add_argument("--rate", type=float, default=60.0, help="events a second and lane")
    parser.add_argument("--pace", type=float, default=4.0, help="seconds a cycle takes at least")
    parser.add_argument("--keep", type=Path, help="a folder to make: logs and journals stay there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
