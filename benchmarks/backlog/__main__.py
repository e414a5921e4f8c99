"""Backlogs larger than memory: `python -m benchmarks.backlog down|parked|takeover|checkpoint`.

Each starts a real Apache Kafka, the vendors' doubles and the program as processes of their own,
and prints one JSON object. Memory in MB, times in seconds. `docs`: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.backlog.checkpoint import BigCheckpoint
from benchmarks.backlog.down import Down
from benchmarks.backlog.parked import Parked
from benchmarks.backlog.takeover import BigTakeover
from tests.support.kafka import KafkaBroker, broker_factory

BROKER = {"log.segment.bytes": str(256 * 1024 * 1024), "log.retention.check.interval.ms": "300000"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one and print its figures."""
    given = _parser().parse_args(arguments)
    home = Path(tempfile.mkdtemp(prefix="backlog-")) if given.keep else None
    with tempfile.TemporaryDirectory() as folder:
        place = home or Path(folder)
        with broker_factory(place) as start:
            figures = given.run(start(BROKER), place, given)
    print(json.dumps(figures, indent=1))
    if home:
        print(f"logs and journals: {home}", file=sys.stderr)


def down(broker: KafkaBroker, home: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The vendor is away."""
    return Down(broker.bootstrap, home, given.size, given.seconds, given.limited).run()


def parked(broker: KafkaBroker, home: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The vendor does not know a campaign."""
    return Parked(broker.bootstrap, home, given.size, given.seconds, given.limited).run()


def takeover(broker: KafkaBroker, home: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The owner of a lane that has settled much, out of order, is killed."""
    return BigTakeover(broker.bootstrap, home, given.size).run()


def checkpoint(broker: KafkaBroker, home: Path, given: argparse.Namespace) -> dict[str, Any]:
    """A refused account's invitations wait among millions that are settled."""
    return BigCheckpoint(broker.bootstrap, home, given.size, given.seconds).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    _command(commands, down, size=3_000_000, seconds=240.0)
    _command(commands, parked, size=1_000_000, seconds=240.0)
    _command(commands, takeover, size=500_000, seconds=0.0)
    _command(commands, checkpoint, size=23_000_000, seconds=3600.0)
    return parser


def _command(commands: Any, run: Callable[..., dict[str, Any]], size: int, seconds: float) -> None:
    parser = commands.add_parser(run.__name__, help=run.__doc__)
    parser.add_argument("--size", type=int, default=size, help="invitations")
    parser.add_argument("--seconds", type=float, default=seconds, help="of observation")
    parser.add_argument("--limited", action="store_true", help="Pisano's limits, 20 times as fast")
    parser.add_argument("--keep", action="store_true", help="keep logs and journals")
    parser.set_defaults(run=run)


if __name__ == "__main__":
    main()
