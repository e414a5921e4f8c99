"""Reports orphaned lanes: removed from the config, but their topics still hold invitations."""

from __future__ import annotations

import asyncio

import structlog
from confluent_kafka.admin import AdminClient

from consumer.config.topic_names import Topics
from consumer.errors import DispatcherError
from consumer.kafka.clients import Clients
from consumer.kafka.lane_logs import look, orphans
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
        """Set the config's lanes."""
        self._lanes = lanes

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`; retry after errors, which other watchers report."""
        while not stop.is_set():
            try:
                self.record_answer(await asyncio.to_thread(self.poll))
            except DispatcherError as error:
                log.debug("orphans_unknown", why=str(error))
            await pause(stop, LOOK_EVERY)

    def poll(self) -> dict[str, int]:
        """Return lane outside the config → records waiting in it. Raises KafkaSessionError."""
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
        """Update the gauges, and log once for each lane with records how to drain or close it."""
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
