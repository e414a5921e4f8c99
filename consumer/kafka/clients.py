"""Factory of one process's Kafka clients; a simulation overrides every method."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    ThrottleEvent,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from consumer.errors import DispatcherError, KafkaSessionError, OperationError
from consumer.kafka import queries, transactions
from consumer.kafka.client_settings import (
    TRANSACTION_TIMEOUT,
    Settings,
    client_id,
    consumer_settings,
    producer_settings,
)
from consumer.kafka.errors import describe
from consumer.kafka.renewed_admin import RenewedAdmin
from consumer.observability.logs.library import LIBRDKAFKA, ForwardingHandler

OnError = Callable[[KafkaError], None]

OnThrottle = Callable[[ThrottleEvent], None]
"""Called when a Kafka quota throttles the client, and with 0 s when it stops."""

CONNECT_WAIT = 1.0
"""Seconds to wait for a new client's connection; a slower one connects in the background."""

CLOSE_WAIT = 10.0

LEAVE_WITHIN = 330.0
"""Seconds to wait for a group to let a member go; no rebalance outlasts `max.poll.interval.ms`."""

LEAVE_STEP, LEFT_OVER = 0.05, 1_000
"""Seconds of a poll while leaving, and the records that it drops."""

GATHER = 0.05
"""Seconds for which a consumer gathers records that follow others."""


def ignore_error(_error: KafkaError) -> None:
    """Ignore a client's errors, where a failed call raises its own."""


def ignore_throttle(_event: ThrottleEvent) -> None:
    """Ignore throttling, for clients that may wait (an operator's command)."""


