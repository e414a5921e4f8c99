"""Structured logs: JSON lines for machines, colours on a terminal. No personal data, ever.

ours ──────────► level ─► time ─► repeats ─► JSON or colours ─► stderr
libraries' ──► sentence, type ──┘                (an error in here stops no caller)
"""

from __future__ import annotations

import atexit
import json
import logging
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum
from threading import RLock
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from consumer.observability.logs import library
from consumer.observability.logs.repeats import Repeats


class Level(StrEnum):
    """Minimum level to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def set_up(level: Level = Level.INFO) -> None:
    """Configure once per process; logs go to stderr, because stdout is for results."""
    colours = sys.stderr.isatty()
    render = structlog.dev.ConsoleRenderer() if colours else structlog.processors.JSONRenderer()
    stream = _Stream(sys.stderr)
    lines = _Lines(render)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _when_and_what_first,
            lines,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: stream,
        cache_logger_on_first_use=False,  # cached loggers would miss a new configuration
    )
    library.listen()
    atexit.register(lambda: stream.msg(lines.rest()))


def leave_out(events: Collection[str]) -> None:
    """Log none of these events from now on: another process of the program logs them."""

    def leave(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        if event["event"] in events:
            raise structlog.DropEvent
        return event

    structlog.configure(processors=[leave, *structlog.get_config()["processors"]])


def _when_and_what_first(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Put time, level and event before the details, for human readers."""
    return {**{name: event[name] for name in ("timestamp", "level", "event")}, **event}


class _Lines:
    """The last processor: renders no line, one, or several, as text."""

    def __init__(self, render: Processor) -> None:
        self._render = render
        self._repeats = Repeats()
        self._lock = RLock()  # a finalizer that runs in between may log

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        """Return the text to write. Raises DropEvent if there is none, and never anything else."""
        try:
            with self._lock:
                due = self._repeats.take(event, time.monotonic())
            text = "\n".join(str(self._render(logger, name, each)) for each in due)
        except Exception as error:  # noqa: BLE001 - logging must not stop its caller
            text = json.dumps({"level": "error", "event": "log_failed", **_of(event, error)})
        if not text:
            raise structlog.DropEvent
        return text

    def rest(self) -> str:
        """Return the summary lines of all repeats that were suppressed until the end."""
        with self._lock, suppress(Exception):
            return "\n".join(str(self._render(None, "", each)) for each in self._repeats.rest())
        return ""


def _of(event: EventDict, error: Exception) -> EventDict:
    return {"of": str(event.get("event")), "error": type(error).__name__}


class _Stream:
    """Writes lines. A full disk or a closed reader loses lines, and has no other effect."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = RLock()

    def msg(self, text: str) -> None:
        """Write each text at once, so that lines of several threads do not mix."""
        if text:
            with self._lock, suppress(OSError, ValueError, RuntimeError):
                self._stream.write(text + "\n")
                self._stream.flush()

    debug = info = warning = error = critical = log = msg
