"""Kafka clients, and transactions that end definitely: the basis of exactly once.

The settings that the delivery guarantees rest on are set only here (config refuses them by name).
confluent-kafka's errors are translated here and never travel further in.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    ThrottleEvent,
    TopicPartition,
)

from consumer.config.kafka_settings import plain_names
from consumer.errors import DispatcherError, KafkaSessionError, UnreadableRecord
from consumer.kafka.records import messages

MESSAGE_MAX_BYTES = 16 * 1024 * 1024
TRANSACTION_TIMEOUT = 10.0
"""Seconds after which Kafka aborts a transaction whose producer is gone. Until then no consumer
reads past its records, so the timeout is short where the next process has another transactional
id."""

LANE_TRANSACTION_TIMEOUT = 120.0
"""Transaction timeout of a lane, in seconds. The lane's next owner has the same transactional id
and ends an open transaction at once, so a long timeout costs nothing while there is an owner. An
aborted transaction would cost the answers of all calls in flight. A drain within a revocation still
ends before `max.poll.interval.ms`."""

COMMIT_WAIT = 5.0
OFFSETS_GRACE = 2.0
"""Seconds after its timeout until librdkafka's call counts as blocked."""

CLOSE_WAIT = 10.0

Settings = Mapping[str, str]
Headers = dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]]
OnThrottle = Callable[[ThrottleEvent], None]
"""Called when a Kafka quota throttles the client, and with 0 s when it stops."""


def ignore_throttle(_event: ThrottleEvent) -> None:
    """Ignore throttling, for clients that may wait (an operator's command)."""


_DEFAULTS: Final[Mapping[str, object]] = {
    "topic.metadata.refresh.interval.ms": 30_000,
    "reconnect.backoff.max.ms": 5_000,
}
_CONSUMER_DEFAULTS: Final[Mapping[str, object]] = {
    "queued.max.messages.kbytes": 4 * 1024,  # two polls; 32 MiB cost the drain 100 MB
    "fetch.queue.backoff.ms": 10,  # a second by default, in which a full queue runs empty
    "fetch.wait.max.ms": 100,
}
_PRODUCER_DEFAULTS: Final[Mapping[str, object]] = {
    "queue.buffering.max.messages": 500_000,
    "compression.type": "lz4",
    "linger.ms": 5,
    "retry.backoff.ms": 10,
}
_CONSUMER_FIXED: Final[Mapping[str, object]] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 8_000,
    "heartbeat.interval.ms": 1_000,
    "max.poll.interval.ms": 300_000,
}
_PRODUCER_FIXED: Final[Mapping[str, object]] = {
    "acks": "all",
    "message.max.bytes": MESSAGE_MAX_BYTES,
}


def _client_settings(
    settings: Settings, client: str, defaults: Mapping[str, object], fixed: Mapping[str, object]
) -> dict[str, object]:
    """Merge settings: defaults, overridden by the config, overridden by the fixed ones."""
    return {
        "client.id": f"survey-dispatcher.{client}",
        **_DEFAULTS,
        **defaults,
        **plain_names(settings),
        "allow.auto.create.topics": False,
        **fixed,
    }


def consumer_settings(settings: Settings, group: str) -> dict[str, object]:
    """Return librdkafka's settings of every consumer. The config refuses all that is fixed here."""
    fixed = {"group.id": group, **_CONSUMER_FIXED}
    return _client_settings(settings, group, _CONSUMER_DEFAULTS, fixed)


def producer_settings(
    settings: Settings, transactional_id: str, timeout: float = TRANSACTION_TIMEOUT
) -> dict[str, object]:
    """Return librdkafka's settings of every producer. The config refuses all that is fixed here."""
    fixed = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(timeout * 1000),  # records that are not sent by then fail
        **_PRODUCER_FIXED,
    }
    return _client_settings(settings, transactional_id, _PRODUCER_DEFAULTS, fixed)


def client_id(group: str, instance: str) -> str:
    """Return the client id of a replica's consumer: brokers show it with each member of the
    group."""
    return f"survey-dispatcher.{group}" + (f"@{instance}" if instance else "")


