"""The `survey-dispatcher` command, `python -m consumer` too: ends well however early it is told to.

PID 1 of a container gets no signal that it has no handler for. Without this one, a SIGTERM while
modules are still being imported would be lost: the process would go on to take lanes, and be killed
with calls in flight when its grace period is over.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run a command. `run` replaces the handler once there is something to end in order."""
    signal.signal(signal.SIGTERM, _before_anything_began)
    from consumer.cli.main import main as command  # noqa: PLC0415 - this takes a second

    command()


def _before_anything_began(*_: object) -> NoReturn:
    # A service that did nothing has ended cleanly; another command has not done what it was for.
    os._exit(0 if sys.argv[1:2] == ["run"] else 128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
