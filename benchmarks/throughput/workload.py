"""The work that all systems do: transaction events of about 320 bytes on four partitions."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

PARTITIONS = 4


def events(count: int, seed: int = 1) -> Iterator[bytes]:
    """Distinct customers with a Turkish mobile number each (no real ones: the seed makes them)."""
    rng = random.Random(seed)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    for number in range(count):
        customer = {
            "id": f"c{number:07d}",
            "name": f"Customer {number:07d}",
            "phone": f"+90532{number:07d}",
            "email": f"customer-{number:07d}@example.com",
            "segment": rng.choice(["gold", "silver", "bronze"]),
            "consent": {"sms": True, "email": True},
        }
        event = {
            "id": f"t{number:09d}",
            "time": now,
            "channel": "pos",
            "amount": round(rng.uniform(100, 900), 2),
            "currency": "TRY",
            "store": {"id": f"s{rng.randrange(400):03d}", "city": "Ankara"},
            "customer": customer,
            "items": rng.randrange(1, 30),
        }
        yield orjson.dumps(event)


def create(bootstrap: str, **topics: int) -> None:
    """Topics by name and number of partitions (underscores stand for dots)."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(name.replace("_", "."), number, 1) for name, number in topics.items()]
    for future in admin.create_topics(new).values():
        future.result(30)


def fill(bootstrap: str, topic: str, count: int) -> int:
    """Produce the events; their average size in bytes."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": "lz4",
        }
    )
    size = 0
    for number, value in enumerate(events(count)):
        size += len(value)
        producer.produce(topic, value, partition=number % PARTITIONS)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()
    return size // count


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
