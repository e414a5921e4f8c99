"""Options of a process, from the command line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads this module for `--help`
    from consumer.kafka.start_offsets import StartFrom
    from consumer.runtime.parent.child import ChildOfParent
    from consumer.wiring.config_file import ConfigFile


class ExitCode(IntEnum):
    """Exit codes, for supervisors and on-call engineers. 2 is also a wrong command line."""

    CLEAN = 0
    DEFECT = 1
    CONFIG = 2
    TOPICS = 3
    START_UNCLEAR = 4


class Role(StrEnum):
    """Which stages a process runs."""

    ALL = "all"
    ROUTER = "router"
    SENDER = "sender"

    @property
    def routes(self) -> bool:
        """Whether the process runs the router and the delay stage."""
        return self is not Role.SENDER

    @property
    def sends(self) -> bool:
        """Whether the process runs the lanes."""
        return self is not Role.ROUTER


class Processes(StrEnum):
    """How many processes run the stages of the role `all`."""

    ONE = "one"
    TWO = "two"


PROCESSES = Processes.TWO if sys.platform == "linux" else Processes.ONE
"""Default: elsewhere libraries of the system may not survive a fork."""


@dataclass(slots=True)
class Options:
    """Options of one process.

    `answered_since`: epoch seconds; events with a result of since then are left out (None: no
    result is read). `embedded`: the broker has no topic administration (the demo's). `file`: source
    of the config; without it the config is never reloaded. `parent`: of a child (`runtime.parent`),
    which has no admin port and watches no files.
    """

    role: Role = Role.ALL
    begin: StartFrom = None
    answered_since: float | None = None
    instance: str = "0"
    embedded: bool = False
    file: ConfigFile | None = None
    parent: ChildOfParent | None = None

    @property
    def leads(self) -> bool:
        """Whether this process watches what only one process of a program has to watch."""
        return self.parent is None or self.parent.leads
