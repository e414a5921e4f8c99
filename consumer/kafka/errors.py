"""Translate confluent-kafka's errors where they occur, so that none travels further in.

What asks Kafka in this package raises KafkaSessionError when Kafka refuses or does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.errors import DispatcherError, KafkaSessionError, UnreadableRecord


@contextmanager
def translate_errors(action: str) -> Iterator[None]:
    """Translate Kafka's exceptions, and a TimeoutError of an answer, to KafkaSessionError."""
    try:
        yield
    except KafkaException as error:
        raise KafkaSessionError(f"{action}: {describe(error)}") from error
    except TimeoutError:
        raise KafkaSessionError(f"{action}: Kafka did not answer in time") from None


def describe(error: KafkaException | KafkaError) -> str:
    """Return Kafka's own name and text of an error."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    return f"{cause.name()}: {cause.str()}" if isinstance(cause, KafkaError) else str(cause)


def check_answer(answer: TopicPartition, action: str) -> None:
    """Raise KafkaSessionError if a partition failed, which can happen in a call that succeeded."""
    if answer.error is not None:
        raise KafkaSessionError(f"{action}: {describe(answer.error)}")


def is_partition_end(error: KafkaError) -> bool:
    """Return whether the consumer reports the end of a partition, which is no failure."""
    return error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - public by use


def is_out_of_range(error: KafkaError) -> bool:
    """Return whether the log does not hold the offset to read: no client chooses another one."""
    return error.code() == KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 - public by use


def records_fault(error: BaseException) -> bool:
    """Return whether a record may have raised this, rather than Kafka or the machine."""
    if isinstance(error, UnreadableRecord):
        return True
    others = (DispatcherError, KafkaException, MemoryError)
    return isinstance(error, Exception) and not isinstance(error, others)
