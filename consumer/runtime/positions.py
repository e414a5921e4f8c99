"""Positions, offsets and lag of a consumer group, for stages with one transaction a poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka import transactions
from consumer.kafka.log_scan import Partition


def membership(consumer: Consumer) -> object:
    """For the transaction's offsets. Raises KafkaSessionError if the group has dropped this member.

    A process that was frozen for longer than its session has lost its partitions before it hears
    of it. Its client then has no member id, and Kafka takes offsets without one from anybody.
    """
    membership = consumer.consumer_group_metadata()  # first: what is lost later, Kafka refuses
    if not consumer.memberid():
        raise KafkaSessionError("the group dropped this member while it was routing")
    return membership


def lag(consumer: Consumer, reached: Mapping[Partition, int]) -> dict[Partition, int]:
    """Offsets behind, for each assigned partition of which anything is known."""
    return {place: end - at for place, (at, end) in positions(consumer, reached).items()}


def positions(
    consumer: Consumer, reached: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    """Where the next record is read, and where the log ends, of each partition that is known.

    `reached`: where it was read to at least. The client's own position is behind the last record
    that it gave: before the first there is none, and markers and aborted records at the log's end
    count as unread. That end is Kafka's own, so what an open transaction hides is behind, too.
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
    """Where these say that a log ended: behind all that came before them."""
    found = []
    for each in messages:
        error = each.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public by use
            topic, partition, offset = transactions.position_of(each)
            found.append(((topic, partition), offset))
    return found


def offsets(messages: Sequence[Message], marks: Mapping[str, str]) -> list[TopicPartition]:
    """The batch's max + 1 per partition, never `position()`; with its topic's mark."""
    highest: dict[Partition, int] = {}
    for message in messages:
        topic, part, offset = transactions.position_of(message)
        highest[topic, part] = max(offset, highest.get((topic, part), 0))
    return [
        TopicPartition(topic, part, offset + 1, marks.get(topic, ""))
        for (topic, part), offset in highest.items()
    ]


def names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{each.topic}[{each.partition}]" for each in partitions]
