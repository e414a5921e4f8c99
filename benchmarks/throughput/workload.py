"""The work that all systems do: transaction events of about 320 bytes on four partitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

PARTITIONS = 4


def events(count: int, size: int = 0, stores: int = 50) -> Iterator[bytes]:
    """Events of distinct customers; a text makes them about `size` bytes long."""
    padding = {"note": "x" * (size - 330)} if size > 330 else {}
    for number in range(count):
        yield orjson.dumps(event(number, number % stores) | padding)


def event(number: int, store: int) -> dict[str, Any]:
    """Return the transaction of one customer in a store."""
    return {
        "id": f"t-{number}",
        "type": "transaction.completed",
        "time": "2026-11-22T12:00:00Z",
        "store": {"id": f"S{store}", "city": "Istanbul"},
        "customer": {
            "id": f"c{number}",
            "phone": f"+90555{number:07d}",
            "email": f"u{number}@example.com",
            "name": "A B",
        },
        "amount": 20 + number % 500,
        "currency": "TRY",
        "channel": "pos",
        "items": [{"sku": "x", "qty": 1}, {"sku": "y", "qty": 2}],
    }


def create(bootstrap: str, **topics: int) -> None:
    """Topics by name and number of partitions (underscores stand for dots)."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(name.replace("_", "."), number, 1) for name, number in topics.items()]
    for future in admin.create_topics(new).values():
        future.result(30)


def fill(bootstrap: str, topic: str, values: Iterable[bytes]) -> int:
    """Produce the events, keyed by their number; return how many."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": "lz4",
        }
    )
    count = 0
    for count, value in enumerate(values, 1):
        producer.produce(topic, value, f"c{count - 1}")
        if count % 1_000 == 0:
            producer.poll(0)
    producer.flush()
    return count


class Results:
    """Counts the records of a topic as they become visible to a read_committed reader."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.count = 0
        self._reader = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "benchmark",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        partitions = self._reader.list_topics(topic, timeout=10).topics[topic].partitions
        self._reader.assign([TopicPartition(topic, number, 0) for number in partitions])

    def read(self, seconds: float) -> int:
        """What came within a poll of at most `seconds`."""
        found = [m for m in self._reader.consume(10_000, seconds) if m.error() is None]
        self.count += len(found)
        return len(found)


def wait_for(bootstrap: str, topic: str, count: int) -> None:
    """Until a topic has so many committed records."""
    results = Results(bootstrap, topic)
    while results.count < count:
        results.read(0.2)
