"""The log of this process as it was before a test that sets it up."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def restored_logging() -> Iterator[None]:
    """Restore handlers, level and hooks at the end."""
    root = logging.getLogger()
    before = root.handlers, root.level, logging.raiseExceptions
    hooks = threading.excepthook, sys.unraisablehook
    yield
    structlog.reset_defaults()
    root.handlers, root.level, logging.raiseExceptions = before
    threading.excepthook, sys.unraisablehook = hooks
