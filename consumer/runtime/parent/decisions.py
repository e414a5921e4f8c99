"""What the parent decides: when to stop, with which exit code, in which order to reload. Pure.

running ──(told to stop, or a child ended)──► stopping ──(no child is left)──► ended
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from consumer.runtime.options import ExitCode
from consumer.runtime.reload import Reload

ROUTER, SENDER = "router", "sender"

PREPARE, TAKE, FINISH = "prepare", "take", "finish"
"""Parts of a child's reload: read and check; put into use; let what was removed end."""

STEPS = ((SENDER, TAKE), (ROUTER, TAKE), (SENDER, FINISH))
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the program ends other than cleanly. `signal`: of a child that was killed."""

    child: str
    code: int
    message: str = ""
    signal: str | None = None


@dataclass(slots=True)
class Children:
    """Names of the running children, and the first failure."""

    running: set[str]
    stopping: bool = False
    failure: Failure | None = None

    def stop(self) -> bool:
        """Begin to stop. Return whether that is new."""
        new, self.stopping = not self.stopping, True
        return new

    def ended(self, child: str, exit_code: int, message: str = "") -> Failure | None:
        """Record a child's end; a negative exit code is the signal that killed it. The others
        must stop then. Return the child's failure, if it failed."""
        self.running.discard(child)
        if exit_code == 0:
            return None
        if exit_code < 0:
            failure = Failure(child, ExitCode.DEFECT, message, signal.Signals(-exit_code).name)
        else:
            failure = Failure(child, exit_code, message)
        self.failure = self.failure or failure
        return failure


@dataclass(frozen=True, slots=True)
class Prepared:
    """A child's answer to `prepare`: its result, and the config's version if it is ready."""

    result: Reload
    version: str = ""


async def reload_in_order(
    prepare: Callable[[str], Awaitable[Prepared]],
    go_on: Callable[[str, str], Awaitable[Reload]],
) -> Reload:
    """Reload both children. The lanes take the config, then the router, then removed lanes drain.

    No child takes a config that another one refuses, or a version that the other did not read.
    """
    for _ in range(ATTEMPTS):
        ready = [await prepare(ROUTER)]  # the router checks the most
        if ready[0].result is Reload.READY:
            ready.append(await prepare(SENDER))
        if ready[-1].result is not Reload.READY:
            return ready[-1].result
        if ready[0].version == ready[1].version:
            break
    else:  # the files change all the time
        return Reload.LATER
    for child, part in STEPS:
        result = await go_on(child, part)
        if result in (Reload.REFUSED, Reload.LATER):  # the child stops, and with it the program
            break
    return result
