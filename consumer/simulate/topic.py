"""A range of an input topic as recorded events. Reads in no group, so no group's offsets move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumer.kafka.client_settings import Settings
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, Partition, end_offsets, low_offsets
from consumer.kafka.reachability import require_broker
from consumer.kafka.records.messages import value_of
from consumer.kafka.start_offsets import start_offset
from consumer.records.input_record import InputRecord

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
    return {
        place: min(max(_offset(reader, place, point), low[place]), end)
        for place, end in high.items()
    }


def _offset(reader: Consumer, place: Partition, point: Point) -> int:
    """Return an offset as it is; for a time the first one written then or later, else the end."""
    if isinstance(point, int):
        return point
    return start_offset(reader, TopicPartition(*place), point)


def _ignore(_error: KafkaError) -> None:
    """Ignore client errors: the failed call raises what matters."""
