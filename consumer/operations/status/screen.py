"""The status on the operator's terminal: once, or refreshed."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from consumer.errors import DispatcherError, OperationError
from consumer.observability.status.status import StatusSnapshot
from consumer.operations.status.view import picture
from consumer.operations.tables import clean

EVERY = 1.0
EVERY_FROM_TOPICS = 10.0
"""Seconds: each refresh makes clients and reads checkpoints."""

WIDTH = 100
"""Columns if the output is no terminal."""

Look = Callable[[], StatusSnapshot]


def console() -> Console:
    """Return a console on standard output."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)


def once(look: Look) -> None:
    """Print the status. Raises what `look` raises."""
    console().print(picture(look()))


def watch(look: Look, every: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Draw the status every `every` seconds until Ctrl-C. The first `look` may raise; later errors
    are shown above the last status, because a restarting process comes back. Raises OperationError
    if the output is no terminal."""
    screen = console()
    if not screen.is_terminal:
        raise OperationError("--watch needs a terminal: leave it out, or take --json")
    last = picture(look())
    try:
        with Live(last, console=screen, screen=True, auto_refresh=False) as live:
            while True:
                sleep(every)
                try:
                    last = picture(look())
                    shown = last
                except DispatcherError as error:
                    shown = Group(Text(clean(str(error)), style="red"), Text(""), last)
                live.update(shown, refresh=True)
    except KeyboardInterrupt:
        return
