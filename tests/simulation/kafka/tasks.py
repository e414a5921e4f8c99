"""Processes and their tasks: what may be killed and frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from greenlet import GreenletExit, greenlet


class Killed(GreenletExit):
    """Thrown into the tasks of a dead process; no `except Exception` stops it."""


class Guest(Protocol):
    """What lives in a process and hears of its fate, as a client's background threads would."""

    def killed(self) -> None:
        """The process is dead. Called once; nothing of it may have an effect afterwards."""

    def frozen(self, until: float) -> None:
        """The process stands still until then."""

    def thawed(self) -> None:
        """It goes on."""


@dataclass(slots=True, eq=False)
class Process:
    """One incarnation of a process; after a kill its name may be used again."""

    name: str
    dead: bool = False
    frozen_until: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)


class Task:
    """One thread of a process."""

    __slots__ = ("name", "process", "run", "thread", "ticket", "waiting", "woken")

    def __init__(self, name: str, process: Process, run: Callable[[], None]) -> None:
        self.name = name
        self.process = process
        self.run = run
        self.thread = greenlet(run)
        self.ticket = 0  # what is planned for an older one is stale
        self.waiting = False
        self.woken = False
