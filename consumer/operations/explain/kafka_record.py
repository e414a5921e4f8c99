"""Reads one record of a topic, in no group, and says what to do if there is none at that place."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.config.models import Config
from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka.errors import describe, is_out_of_range, is_partition_end, translate_errors
from consumer.kafka.queries import WAIT, log_range
from consumer.kafka.records.input_records import input_record, record_at
from consumer.kafka.records.messages import appended_at, headers_of
from consumer.operations.access import Access
from consumer.operations.dead_letters.letters import LetterPlace, letter_of
from consumer.operations.explain.event_source import RecordPlace, topic_of_input
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import MAX_AHEAD

PATIENCE: Final = 30.0
"""Seconds that Kafka has for the record: an open transaction may hold it back for ten."""

_POLL: Final = 0.5
_FORBIDDEN: Final = KafkaError.TOPIC_AUTHORIZATION_FAILED
"""Rights on the group are not needed: no offset is committed, and the client reads on without."""


def read_record(
    access: Access, place: RecordPlace, input_name: str | None
) -> tuple[InputRecord, float | None]:
    """Return a record as the router reads it, and when it was written (epoch seconds), if its
    timestamp can be that. Raises OperationError if there is none."""
    with access.reader() as reader:
        _check_place(reader, place)
        message = _read(reader, place)
    record = _input_record(access.config, message, place)
    known_topics = {*access.config.input_topics, access.topics.uploads}
    if input_name is not None or record.topic not in known_topics:
        record = _of_input(access.config, record, input_name)
    written, now = appended_at(message), access.now()
    known = written is not None and 0 < written < now + MAX_AHEAD
    return record, written if known else None


def _check_place(reader: Consumer, place: RecordPlace) -> None:
    """Raise OperationError, with what to do, unless the log holds the offset."""
    topic, partition, offset = place
    with translate_errors(f"looking for topic {topic}"):
        known = reader.list_topics(topic, timeout=WAIT).topics[topic]
    if known.error is not None and known.error.code() == _FORBIDDEN:
        raise OperationError(_no_rights(topic))
    if not known.partitions:
        raise OperationError(f"there is no topic {topic}, or the config's user may not see it")
    if partition not in known.partitions:
        last = max(known.partitions)
        raise OperationError(f"topic {topic} has no partition {partition}, but 0 to {last}")
    low, high = log_range(reader, topic, partition)
    if offset < low:
        raise OperationError(_deleted(place, low))
    if offset >= high:
        state = f"is written up to offset {high - 1}" if high else "has no record yet"
        raise OperationError(f"{topic}:{partition} {state}; there is no offset {offset} yet")


def _read(reader: Consumer, place: RecordPlace) -> Message:
    with translate_errors("reading"):
        reader.assign([TopicPartition(*place)])
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with translate_errors("reading"):
            message = reader.poll(_POLL)
        if message is None:
            continue
        error, offset = message.error(), message.offset()
        if error is None and offset == place.offset:
            return message
        if error is None:
            raise OperationError(_no_record(place, offset))
        if not is_partition_end(error):
            _check_error(error, place)
        elif offset is not None and offset > place.offset:  # else a transaction is open before it
            raise OperationError(_no_record(place, None))
    raise KafkaSessionError(
        f"{place.topic}:{place.partition} cannot be read up to offset {place.offset} within "
        f"{PATIENCE:.0f} s: an open transaction may hold it back. Try again"
    )


def _check_error(error: KafkaError, place: RecordPlace) -> None:
    """Raise for an error that does not pass; librdkafka tries again after others."""
    if error.code() == _FORBIDDEN:
        raise OperationError(_no_rights(place.topic))
    if is_out_of_range(error):
        raise OperationError(_deleted(place, None))
    if error.fatal():
        raise KafkaSessionError(f"reading {place.topic}: {describe(error)}")


def _no_rights(topic: str) -> str:
    return (
        f"the config's Kafka user may not read topic {topic}: it needs READ and DESCRIBE on it, "
        "or save the event to a file and explain that"
    )


def _deleted(place: RecordPlace, low: int | None) -> str:
    begins = "" if low is None else f"; the log begins at {low}"
    return (
        f"offset {place.offset} of {place.topic}:{place.partition} was deleted{begins}. If you "
        "have the event, save it to a file and explain that"
    )


def _no_record(place: RecordPlace, following: int | None) -> str:
    after = "" if following is None else f"; the next record is at {following}"
    return (
        f"there is no record at offset {place.offset} of {place.topic}:{place.partition}, but the "
        f"mark of a transaction, or a record that was aborted or compacted{after}"
    )


def _input_record(config: Config, message: Message, place: RecordPlace) -> InputRecord:
    """Return a record with the place at which it first stood: replayed ones and dead letters name
    it."""
    if place.topic != config.topics.dead_letters:
        return input_record(message, config.topics.replayed)
    letter = letter_of(LetterPlace(place.partition, place.offset), headers_of(message)[0])
    if letter is None:
        raise OperationError(f"{place.topic}:{place.partition}:{place.offset} is no dead letter")
    was = letter.topic, letter.partition, letter.offset
    return record_at(message, was, letter.headers, letter.timestamp)


def _of_input(config: Config, record: InputRecord, input_name: str | None) -> InputRecord:
    """Return a record of another topic as one of an input's."""
    if input_name is None:
        known = ", ".join(config.input_topics)
        raise OperationError(
            f"topic {record.topic} is none of the config's inputs ({known}): say with --input "
            "which of them reads it"
        )
    topic = topic_of_input(config, input_name)
    if record.topic in config.inputs[input_name].topics:
        topic = record.topic
    return msgspec.structs.replace(record, topic=topic)
