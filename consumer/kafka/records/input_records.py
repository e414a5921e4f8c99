"""Input records of the Kafka client's messages: where each first stood, and what is beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from confluent_kafka import Message

from consumer.kafka.records.messages import Header, content_of, headers_of, position_of, value_of
from consumer.kafka.records.replayed import original
from consumer.records.input_record import InputRecord, RecordEnvelope


def input_record(message: Message, replayed: str = "") -> InputRecord:
    """Return a message as routing reads it: one of the topic `replayed` has its original place.

    A replayed message that does not name its place keeps its topic, which is no input's: it becomes
    a dead letter.
    """
    if replayed and message.topic() == replayed:
        headers, lost = headers_of(message)
        was = None if lost else original(headers)
        if was:
            return record_at(message, was[:3], was.headers, was.timestamp)
    return InputRecord(*position_of(message), value_of(message), partial(_envelope, message))


def record_at(
    message: Message, place: tuple[str, int, int], headers: Sequence[Header], timestamp: int
) -> InputRecord:
    """Return a message as the record that it was: `timestamp` in ms."""
    envelope = partial(_former_envelope, message, headers, timestamp)
    return InputRecord(*place, value_of(message), envelope)


def _envelope(message: Message) -> RecordEnvelope:
    content = content_of(message)
    return RecordEnvelope(content.key, content.headers, content.timestamp, content.unreadable)


def _former_envelope(message: Message, headers: Sequence[Header], timestamp: int) -> RecordEnvelope:
    content = content_of(message)
    return RecordEnvelope(content.key, headers, timestamp, content.unreadable)
