"""The program with delays of seconds: `python -P short_delays.py SECONDS run …`.

A script of its own, so that it can start the program of another folder (`PYTHONPATH`): that of
commit 258f27a has the delay topics' times in another module.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def main() -> None:
    """Shorten the shortest step and what an invitation waits on it, and start the program."""
    seconds = float(sys.argv.pop(1))
    former = find_spec("consumer.lane.ladder") is not None
    delays: Any = import_module(
        "consumer.lane.ladder" if former else "consumer.lane.state.delay_steps"
    )
    delays.STEPS["1m"] = seconds
    delays.PUT_OFF = (seconds, seconds)
    runpy.run_module("consumer", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
