"""Entry point of `survey-dispatcher` and `python -m consumer`; handles SIGTERM from the start.

The kernel delivers no signal to PID 1 of a container unless a handler is installed. Without this
handler a SIGTERM during the imports would be lost. The process would then take over lanes, and be
killed with calls in flight at the end of its grace period.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run a command. `run` replaces the handler once an orderly shutdown is needed."""
    signal.signal(signal.SIGTERM, _before_anything_began)
    from consumer.cli.main import main as command  # noqa: PLC0415 - this takes a second

    command()


def _before_anything_began(*_: object) -> NoReturn:
    # `run` that did nothing yet has ended cleanly; any other command has failed.
    os._exit(0 if sys.argv[1:2] == ["run"] else 128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