def consumer(
    settings: Settings,
    group: str,
    *,
    instance: str = "",
    logger: logging.Logger,
    on_error: Callable[[KafkaError], None],
    on_throttle: OnThrottle = ignore_throttle,
) -> Consumer:
    """Return a consumer that never commits, and never chooses a start offset, by itself."""
    own = consumer_settings(settings, group)
    if "client.id" not in plain_names(settings):
        own["client.id"] = client_id(group, instance)
    return Consumer({**own, "error_cb": on_error, "throttle_cb": on_throttle}, logger=logger)


def producer(
    settings: Settings,
    transactional_id: str,
    *,
    logger: logging.Logger,
    on_error: Callable[[KafkaError], None],
    on_throttle: OnThrottle = ignore_throttle,
    timeout: float = TRANSACTION_TIMEOUT,
) -> Producer:
    """Return a transactional producer. Call `fence` before anything else.

    `timeout`: seconds after which Kafka aborts its open transaction.
    """
    wanted = producer_settings(settings, transactional_id, timeout)
    callbacks = {"error_cb": on_error, "throttle_cb": on_throttle}
    return Producer({**wanted, **callbacks}, logger=logger)


@contextmanager
def translate_errors(doing: str) -> Iterator[None]:
    """Translate confluent-kafka's exceptions to KafkaSessionError."""
    try:
        yield
    except KafkaException as error:
        raise KafkaSessionError(f"{doing}: {describe(error)}") from error


def describe(error: KafkaException | KafkaError) -> str:
    """Return Kafka's own name and text of an error."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    return f"{cause.name()}: {cause.str()}" if isinstance(cause, KafkaError) else str(cause)


def records_fault(error: BaseException) -> bool:
    """Return whether a record may have raised this, rather than Kafka, an operator or the
    machine."""
    if isinstance(error, UnreadableRecord):
        return True
    others = (DispatcherError, KafkaException, MemoryError)
    return isinstance(error, Exception) and not isinstance(error, others)


def position_of(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset. Raises KafkaSessionError if one is unknown.

    librdkafka knows no offset, for instance, of a resent record that the broker had already taken.
    """
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise KafkaSessionError("a record came without its topic, partition or offset")
    return topic, partition, offset


def close(client: Consumer) -> None:
    """Leave the group, best effort; the group drops a member that cannot leave when its session
    ends.

    Waits `CLOSE_WAIT` at most: a broker that is connected but does not answer blocks librdkafka's
    close for minutes. The client's callbacks must do nothing any more, for they may run later and
    on another thread. Never raises Kafka's errors, which would hide the error that ended the
    session.
    """

    def leave() -> None:
        try:
            # Without partitions, librdkafka 2.16 closes without leaving a cooperative group. The
            # group then waits for the dead member at every rebalance until its session ends.
            client.unsubscribe()
            client.close()
        except (KafkaException, KafkaSessionError):
            logging.getLogger(__name__).debug("close failed")

    leaving = threading.Thread(target=leave, name="close", daemon=True)
    leaving.start()
    leaving.join(CLOSE_WAIT)


def fence(client: Producer, give_up: Callable[[], bool]) -> None:
    """Run `init_transactions`: it ends the open transaction of the previous holder of this
    transactional.id.

    `give_up` is asked after every attempt that timed out (`COMMIT_WAIT`).
    """
    _until_definite(lambda: client.init_transactions(COMMIT_WAIT), "init_transactions", give_up)


@contextmanager
def transaction(client: Producer, give_up: Callable[[], bool]) -> Iterator[None]:
    """Make all records produced inside visible at once, or raise KafkaSessionError.

    A commit that timed out is committed again until it is definite, never aborted: it may be
    visible already. `give_up` is asked after every attempt that timed out. After KafkaSessionError
    the client must be discarded. After any other exception raised inside, the transaction is
    aborted, and the client can begin another.
    """
    with translate_errors("begin"):
        client.begin_transaction()
    try:
        yield
    except KafkaException as error:
        _abort(client)
        raise KafkaSessionError(f"transaction: {describe(error)}") from error
    except KafkaSessionError:
        raise
    except Exception:
        with translate_errors("abort"):
            client.abort_transaction(COMMIT_WAIT)
        raise
    try:
        _until_definite(lambda: client.commit_transaction(COMMIT_WAIT), "commit", give_up)
    except KafkaSessionError:
        raise
    except Exception as error:  # the commit may be visible: only a committed read tells
        raise KafkaSessionError(f"commit: {type(error).__name__}") from error


