"""Where the delay ladder's steps end, asked beside its loop.

A step that waits for its time is paused, and nothing of it is fetched: its consumer does not hear
what is put behind. Asked by the loop itself, a broker that is away could hold it up.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence

import structlog
from confluent_kafka.admin import AdminClient

from consumer.adapters.reading import marks
from consumer.errors import DispatcherError
from consumer.runtime.pause import pause

LOOK_EVERY = 15.0

log = structlog.get_logger(__name__)


class LadderWatch:
    """Keeps `ends` (topic of a step → offset) up to date, from a worker thread."""

    def __init__(
        self, client: AdminClient, steps: Sequence[str], ends: MutableMapping[str, int]
    ) -> None:
        self._client = client
        self._steps = steps
        self._ends = ends

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`; a look that fails is tried again, for others say why."""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.look)
            except DispatcherError as error:
                log.debug("ladder_ends_unknown", why=str(error))
            await pause(stop, LOOK_EVERY)

    def look(self) -> None:
        """Raises KafkaTrouble, OperationRefused."""
        found = marks(self._client, self._steps, committed=False)
        self._ends.update({topic: end for (topic, _), end in found.items()})
