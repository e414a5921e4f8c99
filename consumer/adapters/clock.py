"""The one place that reads a clock."""

from __future__ import annotations

import time


class Clock:
    """Epoch seconds that never jump: the wall clock at start plus what has passed since."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Epoch seconds."""
        return time.monotonic() + self._offset
