"""Positions, offsets and lag of a consumer group, for stages with one transaction a poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka.queries import Partition
from consumer.kafka.records.messages import position_of


def membership(consumer: Consumer) -> object:
    """Return the group metadata to commit offsets with in a transaction.

    Raises KafkaSessionError if the group has dropped this member. A process that was frozen for
    longer than its session loses its partitions before it learns of it. Its client then has no
    member id, and Kafka accepts offsets without a member id from any client.
    """
    # Before the check: Kafka refuses a membership that is lost later.
    membership = consumer.consumer_group_metadata()
    if not consumer.memberid():
        raise KafkaSessionError("the group dropped this member while it was routing")
    return membership


def lag(consumer: Consumer, reached: Mapping[Partition, int]) -> dict[Partition, int]:
    """Return partition → lag in offsets, for the assigned partitions with a known position."""
    return {place: end - at for place, (at, end) in positions(consumer, reached).items()}


def positions(
    consumer: Consumer, reached: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    """Return partition → offset of the next record to read, and end of the log, where known.

    `reached`: lower bound of the position. The client's own position is one past the last record
    that it returned: it is missing before the first record, and does not cover transaction markers
    and aborted records at the end of the log. The end is the high watermark, so records of an open
    transaction count as lag.
    """
    found = {}
    for each in consumer.position(consumer.assignment()):
        place = each.topic, each.partition
        at = max(each.offset, reached.get(place, -1))
        _, high = consumer.get_watermark_offsets(each, cached=True)
        if high >= 0 and at >= 0:
            found[place] = at, max(at, high)
    return found


def ends(messages: Sequence[Message]) -> list[tuple[Partition, int]]:
    """Return partition → end offset for each end-of-partition event of a poll."""
    found = []
    for each in messages:
        error = each.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public by use
            topic, partition, offset = position_of(each)
            found.append(((topic, partition), offset))
    return found


def offsets(messages: Sequence[Message], marks: Mapping[str, str]) -> list[TopicPartition]:
    """Return the offsets to commit: largest offset + 1 of each partition, with the topic's mark.

    Never `position()`: that may cover records which are not among these messages.
    """
    highest: dict[Partition, int] = {}
    for message in messages:
        topic, part, offset = position_of(message)
        highest[topic, part] = max(offset, highest.get((topic, part), 0))
    return [
        TopicPartition(topic, part, offset + 1, marks.get(topic, ""))
        for (topic, part), offset in highest.items()
    ]


def names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{each.topic}[{each.partition}]" for each in partitions]
