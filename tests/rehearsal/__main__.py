"""`python -m tests.rehearsal NUMBER`: one fault of ten in a living system, to be found and mended.

The engineer works in the folder that is printed, and ends with its `./done`. Prints the minutes
from the fault to its alert and from the alert to the last alert's end, and the judge's verdict.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.rehearsal.desk import answer, furnish, page
from tests.rehearsal.faults import FAULTS, Fault
from tests.rehearsal.judge import judge
from tests.rehearsal.room import Room, open_room

CALM = 900.0
"""Seconds for the last alert to end after `./done`."""


@dataclass
class Times:
    """When what happened (epoch seconds), and the alerts that rang, by name."""

    began: float
    rang: dict[str, float] = field(default_factory=dict)
    calm: float = 0.0

    def note(self, names: set[str]) -> None:
        """Remember what rings now."""
        now = time.time()
        for name in names:
            self.rang.setdefault(name, now)
        self.calm = self.calm or now if not names else 0.0

    def report(self, fault: Fault, wrong: list[str]) -> dict[str, object]:
        """The figures of this rehearsal."""
        first = min(self.rang.values(), default=self.calm)
        return {
            "fault": fault.name,
            "alerts": {name: round(at - self.began) for name, at in self.rang.items()},
            "seconds to the alert": round(first - self.began),
            "minutes from alert to calm": round((self.calm - first) / 60, 1),
            "wrong": wrong,
        }


def rehearse(number: int, home: Path) -> dict[str, object]:
    """Hold one rehearsal, which ends by the engineer's `./done`."""
    with open_room(home) as room:
        furnish(room)
        room.world.wait_results(1)
        fault = FAULTS[number - 1]
        sys.stderr.write(f"the system runs, the fault begins: {home}/README.txt\n")
        times = Times(time.time())
        teams = fault.begin(room)
        while not answer(home, teams):
            _look(room, times)
        end = time.monotonic() + CALM
        while (not times.calm or time.time() - times.calm < 10) and time.monotonic() < end:
            answer(home, teams)
            _look(room, times)
        room.feeder.channels = {}
        room.settle(within=CALM)
        report = times.report(fault, judge(room.world, room.feeder.written))
        (home / "verdict.txt").write_text(json.dumps(report, indent=2) + "\n")
        threading.Event().wait(2)  # the engineer's command reads it
        return report


def _look(room: Room, times: Times) -> None:
    """What a second brings: restarts, and the pager."""
    room.keep_running()
    firing = room.firing()
    page(room.home, firing)
    times.note({alert["labels"]["alertname"] for alert in firing})
    threading.Event().wait(1)


def main() -> int:
    """Read the command line, hold the rehearsal, print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=__doc__)
    parser.add_argument("number", type=int, choices=range(1, len(FAULTS) + 1))
    parser.add_argument("--home", type=Path, help="the folder to work in; must not exist")
    arguments = parser.parse_args()
    home = arguments.home or Path(tempfile.mkdtemp(prefix="rehearsal-")) / "desk"
    report = rehearse(arguments.number, home)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
