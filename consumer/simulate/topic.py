"""A range of an input topic as recorded events. Reads in no group, so no group's offsets move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumer.kafka.client_settings import Settings
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.errors import translate_errors
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, Partition, end_offsets, low_offsets
from consumer.kafka.reachability import require_broker
from consumer.kafka.records.messages import value_of
from consumer.records.input_record import InputRecord

WAIT = 15.0

Point = int | float | str
"""An offset (int), epoch seconds (float), `earliest` or `latest`; the same for each partition."""


@dataclass(frozen=True, slots=True)
class Range:
    """The range of a topic to play: from one point to before the other."""

    topic: str
    begin: Point = "earliest"
    end: Point = "latest"


def records(settings: Settings, wanted: Range) -> Iterator[InputRecord]:
    """Yield the committed records of the range, a partition's in their order.

    Raises KafkaSessionError, BrokerUnreachable, and OperationError for a missing topic.
    """
    require_broker(settings)
    admin, clients = admin_client(settings), KafkaClients(settings)
    low, high = (
        low_offsets(admin, [wanted.topic]),
        end_offsets(admin, [wanted.topic], committed=True),
    )
    reader = clients.consumer("simulate", _ignore)
    try:
        begin = _offsets(reader, wanted.begin, low, high)
        end = _offsets(reader, wanted.end, low, high)
        for message in LogScan(reader, end, begin):
            yield InputRecord(
                wanted.topic, message.partition() or 0, message.offset() or 0, value_of(message)
            )
    finally:
        clients.close(reader)


def _offsets(reader: Consumer, point: Point, low: Offsets, high: Offsets) -> Offsets:
    """Return partition → the offset of a point, within the existing range."""
    if point == "earliest":
        return low
    if point == "latest":
        return high
    found = (
        _at_time(reader, point, high) if isinstance(point, float) else dict.fromkeys(high, point)
    )
    return {
        place: min(max(int(offset), low[place]), high[place]) for place, offset in found.items()
    }


def _at_time(reader: Consumer, when: float, high: Offsets) -> dict[Partition, int]:
    """Return the first offset written at this time or later; the end offset if there is none."""
    asked = [TopicPartition(topic, number, int(when * 1000)) for topic, number in high]
    with translate_errors("looking up offsets by time"):
        found = reader.offsets_for_times(asked, timeout=WAIT)
    return {
        (each.topic, each.partition): each.offset
        if each.offset >= 0
        else high[each.topic, each.partition]
        for each in found
    }


def _ignore(_error: KafkaError) -> None:
    """Ignore client errors: the failed call raises what matters."""
