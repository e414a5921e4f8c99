"""A broker inside the process, for the demo: librdkafka's own mock cluster.

Enough to show the main job; no test of delivery may rest on it. It forgets offsets sent to a
transaction, makes topics when they are used (four partitions), and knows no topic administration.
"""

from __future__ import annotations

from confluent_kafka import Producer

from consumer.errors import DispatcherError


class EmbeddedBroker:
    """Lives as long as this object."""

    def __init__(self) -> None:
        self._client = Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
        brokers = self._client.list_topics(timeout=10.0).brokers.values()
        if not brokers:
            raise DispatcherError("the embedded broker did not start")
        self.bootstrap = ",".join(f"{each.host}:{each.port}" for each in brokers)

    def create(self, topics: list[str]) -> None:
        """Make topics by asking for them."""
        for topic in topics:
            self._client.list_topics(topic, timeout=10.0)
