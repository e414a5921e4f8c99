"""Forward libraries' logs and uncaught exceptions to the program's own log.

Libraries are logged from WARNING on, whatever the program's level: below it they repeat headers,
bodies and addresses. A library's message is kept without its values, an error as its type and
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

LIBRDKAFKA = "librdkafka"

_VALUES = re.compile(r"[\n<(\[{].*", re.DOTALL)
"""asyncio puts the repr of a failed object behind one of these characters."""


def _log() -> structlog.typing.FilteringBoundLogger:
    """Return a new logger each time: a process that is several programs, as in tests, configures it
    again."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
    return logger


def listen() -> None:
    """Take over the standard library's root logger and the hooks for uncaught exceptions."""
    root = logging.getLogger()
    root.handlers = [ForwardingHandler()]
    root.setLevel(logging.WARNING)
    logging.raiseExceptions = False  # an unwritable line is lost without an error
    threading.excepthook = _thread_died
    sys.unraisablehook = _unraisable


class ForwardingHandler(logging.Handler):
    """Writes a record of a library as one line, with its level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, `library` or `librdkafka`; never raises.

        librdkafka's messages are kept whole: they name brokers and clients, no customer.
        """
        try:
            if record.name == LIBRDKAFKA:
                _log().error(LIBRDKAFKA, says=record.getMessage())
                return
            sentence = scrub(_VALUES.sub("", str(record.msg)))
            details: dict[str, object] = {"library": record.name, "says": sentence}
            if record.exc_info and record.exc_info[1] is not None:
                error = record.exc_info[1]
                details |= {"error": type(error).__name__, "where": where(error.__traceback__)}
            say = _log().error if record.levelno >= logging.ERROR else _log().warning
            say("library", **details)
        except Exception:  # noqa: BLE001 - a failed line must not stop the library
            self.handleError(record)


def where(trace: TracebackType | None) -> str:
    """Return the innermost place of a traceback, as `module:line function`; no values."""
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
