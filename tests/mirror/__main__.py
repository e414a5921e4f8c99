"""`python -m tests.mirror`: rehearse docs/disaster.md on two real clusters and MirrorMaker 2.

    load on A, mirrored to B ─► A, its dispatcher and MirrorMaker are killed ─► fail over to B
        ─► A's disks come back: what only they had is made good
        ─► A empty, mirrored from B ─► fail back

Prints one JSON object of what was fed, what the vendor's journal counts, and how long it took.
Progress goes to stderr. The exit code is 1 if an event was lost, or sent twice without being in
doubt.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.mirror.rehearsal import Rehearsal
from tests.support.dispatcher import LiveWorld
from tests.support.kafka import broker_factory


def main() -> int:
    """Read the command line, rehearse, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=300.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of load before A is killed")
    parser.add_argument("--lag", type=float, default=2.0, help="seconds B is behind when A is lost")
    parser.add_argument("--keep", type=Path, help="a folder to make: logs stay there")
    given = parser.parse_args()
    if given.keep is None:
        with tempfile.TemporaryDirectory(prefix="mirror-") as home:
            figures = rehearse(Path(home), given.rate, given.seconds, given.lag)
    else:
        given.keep.mkdir(parents=True)
        figures = rehearse(given.keep, given.rate, given.seconds, given.lag)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["broken"] else 0


def rehearse(home: Path, rate: float, seconds: float, lag: float) -> dict[str, object]:
    """Run the whole rehearsal in a folder; return its figures."""
    began = time.monotonic()
    with broker_factory(home) as start:
        first, second = start(), start()
        with LiveWorld(first.bootstrap, home) as world:
            rehearsal = Rehearsal(world, home, first, second)
            try:
                rehearsal.run(rate, seconds, lag)
            finally:
                rehearsal.close()
            return {**rehearsal.figures, "seconds": round(time.monotonic() - began)}


if __name__ == "__main__":
    sys.exit(main())
