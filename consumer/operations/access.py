"""Cluster access of an operator's command: its clients, and how long it waits for Kafka."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from consumer.config.models import Config
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka import transactions
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, end_offsets, topic_names
from consumer.kafka.records.operator_commands import Command, dump

CARRIED_OUT_WITHIN = 30.0
"""Seconds that a command waits for its effect."""

LOOK_EVERY = 0.5

PATIENCE = 60.0
"""Seconds that Kafka may leave a transaction's step unanswered."""


@dataclass(slots=True)
class Access:
    """The config and the clients that are made from it."""

    config: Config
    now: Callable[[], float] = time.time
    clients: KafkaClients = field(init=False)
    admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        self.clients = KafkaClients(self.config.kafka)
        self.admin = admin_client(self.config.kafka)

    @property
    def topics(self) -> Topics:
        """The names of the application's topics."""
        return self.config.topics

    def fenced(self, name: str) -> Producer:
        """Return the only producer `<application_id>.<name>`: an earlier one's open transaction has
        ended.

        Raises KafkaSessionError.
        """
        producer = self.clients.producer(f"{self.topics.application_id}.{name}", _ignore)
        transactions.fence(producer, patience())
        return producer

    @contextmanager
    def reader(self, group: str = "") -> Iterator[Consumer]:
        """Yield a reader of committed records, in no group; it can read the offsets of `group`."""
        name = group or f"{self.topics.application_id}.operator"
        consumer = self.clients.consumer(name, _ignore)
        try:
            yield consumer
        finally:
            self.clients.close(consumer)

    def everything(self, reader: Consumer, names: Sequence[str]) -> LogScan:
        """Scan all records written to these topics by now, open transactions included."""
        return LogScan(reader, end_offsets(self.admin, names))

    def read(self, reader: Consumer, ends: Offsets, begin: Offsets | None = None) -> LogScan:
        """Scan all records below `ends`, from `begin` on."""
        return LogScan(reader, ends, begin or {})

    def stamp(self) -> dict[str, Any]:
        """Return the fields that every command to the processes has."""
        return {"id": uuid.uuid4().hex, "at": self.now()}

    @contextmanager
    def transaction(self, producer: Producer, doing: str) -> Iterator[None]:
        """Run a transaction as `kafka.transactions` does; its error tells the operator what to
        do."""
        try:
            with transactions.transaction(producer, patience()):
                yield
        except KafkaSessionError as error:
            raise KafkaSessionError(
                f"{doing} was interrupted: {error}. Nothing is done twice: run the command again "
                "(a `_FENCED` means that somebody else runs it too)"
            ) from error


@dataclass(frozen=True, slots=True)
class Given:
    """Result of a command: `done`, or not yet carried out by a process."""

    done: bool


def give(access: Access, command: Command, done: Callable[[], bool]) -> Given:
    """Send a command to the running processes, and wait for a while until it is done.

    Raises OperationError, KafkaSessionError.
    """
    topic = access.topics.commands
    if topic not in topic_names(access.admin):
        raise OperationError(
            f"topic {topic} is missing, and no process can be told: `survey-dispatcher topics "
            "--create` makes it (processes look for it every 15 s)"
        )
    producer = access.fenced(f"operator.{command.id}")
    with access.transaction(producer, "giving the command"):
        transactions.produce(producer, topic, dump(command), key=command.command, partition=0)
    deadline = time.monotonic() + CARRIED_OUT_WITHIN
    while time.monotonic() < deadline:
        if done():
            return Given(done=True)
        time.sleep(LOOK_EVERY)
    return Given(done=False)


def patience(seconds: float = PATIENCE) -> Callable[[], bool]:
    """Return the `give_up` to be asked after each attempt that Kafka did not answer."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def counted(numbers: Mapping[str, int]) -> str:
    """Format counts: `purchase-sms: 3, visit: 1`."""
    return ", ".join(f"{name}: {number:,}" for name, number in sorted(numbers.items()))


def _ignore(_error: KafkaError) -> None:
    """Ignore client errors: a failed call raises its own."""
