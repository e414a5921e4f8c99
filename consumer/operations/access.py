"""Cluster access of an operator's command: its clients, its transactions, its patience."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from consumer.config.models import Config
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka import transactions
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import end_offsets, topic_names
from consumer.kafka.records.operator_commands import Command, dump
from consumer.kafka.transaction_size import MOST_TIMEOUT, TransactionSize

CARRIED_OUT_WITHIN = 30.0
"""Seconds that a command waits for its effect."""

LOOK_EVERY = 0.5

PATIENCE = 60.0
"""Seconds that Kafka may leave a transaction's step unanswered."""

Plan = TypeVar("Plan")


class SlowTransactionError(KafkaSessionError):
    """A transaction outlasted its timeout, so Kafka aborted it: the next one must be smaller."""


@dataclass(slots=True)
class Access:
    """The config and the clients that are made from it."""

    config: Config
    now: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    clients: KafkaClients = field(init=False)
    admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        self.clients = KafkaClients(self.config.kafka)
        self.admin = admin_client(self.config.kafka)

    @property
    def topics(self) -> Topics:
        """The names of the application's topics."""
        return self.config.topics

    @contextmanager
    def reader(self, group: str = "") -> Iterator[Consumer]:
        """Yield a reader of committed records, in no group; it can read the offsets of `group`."""
        with self.clients.reader(group or f"{self.topics.application_id}.operator") as reader:
            yield reader

    def everything(self, reader: Consumer, names: Sequence[str]) -> LogScan:
        """Scan all records written to these topics by now, open transactions included."""
        return LogScan(reader, end_offsets(self.admin, names))

    def fenced_producer(self, name: str, size: TransactionSize) -> Producer:
        """Return the only producer of this name; an earlier one's transaction has ended."""
        transactional_id = f"{self.topics.application_id}.{name}"
        producer = self.clients.producer(transactional_id, timeout=size.timeout)
        transactions.fence(producer, self.patience())
        return producer

    @contextmanager
    def transaction(
        self, producer: Producer, action: str, size: TransactionSize, carried: int = 1
    ) -> Iterator[None]:
        """Run a transaction of `carried` records, and adapt the size of the next one.

        Raises SlowTransactionError if it outlasted its timeout; after any KafkaSessionError the
        producer must be discarded.
        """
        started, timeout = self.steady(), size.timeout
        try:
            with transactions.transaction(producer, self.patience()):
                yield
        except KafkaSessionError as error:
            seconds = self.steady() - started
            size.failed(carried, seconds)
            kind = SlowTransactionError if seconds >= timeout else KafkaSessionError
            raise kind(
                f"{action} was interrupted: {error}. Nothing is done twice: run the command again "
                "(a `_FENCED` means that another run of it goes on)"
            ) from error
        size.committed(carried, self.steady() - started)

    def write_confirmed(
        self,
        name: str,
        size: TransactionSize,
        plan: Callable[[Producer, Plan | None], Plan],
        confirm: Callable[[Plan], bool],
        write: Callable[[Producer, Plan], None],
    ) -> Plan | None:
        """Plan, let the operator confirm, write, and return the plan; None if it was refused.

        Every other run of the command is fenced first: its open transaction has ended, so that
        `plan` reads what it wrote. A transaction that outlasts its timeout (a quota of the cluster,
        a slow broker) is halved: `plan` reads again what is written, and returns what is left of
        the plan that was confirmed.
        """
        producer = self.fenced_producer(name, size)
        confirmed = left = plan(producer, None)
        if not confirm(confirmed):
            return None
        while True:
            try:
                write(producer, left)
            except SlowTransactionError:
                if size.timeout >= MOST_TIMEOUT:  # a record alone does not commit either
                    raise
            else:
                return confirmed
            producer = self.fenced_producer(name, size)
            left = plan(producer, confirmed)

    def command_fields(self) -> dict[str, Any]:
        """Return the fields that every command to the processes has."""
        return {"id": uuid.uuid4().hex, "at": self.now()}

    def send_command(self, command: Command, is_done: Callable[[], bool]) -> bool:
        """Send a command to the running processes; return whether its effect was seen in time.
        Raises OperationError."""
        self.write_one(
            self.topics.commands, command.command, dump(command), f"operator.{command.id}"
        )
        deadline = self.steady() + CARRIED_OUT_WITHIN
        while self.steady() < deadline:
            if is_done():
                return True
            time.sleep(LOOK_EVERY)
        return False

    def write_one(self, topic: str, key: str, value: bytes, name: str) -> None:
        """Write one record for the running processes, by a producer of this name. Raises
        OperationError."""
        if topic not in topic_names(self.admin):
            raise OperationError(
                f"topic {topic} is missing, so no process can be reached: `survey-dispatcher "
                "topics --create` creates it (processes look for it every 15 s)"
            )
        size = TransactionSize(1)
        producer = self.fenced_producer(name, size)
        with self.transaction(producer, "sending the command", size):
            transactions.produce(producer, topic, value, key=key, partition=0)

    def patience(self) -> Callable[[], bool]:
        """Return the `give_up` to be asked after each attempt that Kafka did not answer."""
        deadline = self.steady() + PATIENCE
        return lambda: self.steady() > deadline