def send_offsets(
    client: Producer,
    offsets: Sequence[TopicPartition],
    member: object,
    *,
    within: float = TRANSACTION_TIMEOUT,
    give_up: Callable[[], bool] = lambda: False,
) -> None:
    """Add the group's offsets to the transaction. Raises KafkaException, KafkaSessionError.

    A broker whose quota throttles the client answers late, because the request takes the same way
    as the records: `within` is the transaction's timeout, the time allowed for the answer.
    `give_up` is asked now and then.

    librdkafka 2.16 forgets this call's timeout when the group's coordinator has just gone (its
    issues 5456 and 5511; seen here after a broker's restart), so the call may never return. It runs
    on a thread of its own, which is then abandoned with the client: the next fencing ends its
    transaction.
    """
    sent = Future[None]()

    def send() -> None:
        try:
            client.send_offsets_to_transaction(list(offsets), member, within)
        except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
            sent.set_exception(error)
        else:
            sent.set_result(None)

    threading.Thread(target=send, name="send-offsets", daemon=True).start()
    deadline = time.monotonic() + within + OFFSETS_GRACE
    while not sent.done():
        wait([sent], min(COMMIT_WAIT, max(0.0, deadline - time.monotonic())))
        if not sent.done() and (give_up() or time.monotonic() >= deadline):
            raise KafkaSessionError("sending offsets: librdkafka did not come back")
    sent.result()


def produce(
    client: Producer,
    topic: str,
    value: bytes | None,
    *,
    key: str | bytes | None = None,
    partition: int = -1,
    headers: Headers | None = None,
    timestamp: int = 0,
) -> None:
    """Queue one record, waiting while the queue is full. `timestamp` in ms; 0: now."""
    while True:
        try:
            client.produce(topic, value, key, partition, timestamp=timestamp, headers=headers)
        except BufferError:
            client.poll(0.1)
        else:
            return


def deliver(client: Producer, within: float, give_up: Callable[[], bool]) -> None:
    """Wait until Kafka has all produced records; after `within` seconds leave the verdict to the
    commit.

    `give_up` is asked after every attempt that timed out (`COMMIT_WAIT`). Raises KafkaException,
    KafkaSessionError.
    """
    for _ in range(math.ceil(within / COMMIT_WAIT)):
        if not flush(client):
            return
        if give_up():
            raise KafkaSessionError("records were not delivered before the stop")


def flush(client: Producer) -> int:
    """Wait until all produced records are delivered, or `COMMIT_WAIT` is over; return how many are
    left.

    Raises KafkaException. confluent-kafka runs delivery callbacks with the error of a fenced
    producer already set, which then surfaces as a SystemError (seen with 2.16).
    """
    try:
        return client.flush(COMMIT_WAIT)
    except SystemError as error:
        if not isinstance(error.__cause__, KafkaException):
            raise
        fenced = error.__cause__
    raise fenced  # in the handler it would get the error that it caused as its context: a ring


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """Return a record's readable headers in their order, values as bytes."""
    return messages.headers_of(message)[0]


def _until_definite(step: Callable[[], object], doing: str, give_up: Callable[[], bool]) -> None:
    while True:
        try:
            step()
        except KafkaException as error:
            cause = error.args[0]
            if not cause.retriable() or give_up():
                raise KafkaSessionError(f"{doing}: {describe(error)}") from error
        else:
            return


def _abort(client: Producer) -> None:
    """Abort, best effort: a successor's `init_transactions` ends a transaction left open here."""
    try:
        client.abort_transaction(COMMIT_WAIT)
    except KafkaException:
        logging.getLogger(__name__).debug("abort failed")