class PromptConsumer(Consumer):
    """A consumer that returns a lone record at once, and gathers the records of a steady flow.

    librdkafka's `consume` waits until it has all `num_messages`, or until its timeout: a lone
    record waited as long in each stage. But each poll with records costs a transaction, so the poll
    after one waits for `GATHER` seconds.
    """

    _flows = False

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Return records and events, at most `num_messages`; none if none came in time."""
        if self._flows:
            found = super().consume(num_messages, min(timeout, GATHER))
        elif found := super().consume(1, timeout):
            found += super().consume(num_messages - 1, 0.0)
        self._flows = bool(found)
        return found


class KafkaClients:
    """Factory of Kafka clients; each belongs to the thread that asked for it.

    `embedded`: a broker without topic administration (the demo's); `instance`: the replica's name,
    which its consumers' client ids carry.
    """

    def __init__(self, settings: Settings, *, embedded: bool = False, instance: str = "") -> None:
        self._settings = settings
        self._instance = instance
        self._embedded = embedded
        self._admin: AdminClient | None = None
        self._making_admin = threading.Lock()

    def consumer(
        self,
        group: str,
        on_error: OnError = ignore_error,
        on_throttle: OnThrottle = ignore_throttle,
    ) -> Consumer:
        """Return a consumer that never commits, and never chooses a start offset, by itself."""
        settings = consumer_settings(self._settings, group, self._instance)
        callbacks = {"error_cb": on_error, "throttle_cb": on_throttle}
        return PromptConsumer({**settings, **callbacks}, logger=_librdkafka())

    @contextmanager
    def reader(self, group: str, on_error: OnError = ignore_error) -> Iterator[Consumer]:
        """Yield a consumer that joins no group; it can read the offsets of `group`."""
        consumer = self.consumer(group, on_error)
        try:
            yield consumer
        finally:
            self.close(consumer)

    def producer(
        self,
        transactional_id: str,
        on_error: OnError = ignore_error,
        on_throttle: OnThrottle = ignore_throttle,
        timeout: float = TRANSACTION_TIMEOUT,
    ) -> Producer:
        """Return a transactional producer; it must be fenced before any other use. `timeout`:
        seconds after which Kafka aborts its open transaction."""
        settings = producer_settings(self._settings, transactional_id, timeout)
        callbacks = {"error_cb": on_error, "throttle_cb": on_throttle}
        return Producer({**settings, **callbacks}, logger=_librdkafka())

    def connect(self, client: Consumer | Producer, topic: str) -> None:
        """Connect a new client and load this topic's metadata, best effort, so that its next
        request is answered at once.

        Without a connected broker librdkafka retries its coordinator or leader lookup only after
        500 ms; a metadata request waits for the connection itself. The first answer replaces the
        bootstrap connection by one that is yet to be made, for which the second request waits.
        """
        if not self._embedded:
            with suppress(KafkaException):
                for _ in range(2):
                    client.list_topics(topic, timeout=CONNECT_WAIT)

    def send_offsets(
        self,
        producer: Producer,
        offsets: Sequence[TopicPartition],
        member: object,
        within: float,
        give_up: Callable[[], bool],
    ) -> None:
        """Add the group's offsets to the transaction; see `transactions.send_offsets`."""
        transactions.send_offsets(producer, offsets, member, within, give_up)

    def close(self, consumer: Consumer) -> None:
        """Leave the group, best effort; the group drops a member that cannot leave when its session
        ends.

        Waits `CLOSE_WAIT` at most: a broker that is connected but does not answer blocks
        librdkafka's close for minutes, and a member leaves at the end of a rebalance. The client's
        callbacks may run later and on another thread, so they must do no more than decline and
        unassign. Never raises Kafka's errors, which would hide the error that ended the session.
        """

        def leave() -> None:
            try:
                leave_group(consumer)
                consumer.close()
            except (KafkaException, KafkaSessionError):
                logging.getLogger(__name__).debug("close failed")

        leaving = threading.Thread(target=leave, name="close", daemon=True)
        leaving.start()
        leaving.join(CLOSE_WAIT)

    def topic_id(self, topic: str) -> str | None:
        """Return the topic's id, which changes when it is recreated; None if brokers have none."""
        if self._embedded:
            return None
        found = queries.topic_ids(self._administration(), [topic])[topic]
        if found is None:
            raise KafkaSessionError(f"topic {topic} does not exist")
        return found

    def has_topic(self, topic: str) -> bool:
        """Return whether the topic exists (embedded: it never does). Raises KafkaSessionError."""
        if self._embedded:
            return False
        return queries.topic_ids(self._administration(), [topic])[topic] is not None

    def log_end(self, client: Consumer, topic: str, partition: int = 0) -> int:
        """Return the end of a log, open transactions included: one of them may hide committed
        records from a reader. `client` asks a broker without administration. Raises
        KafkaSessionError."""
        if self._embedded:
            return queries.log_range(client, topic, partition)[1]
        try:
            return queries.end_offsets(self._administration(), [topic])[topic, partition]
        except OperationError as missing:
            raise KafkaSessionError(str(missing)) from None

    def lingers(self, group: str) -> bool:
        """Return whether a member of this replica's killed predecessor is still in the group."""
        if self._embedded or not self._instance:
            return False
        members = queries.client_ids(self._administration(), group)
        return client_id(group, self._instance) in members

    def has_members(self, group: str) -> bool:
        """Return whether any process is in the group."""
        return queries.members(self._administration(), group) > 0

    def committed_texts(self, group: str) -> Mapping[str, str]:
        """Return topic → metadata text, for all topics of which the group has an offset."""
        return {} if self._embedded else queries.committed_texts(self._administration(), group)

    def trim(self, topic: str, before: int, refused: Callable[[str], None]) -> None:
        """Delete the records of partition 0 below an offset, asynchronously and best effort.
        `refused` receives the reason of a refusal, from any thread."""

        def ended(future: Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, KafkaException):
                refused(describe(error))

        if self._embedded:
            return
        try:
            asked = self._administration().delete_records([TopicPartition(topic, 0, before)])
        except KafkaException as error:
            refused(describe(error))
            return
        for future in asked.values():
            future.add_done_callback(ended)

    def _administration(self) -> AdminClient:
        with self._making_admin:  # the stages ask for it at the same time, when they start
            if self._admin is None:
                self._admin = admin_client(self._settings)
            return self._admin


def leave_group(consumer: Consumer) -> None:
    """Leave the group, so that no rebalance callback is left for `Consumer.close`.

    If an assignment was not polled yet, `close` has two callbacks to run, and the group's part of
    the client may end during the second one. librdkafka 2.16 then loses the callback's request for
    ever (its issues 4041 and 4884). confluent-kafka makes this request in any case, whatever the
    callback does, and holds the GIL meanwhile: the whole process stood still.

    Without `unsubscribe` a client without partitions closes without leaving a cooperative group,
    which waits for the dead member at every rebalance until its session ends. During a rebalance
    it takes effect at the rebalance's end. The member id is gone when the last callback has run.
    """
    consumer.unsubscribe()
    until, wait = time.monotonic() + LEAVE_WITHIN, 0.0
    while time.monotonic() < until:
        with suppress(KafkaException, KafkaSessionError):  # the client goes on without a callback
            consumer.consume(LEFT_OVER, wait)
        if not consumer.memberid():
            return
        wait = LEAVE_STEP


class EmbeddedBroker:
    """librdkafka's own mock cluster inside the process, for the demo; lives as long as this object.

    It is enough to show the main path; no test of delivery may rely on it. It forgets offsets sent
    to a transaction, creates topics on first use (four partitions), and has no topic
    administration.
    """

    def __init__(self) -> None:
        self._client = Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
        brokers = self._client.list_topics(timeout=10.0).brokers.values()
        if not brokers:
            raise DispatcherError("the embedded broker did not start")
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create(self, topics: list[str]) -> None:
        """Create topics by requesting their metadata."""
        for topic in topics:
            self._client.list_topics(topic, timeout=10.0)


def admin_client(settings: Settings) -> AdminClient:
    """Return an administration client; it logs nothing, its calls raise."""
    return RenewedAdmin.client(lambda: AdminClient({**settings, "log_level": 0}))


def _librdkafka() -> logging.Logger:
    """Return the logger of librdkafka's errors; the program's log limits repeats."""
    logger = logging.getLogger(LIBRDKAFKA)
    logger.setLevel(logging.ERROR)
    if not logger.handlers:
        logger.addHandler(ForwardingHandler())
        logger.propagate = False
    return logger
