"""Factory of one process's Kafka clients; a simulation supplies its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.errors import KafkaSessionError
from consumer.kafka import topics, transactions
from consumer.kafka.log_scan import client_ids, committed_texts
from consumer.kafka.transactions import OnThrottle, ignore_throttle

log = structlog.get_logger(__name__)

OnError = Callable[[KafkaError], None]

CONNECT_WAIT = 1.0
"""Seconds to wait for a new client's connection; a slower one connects in the background."""


class Clients(Protocol):
    """Factory of a stage's Kafka clients; each client belongs to the thread that asked for it."""

    def consumer(
        self, group: str, on_error: OnError, on_throttle: OnThrottle = ignore_throttle
    ) -> Consumer:
        """Return a consumer that never commits, and never chooses a start offset, by itself."""

    def producer(
        self,
        transactional_id: str,
        on_error: OnError,
        on_throttle: OnThrottle = ignore_throttle,
        timeout: float = transactions.TRANSACTION_TIMEOUT,
    ) -> Producer:
        """Return a transactional producer; it must be fenced before any other use.

        `timeout`: seconds after which Kafka aborts its open transaction.
        """

    def connect(self, client: Consumer | Producer, topic: str) -> None:
        """Connect a new client and load this topic's metadata, best effort, so that its next
        request is answered at once."""

    def send_offsets(
        self,
        producer: Producer,
        offsets: Sequence[TopicPartition],
        member: object,
        within: float = transactions.TRANSACTION_TIMEOUT,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Add the group's offsets to the transaction, `within` its timeout.

        Raises KafkaException, KafkaSessionError; after the latter the call may still be blocked in
        librdkafka, so discard the producer.
        """

    def close(self, consumer: Consumer) -> None:
        """Leave the group, best effort; never raises Kafka's errors."""

    def topic_id(self, topic: str) -> str | None:
        """Return the topic's id, which changes when the topic is recreated; None if brokers have
        none.

        Raises KafkaSessionError.
        """

    def lingers(self, group: str) -> bool:
        """Return whether the group still has a member of this replica's previous process, which was
        killed and whose session has not ended. Raises KafkaSessionError."""

    def has_members(self, group: str) -> bool:
        """Return whether any process is in the group. Raises KafkaSessionError."""

    def committed_texts(self, group: str) -> Mapping[str, str]:
        """Return, for each topic of which the group has an offset (in the config or not), the
        metadata text committed with it. Raises KafkaSessionError."""

    def trim(self, topic: str, before: int, refused: Callable[[str], None]) -> None:
        """Delete the records of partition 0 below an offset, asynchronously and best effort.

        `refused` receives the reason of a refusal, from any thread.
        """


class KafkaClients:
    """The real clients. `embedded`: a broker without topic administration (the demo's); `instance`:
    the replica's name, which its consumers' client ids carry."""

    def __init__(
        self, settings: transactions.Settings, *, embedded: bool = False, instance: str = ""
    ) -> None:
        self._settings = settings
        self._instance = instance
        self._embedded = embedded
        self._admin: AdminClient | None = None

    def consumer(
        self, group: str, on_error: OnError, on_throttle: OnThrottle = ignore_throttle
    ) -> Consumer:
        """See `Clients`."""
        return transactions.consumer(
            self._settings,
            group,
            instance=self._instance,
            logger=_librdkafka(),
            on_error=on_error,
            on_throttle=on_throttle,
        )

    def producer(
        self,
        transactional_id: str,
        on_error: OnError,
        on_throttle: OnThrottle = ignore_throttle,
        timeout: float = transactions.TRANSACTION_TIMEOUT,
    ) -> Producer:
        """See `Clients`."""
        return transactions.producer(
            self._settings,
            transactional_id,
            logger=_librdkafka(),
            on_error=on_error,
            on_throttle=on_throttle,
            timeout=timeout,
        )

    def connect(self, client: Consumer | Producer, topic: str) -> None:
        """See `Clients`. Without a connected broker librdkafka retries its coordinator or leader
        lookup only after 500 ms; a metadata request waits for the connection itself."""
        if not self._embedded:
            with suppress(KafkaException):
                client.list_topics(topic, timeout=CONNECT_WAIT)

    def send_offsets(
        self,
        producer: Producer,
        offsets: Sequence[TopicPartition],
        member: object,
        within: float = transactions.TRANSACTION_TIMEOUT,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """See `Clients`."""
        transactions.send_offsets(producer, offsets, member, within=within, give_up=give_up)

    def close(self, consumer: Consumer) -> None:
        """See `Clients`."""
        transactions.close(consumer)

    def topic_id(self, topic: str) -> str | None:
        """See `Clients`."""
        if self._embedded:
            return None
        client = self._administration()
        try:
            return topics.topic_ids(client, [topic])[topic]
        except KafkaException as error:
            raise KafkaSessionError(
                f"reading the id of {topic}: {transactions.describe(error)}"
            ) from error
        except TimeoutError:
            raise KafkaSessionError(f"reading the id of {topic}: no answer in time") from None

    def lingers(self, group: str) -> bool:
        """See `Clients`."""
        if self._embedded or not self._instance:
            return False
        name = transactions.client_id(group, self._instance)
        return name in client_ids(self._administration(), group)

    def has_members(self, group: str) -> bool:
        """See `Clients`."""
        return bool(client_ids(self._administration(), group))

    def committed_texts(self, group: str) -> Mapping[str, str]:
        """See `Clients`."""
        return {} if self._embedded else committed_texts(self._administration(), group)

    def trim(self, topic: str, before: int, refused: Callable[[str], None]) -> None:
        """See `Clients`."""

        def ended(future: Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, KafkaException):
                refused(transactions.describe(error))

        if self._embedded:
            return
        try:
            asked = self._administration().delete_records([TopicPartition(topic, 0, before)])
        except KafkaException as error:
            refused(transactions.describe(error))
            return
        for future in asked.values():
            future.add_done_callback(ended)

    def _administration(self) -> AdminClient:
        if self._admin is None:
            self._admin = topics.admin(self._settings)
        return self._admin


def _librdkafka() -> logging.Logger:
    """Return the logger of librdkafka's errors; the program's log writes each kind once a
    minute."""
    logger = logging.getLogger("librdkafka")
    logger.setLevel(logging.ERROR)
    if not logger.handlers:
        logger.addHandler(_ToOurs())
        logger.propagate = False
    return logger


class _ToOurs(logging.Handler):
    """Forwards librdkafka's log to the program's own log, in its format."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        log.error("librdkafka", says=record.getMessage())
