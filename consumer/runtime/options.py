"""How a process is run, as the command line says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads this module for `--help`
    from consumer.kafka.start_offsets import StartFrom
    from consumer.wiring.config_file import ConfigFile


class ExitCode(IntEnum):
    """What a supervisor and an on-call engineer read. 2 is also a wrong command line."""

    CLEAN = 0
    DEFECT = 1
    CONFIG = 2
    TOPICS = 3
    START_UNCLEAR = 4


class Role(StrEnum):
    """Which stages this process runs."""

    ALL = "all"
    ROUTER = "router"
    SENDER = "sender"

    @property
    def routes(self) -> bool:
        """Whether it runs the router and the delay ladder."""
        return self is not Role.SENDER

    @property
    def sends(self) -> bool:
        """Whether it runs the lanes."""
        return self is not Role.ROUTER


@dataclass(slots=True)
class Options:
    """How to run. `embedded`: a broker without topic administration (the demo's). `file`: where
    the config came from; without, it is never read again."""

    role: Role = Role.ALL
    begin: StartFrom = None
    instance: str = "0"
    embedded: bool = False
    file: ConfigFile | None = None
