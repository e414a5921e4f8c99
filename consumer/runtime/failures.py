"""What an error that ends a process means: its message, and the exit code."""

from __future__ import annotations

import traceback

from consumer.errors import (
    BrokerUnreachable,
    ConfigError,
    DispatcherError,
    OperationError,
    StartPositionError,
    TopicsError,
)
from consumer.runtime.options import ExitCode


class ChildFailedError(DispatcherError):
    """A child process ended with this exit code; `message` is empty if the child printed its
    own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


CODES: tuple[tuple[type[DispatcherError], ExitCode], ...] = (
    (ConfigError, ExitCode.CONFIG),
    (BrokerUnreachable, ExitCode.CONFIG),
    (OperationError, ExitCode.CONFIG),
    (TopicsError, ExitCode.TOPICS),
    (StartPositionError, ExitCode.START_UNCLEAR),
    (DispatcherError, ExitCode.DEFECT),
)
"""Expected errors; the first that fits counts."""


def explain(error: Exception) -> tuple[str, int]:
    """Return one readable message, and the exit code."""
    if isinstance(error, ChildFailedError):
        return error.message, error.code
    code = next((code for kind, code in CODES if isinstance(error, kind)), None)
    if code is None:  # its own text may repeat an event
        where = "".join(traceback.format_tb(error.__traceback__))
        return f"{where}{type(error).__name__}: a defect, please report", ExitCode.DEFECT
    return (f"refused: {error}" if isinstance(error, OperationError) else str(error)), code
