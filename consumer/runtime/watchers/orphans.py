"""Reports orphaned lanes: removed from the config, but their topics still hold invitations."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from confluent_kafka.admin import AdminClient

from consumer.config.topic_names import Topics
from consumer.kafka.clients import KafkaClients
from consumer.kafka.lane_logs import orphans, read_lane
from consumer.observability.metrics.metrics import Metrics

LOOK_EVERY = 60.0

log = structlog.get_logger(__name__)


class OrphanWatch:
    """Compares the lanes' topics with the config's `lanes`."""

    def __init__(
        self,
        client: AdminClient,
        clients: KafkaClients,
        topics: Topics,
        lanes: Sequence[str],
        metrics: Metrics,
    ) -> None:
        self._client = client
        self._clients = clients
        self._topics = topics
        self.lanes = lanes
        self._metrics = metrics
        self._said: set[str] = set()

    def poll(self) -> None:
        """Count the records of each lane outside the config. Raises KafkaSessionError."""
        found = {}
        if names := orphans(self._client, self._topics, self.lanes):
            with self._clients.reader(f"{self._topics.application_id}.operator") as reader:
                for name in names:
                    found[name] = read_lane(self._client, reader, self._topics, name).waiting
        self.record_answer(found)

    def record_answer(self, found: dict[str, int]) -> None:
        """Update the gauges, and log once for each lane with records how to drain or close it."""
        self._metrics.process.orphaned(found)
        for lane, records in found.items():
            if records and lane not in self._said:
                log.warning(
                    "lane_left_config",
                    lane=lane,
                    records=records,
                    mend=f"survey-dispatcher lanes drain {lane}, or lanes close {lane}",
                )
        self._said = {lane for lane, records in found.items() if records}
