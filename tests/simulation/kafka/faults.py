"""Kafka's errors as confluent-kafka raises them."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException


def timed_out(doing: str) -> KafkaException:
    """No answer in time; what was asked may have happened."""
    return KafkaException(
        KafkaError(KafkaError._TIMED_OUT, f"{doing}: no answer in time", retriable=True)
    )


def fenced() -> KafkaError:
    """Another producer has this transactional id, or the transaction was too old."""
    return KafkaError(KafkaError._FENCED, "fenced by a newer instance", fatal=True)


def abortable(code: int, why: str) -> KafkaException:
    """The transaction must be aborted."""
    return KafkaException(KafkaError(code, why, txn_requires_abort=True))


def refused(code: int, why: str) -> KafkaException:
    """Plainly not done."""
    return KafkaException(KafkaError(code, why))
