"""Kafka's time: the clock that stamps the records of delay topics and checkpoints."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    KafkaError,
    Message,
    Producer,
)

from consumer.kafka import transactions
from consumer.kafka.errors import translate_errors


def appended_at(message: Message) -> float | None:
    """Return epoch seconds of a record's timestamp; None if it has none."""
    kind, at = message.timestamp()
    return None if kind == TIMESTAMP_NOT_AVAILABLE else at / 1000


def measure(client: Producer, topic: str, steady: Callable[[], float]) -> float | None:
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
        transactions.flush(client)
        client.abort_transaction(transactions.COMMIT_WAIT)
    return measured[0] if measured else None
