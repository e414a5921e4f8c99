"""Transactions that end definitely: the basis of exactly once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from consumer.errors import KafkaSessionError
from consumer.kafka.errors import describe, translate_errors

COMMIT_WAIT = 5.0
OFFSETS_GRACE = 2.0
"""Seconds after its timeout until librdkafka's call counts as blocked."""

Headers = dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]]
ANY = -1
"""Partition of a record whose key chooses it."""
Record = tuple[str, bytes, str, int, Headers | None]
"""Topic, value, key, partition, headers."""


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
        with suppress(KafkaException):  # a successor's fencing ends what is left open
            client.abort_transaction(COMMIT_WAIT)
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
    within: float,
    give_up: Callable[[], bool],
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


def measure_broker_clock(client: Producer, topic: str, steady: Callable[[], float]) -> float | None:
    """Return Kafka's time minus `steady`, too small by one round trip at most; None if Kafka gives
    no time.

    A record is written and its transaction aborted, so no consumer ever reads it. `topic` must have
    the timestamp type LogAppendTime.
    """
    measured: list[float] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        kind, at = message.timestamp()
        if error is None and kind == TIMESTAMP_LOG_APPEND_TIME:
            measured.append(at / 1000 - steady())

    with translate_errors("asking Kafka for the time"):
        client.begin_transaction()
        client.produce(topic, b"", "clock", 0, on_delivery=delivered)
        flush(client)
        client.abort_transaction(COMMIT_WAIT)
    return measured[0] if measured else None


def produce(
    client: Producer,
    topic: str,
    value: bytes | None,
    *,
    key: str | bytes | None = None,
    partition: int = ANY,
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


def produce_all(client: Producer, records: Iterable[Record]) -> None:
    """Queue many records as `produce` does each, in a third less time."""
    for topic, value, key, partition, headers in records:
        try:
            client.produce(topic, value, key, partition, headers=headers)
        except BufferError:
            produce(client, topic, value, key=key, partition=partition, headers=headers)


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
