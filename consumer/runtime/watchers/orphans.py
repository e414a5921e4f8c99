"""Lanes that left the config but still hold invitations: never forgotten, always said."""

from __future__ import annotations

import asyncio

import structlog
from confluent_kafka.admin import AdminClient

from consumer.config.topic_names import Topics
from consumer.errors import DispatcherError
from consumer.kafka.clients import Clients
from consumer.kafka.lane_logs import (
    look,
    orphans,
)
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.watchers.process_watch import pause

LOOK_EVERY = 60.0

log = structlog.get_logger(__name__)


class OrphanWatch:
    """Compares the lanes' topics with the config's lanes, in a worker thread."""

    def __init__(
        self,
        client: AdminClient,
        clients: Clients,
        topics: Topics,
        lanes: tuple[str, ...],
        metrics: Metrics,
    ) -> None:
        self._client = client
        self._clients = clients
        self._topics = topics
        self._lanes = lanes
        self._metrics = metrics
        self._said: set[str] = set()

    def reconfigure(self, lanes: tuple[str, ...]) -> None:
        """These are the config's lanes from now on."""
        self._lanes = lanes

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`; a look that fails is tried again, for others say why."""
        while not stop.is_set():
            try:
                self.record_answer(await asyncio.to_thread(self.poll))
            except DispatcherError as error:
                log.debug("orphans_unknown", why=str(error))
            await pause(stop, LOOK_EVERY)

    def poll(self) -> dict[str, int]:
        """Lane outside the config → records that it holds. Raises KafkaSessionError."""
        names = orphans(self._client, self._topics, self._lanes)
        if not names:
            return {}
        group = f"{self._topics.application_id}.operator"
        reader = self._clients.consumer(group, lambda _error: None)
        try:
            return {name: look(self._client, reader, self._topics, name).waiting for name in names}
        finally:
            self._clients.close(reader)

    def record_answer(self, found: dict[str, int]) -> None:
        """Show all, and say once of each that holds something what mends it."""
        self._metrics.orphaned(found)
        for lane, records in found.items():
            if records and lane not in self._said:
                log.warning(
                    "lane_left_config",
                    lane=lane,
                    records=records,
                    mend=f"survey-dispatcher lanes drain {lane}, or lanes close {lane}",
                )
        self._said = {lane for lane, records in found.items() if records}
