"""A range of an input topic as recorded events. Read in no group: nobody's offsets move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumer.kafka import (
    topics,
    transactions,
)
from consumer.kafka.clients import KafkaClients
from consumer.kafka.log_scan import (
    LogScan,
    Offsets,
    Partition,
    end_offsets,
    low_offsets,
)
from consumer.kafka.reachability import require_broker
from consumer.kafka.records.messages import value_of
from consumer.routing.router import Record

WAIT = 15.0

Point = int | float | str
"""An offset (int), epoch seconds (float), `earliest` or `latest`; the same for each partition."""


@dataclass(frozen=True, slots=True)
class Range:
    """What of a topic is played: from one point to before the other."""

    topic: str
    begin: Point = "earliest"
    end: Point = "latest"


def records(settings: transactions.Settings, wanted: Range) -> Iterator[Record]:
    """The committed records of the range, a partition's in their order.

    Raises KafkaSessionError, BrokerUnreachable, OperationError for a topic that is not there.
    """
    require_broker(settings)
    admin, clients = topics.admin(settings), KafkaClients(settings)
    low, high = (
        low_offsets(admin, [wanted.topic]),
        end_offsets(admin, [wanted.topic], committed=True),
    )
    reader = clients.consumer("simulate", _ignore)
    try:
        begin = _offsets(reader, wanted.begin, low, high)
        end = _offsets(reader, wanted.end, low, high)
        for message in LogScan(reader, end, begin):
            yield Record(
                wanted.topic, message.partition() or 0, message.offset() or 0, value_of(message)
            )
    finally:
        clients.close(reader)


def _offsets(reader: Consumer, point: Point, low: Offsets, high: Offsets) -> Offsets:
    """Partition → the offset of a point, within what there is."""
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
    """The first offset written at this time or later; the end where there is none."""
    asked = [TopicPartition(topic, number, int(when * 1000)) for topic, number in high]
    with transactions.translate_errors("looking up offsets by time"):
        found = reader.offsets_for_times(asked, timeout=WAIT)
    return {
        (each.topic, each.partition): each.offset
        if each.offset >= 0
        else high[each.topic, each.partition]
        for each in found
    }


def _ignore(_error: KafkaError) -> None:
    """What matters comes with the call that failed."""
