"""An operator's command at the cluster: its clients, and how long it waits for Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from consumer.adapters import kafka, topics
from consumer.adapters.clients import Clients, KafkaClients
from consumer.adapters.reading import Marks, Scan, marks
from consumer.config.models import Config
from consumer.config.topics import Topics
from consumer.errors import KafkaTrouble

PATIENCE = 60.0
"""Seconds that Kafka may leave a transaction's step unanswered."""


@dataclass(slots=True)
class Access:
    """The config and the clients that are made from it."""

    config: Config
    now: Callable[[], float] = time.time
    clients: Clients = field(init=False)
    admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        self.clients = KafkaClients(self.config.kafka)
        self.admin = topics.admin(self.config.kafka)

    @property
    def topics(self) -> Topics:
        """The names of the application's topics."""
        return self.config.topics

    def fenced(self, name: str) -> Producer:
        """The only producer `<application_id>.<name>`: what another had open has ended.

        Raises KafkaTrouble.
        """
        producer = self.clients.producer(f"{self.topics.application_id}.{name}", _ignore)
        kafka.fence(producer, patience())
        return producer

    @contextmanager
    def reader(self) -> Iterator[Consumer]:
        """A reader of committed records, in no group."""
        consumer = self.clients.consumer(f"{self.topics.application_id}.operator", _ignore)
        try:
            yield consumer
        finally:
            self.clients.close(consumer)

    def everything(self, reader: Consumer, names: Sequence[str]) -> Scan:
        """All that is written to these topics by now, open transactions included."""
        return Scan(reader, marks(self.admin, names))

    def read(self, reader: Consumer, ends: Marks, begin: Marks | None = None) -> Scan:
        """All below `ends`, from `begin` on."""
        return Scan(reader, ends, begin or {})

    @contextmanager
    def transaction(self, producer: Producer, doing: str) -> Iterator[None]:
        """As `kafka.transaction`; its trouble says what an operator should know of it."""
        try:
            with kafka.transaction(producer, patience()):
                yield
        except KafkaTrouble as error:
            raise KafkaTrouble(
                f"{doing} was interrupted: {error}. Nothing is done twice: run the command again "
                "(a `_FENCED` means that somebody else runs it too)"
            ) from error


def patience(seconds: float = PATIENCE) -> Callable[[], bool]:
    """To be asked after each attempt that Kafka did not answer: whether to give up."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def counted(numbers: Mapping[str, int]) -> str:
    """`purchase-sms: 3, visit: 1`."""
    return ", ".join(f"{name}: {number:,}" for name, number in sorted(numbers.items()))


def _ignore(_error: KafkaError) -> None:
    """What matters comes with the call that failed."""
