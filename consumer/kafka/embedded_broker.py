"""Embedded broker for the demo: librdkafka's own mock cluster, inside the process.

It is enough to show the main path; no test of delivery may rely on it. It forgets offsets sent to a
transaction, creates topics on first use (four partitions), and has no topic administration.
"""

from __future__ import annotations

from confluent_kafka import Producer

from consumer.errors import DispatcherError


class EmbeddedBroker:
    """A broker that lives as long as this object."""

    def __init__(self) -> None:
        self._client = Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
        brokers = self._client.list_topics(timeout=10.0).brokers.values()
        if not brokers:
            raise DispatcherError("the embedded broker did not start")
        self.bootstrap = ",".join(f"{each.host}:{each.port}" for each in brokers)

    def create(self, topics: list[str]) -> None:
        """Create topics by requesting their metadata."""
        for topic in topics:
            self._client.list_topics(topic, timeout=10.0)
