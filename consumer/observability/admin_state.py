"""What the admin server shows: of this process, or of all processes of one program.

The probes are answered on the event loop itself, so a stuck loop fails them. A scrape and the
page's numbers are rendered in a worker thread, so that they never delay a vendor call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics


class NoAnswerError(Exception):
    """Some process of the program does not answer; the message names it."""


class AdminState(Protocol):
    """Bodies of the admin server's answers. A scrape and a status may raise NoAnswerError."""

    async def alive(self) -> list[str]:
        """Return the problems that a restart may mend."""

    async def ready(self) -> list[str]:
        """Return the conditions that do not hold."""

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type of a scrape."""

    async def status(self) -> bytes:
        """Return the body of `/status.json`."""


class ProcessState:
    """The state of this process."""

    def __init__(self, metrics: Metrics, health: Health, status: Callable[[], bytes]) -> None:
        self._metrics = metrics
        self._health = health
        self._status = status

    async def alive(self) -> list[str]:
        """See AdminState."""
        return self._health.alive()

    async def ready(self) -> list[str]:
        """See AdminState."""
        return self._health.ready()

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """See AdminState."""
        return await asyncio.to_thread(self._metrics.render, accept)

    async def status(self) -> bytes:
        """See AdminState."""
        return await asyncio.to_thread(self._status)
