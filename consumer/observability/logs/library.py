"""What libraries log, and what ends in nobody's hands, becomes lines of our own log.

Libraries are heard from WARNING on, whatever our own level: below it they repeat headers, bodies
and addresses. Of what they say the sentence is kept and not its values, of an error its type and
place: either may hold a customer's data.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import structlog

from consumer.vendors.answers import scrub

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_VALUES = re.compile(r"[\n<(\[{].*", re.DOTALL)
"""asyncio puts the repr of what failed behind such a sign."""


def _log() -> structlog.typing.FilteringBoundLogger:
    """Asked for each time: it is set up anew where a process is several programs, as in tests."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
    return logger


def listen() -> None:
    """Take over the standard library's root logger and the hooks for what nobody caught."""
    root = logging.getLogger()
    root.handlers = [ToOurs()]
    root.setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a line that cannot be written is lost, and nothing else
    threading.excepthook = _thread_died
    sys.unraisablehook = _unraisable


class ToOurs(logging.Handler):
    """A record of the standard library becomes a line, with its level."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line `library`; never raises."""
        try:
            sentence = scrub(_VALUES.sub("", str(record.msg)))
            details: dict[str, object] = {"library": record.name, "says": sentence}
            if record.exc_info and record.exc_info[1] is not None:
                error = record.exc_info[1]
                details |= {"error": type(error).__name__, "where": where(error.__traceback__)}
            say = _log().error if record.levelno >= logging.ERROR else _log().warning
            say("library", **details)
        except Exception:  # noqa: BLE001 - the library goes on, whatever became of its line
            self.handleError(record)


def where(trace: TracebackType | None) -> str:
    """The innermost place of a traceback, as `module:line function`; no values."""
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "?")
    return f"{module}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}"


def _thread_died(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "unknown"
    place = where(args.exc_traceback)
    _log().error("thread_died", thread=name, error=args.exc_type.__name__, where=place)


def _unraisable(args: UnraisableHookArgs) -> None:
    _log().error("unraisable", error=args.exc_type.__name__, where=where(args.exc_traceback))
