"""One set of cases for two brokers: the real Kafka and the simulation's."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.kafka.clients import KafkaClients
from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.kafka.scheduler import Scheduler
from tests.support.kafka import create_topics, unique

PROCESS = "tested"


class Bench(ABC):
    """A broker, the program's own clients of it, and an operator's hands."""

    clients: KafkaClients

    def consumer(self, group: str | None = None) -> Consumer:
        """Of a group of its own if none is named."""
        return self.clients.consumer(group or self.name("group"), _ignore)

    def producer(self, transactional_id: str) -> Producer:
        """It has taken over the transactional id."""
        producer = self.clients.producer(transactional_id, _ignore)
        producer.init_transactions(10)
        return producer

    @abstractmethod
    def name(self, prefix: str) -> str:
        """Return a name that no other test uses."""

    @abstractmethod
    def create(self, topic: str, partitions: int = 1) -> str:
        """Make a topic; its name."""

    def topic(self, partitions: int = 1) -> str:
        """A new topic."""
        return self.create(self.name("topic"), partitions)

    @abstractmethod
    def delete(self, topic: str) -> None:
        """Delete a topic."""

    @abstractmethod
    def append(self, topic: str, *values: bytes, partition: int = 0, at_ms: int = 0) -> None:
        """Write records outside any transaction."""

    @abstractmethod
    def delete_records(self, topic: str, before: int) -> None:
        """Of partition 0."""

    @abstractmethod
    def run(self, case: Callable[[], None]) -> None:
        """Where a case runs: the fake's needs a task."""


class RealBench(Bench):
    """A real Kafka at `bootstrap`."""

    def __init__(self, bootstrap: str) -> None:
        self.clients = KafkaClients({"bootstrap.servers": bootstrap})
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def name(self, prefix: str) -> str:
        """See Bench."""
        return unique(prefix)

    def create(self, topic: str, partitions: int = 1) -> str:
        """See Bench."""
        create_topics(self._bootstrap, topic, partitions=partitions)
        return topic

    def delete(self, topic: str) -> None:
        """See Bench."""
        self._admin.delete_topics([topic])[topic].result(10)

    def append(self, topic: str, *values: bytes, partition: int = 0, at_ms: int = 0) -> None:
        """See Bench."""
        outside = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 0})
        for value in values:
            outside.produce(topic, value, partition=partition, timestamp=at_ms)
        assert outside.flush(10) == 0

    def delete_records(self, topic: str, before: int) -> None:
        """See Bench."""
        place = TopicPartition(topic, 0, before)
        self._admin.delete_records([place])[place].result(10)

    def run(self, case: Callable[[], None]) -> None:
        """See Bench."""
        case()


class FakeBench(Bench):
    """The simulation's broker, on a clock of its own."""

    def __init__(self, seed: int = 1) -> None:
        rng = random.Random(seed)
        self.scheduler = Scheduler(rng)
        self.broker = FakeBroker(self.scheduler, rng)
        self.clients = self.broker.clients(PROCESS)
        self._names = count()

    def name(self, prefix: str) -> str:
        """See Bench."""
        return f"{prefix}-{next(self._names)}"

    def create(self, topic: str, partitions: int = 1) -> str:
        """See Bench."""
        self.broker.create_topic(topic, partitions)
        return topic

    def delete(self, topic: str) -> None:
        """See Bench."""
        self.broker.delete_topic(topic)

    def append(self, topic: str, *values: bytes, partition: int = 0, at_ms: int = 0) -> None:
        """See Bench."""
        for value in values:
            self.broker.append(topic, partition, value, timestamp_ms=at_ms or None)

    def delete_records(self, topic: str, before: int) -> None:
        """See Bench."""
        self.broker.delete_records(topic, 0, before)

    def run(self, case: Callable[[], None]) -> None:
        """See Bench."""
        ended: list[bool] = []

        def task() -> None:
            case()
            ended.append(True)

        self.scheduler.spawn("case", PROCESS, task)
        self.scheduler.run(self.scheduler.now + 600)
        assert ended, "the case waits for something that never comes"

    def close(self) -> None:
        """End what the case left open."""
        self.scheduler.close()


def _ignore(_error: object) -> None:
    """Errors that no call reports."""
