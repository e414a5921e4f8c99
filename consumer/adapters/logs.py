"""Structured logs: JSON lines for machines, colours on a terminal. No personal data, ever."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum

import structlog
from structlog.typing import EventDict, WrappedLogger


class Level(StrEnum):
    """What is logged: this and all that is worse."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def set_up(level: Level = Level.INFO) -> None:
    """Configure once per process; logs go to stderr, for stdout is for results."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _when_and_what_first,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _when_and_what_first(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Lines are read by people too, who look for the time and the event before its details."""
    return {**{name: event[name] for name in ("timestamp", "level", "event")}, **event}
