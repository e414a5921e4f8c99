"""Where a consumer group stands, for stages that consume and produce in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, Message, TopicPartition

from consumer.adapters import kafka
from consumer.errors import KafkaTrouble


def membership(consumer: Consumer) -> object:
    """For the transaction's offsets. Raises KafkaTrouble if the group has dropped this member.

    A process that was frozen for longer than its session has lost its partitions before it hears
    of it. Its client then has no member id, and Kafka takes offsets without one from anybody.
    """
    membership = consumer.consumer_group_metadata()  # first: what is lost later, Kafka refuses
    if not consumer.memberid():
        raise KafkaTrouble("the group dropped this member while it was routing")
    return membership


def lag(consumer: Consumer) -> dict[tuple[str, int], int]:
    lag = {}
    for partition in consumer.position(consumer.assignment()):
        _, high = consumer.get_watermark_offsets(partition, cached=True)
        if high >= 0 and partition.offset >= 0:
            lag[partition.topic, partition.partition] = high - partition.offset
    return lag


def offsets(messages: Sequence[Message], marks: Mapping[str, str]) -> list[TopicPartition]:
    """The batch's max + 1 per partition, never `position()`; with its topic's mark."""
    highest: dict[tuple[str, int], int] = {}
    for message in messages:
        topic, part, offset = kafka.place_of(message)
        highest[topic, part] = max(offset, highest.get((topic, part), 0))
    return [
        TopicPartition(topic, part, offset + 1, marks.get(topic, ""))
        for (topic, part), offset in highest.items()
    ]


def names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{each.topic}[{each.partition}]" for each in partitions]
