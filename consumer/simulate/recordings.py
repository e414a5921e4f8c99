"""The sources of recorded events: a file, the baskets, a range of an input topic.

A topic is read in no group, so no group's offsets move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumer.config.models import Config
from consumer.demo.baskets import baskets, event_of
from consumer.errors import OperationError
from consumer.kafka.client_settings import Settings
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, Partition, end_offsets, low_offsets
from consumer.kafka.reachability import require_broker
from consumer.kafka.records.input_records import input_record
from consumer.kafka.start_offsets import start_offset
from consumer.records.input_record import InputRecord

Point = int | float | str
"""An offset (int), epoch seconds (float), `earliest` or `latest`; the same for each partition."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The source of recorded events: a file, the baskets, or a range of a Kafka topic.

    `topic`: the input topic to read, or that the file was recorded from. `bootstrap`: address of a
    broker, instead of the config's.
    """

    topic: str | None
    file: Path | None = None
    baskets: bool = False
    bootstrap: str | None = None
    begin: Point = "earliest"
    end: Point = "latest"

    @property
    def from_kafka(self) -> bool:
        """Whether a broker is needed."""
        return self.file is None and not self.baskets

    def records(self, config: Config) -> Iterable[InputRecord]:
        """Yield the events as records of an input topic. Raises OperationError."""
        topic = input_topic(config, self.topic)
        if self.file is not None:
            return lines(self.file, topic)
        if self.baskets:
            return basket_records(topic)
        settings = dict(config.kafka)
        if self.bootstrap:
            settings["bootstrap.servers"] = self.bootstrap
        return topic_records(settings, topic, self.begin, self.end)


def input_topic(config: Config, named: str | None) -> str:
    """Return the topic whose input reads a recording; raises OperationError if ambiguous."""
    topics = config.input_topics
    if named is None and len(topics) == 1:
        return topics[0]
    if named not in topics:
        given = f"{named} is none of" if named else "say with --topic which one of"
        raise OperationError(f"{given} the config's input topics: {', '.join(topics)}")
    return named


def lines(path: Path, topic: str) -> Iterator[InputRecord]:
    """Read the events of a file, one JSON document a line, as records of an input topic.

    Raises OperationError if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if value := line.strip():
                    yield InputRecord(topic, 0, number, value)
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror}") from None


def basket_records(topic: str) -> Iterable[InputRecord]:
    """Yield the year's baskets as transaction events of an input topic."""
    for number, basket in enumerate(baskets()):
        yield InputRecord(topic, 0, number, event_of(basket, 0.0))


def topic_records(
    settings: Settings, topic: str, begin: Point = "earliest", end: Point = "latest"
) -> Iterator[InputRecord]:
    """Yield the committed records from one point to before the other, a partition's in their order.

    Raises KafkaSessionError, BrokerUnreachable, and OperationError for a missing topic.
    """
    require_broker(settings)
    admin, clients = admin_client(settings), KafkaClients(settings)
    low, high = (
        low_offsets(admin, [topic]),
        end_offsets(admin, [topic], committed=True),
    )
    reader = clients.consumer("simulate", _ignore)
    try:
        first, last = (_offsets(reader, point, low, high) for point in (begin, end))
        for message in LogScan(reader, last, first):
            yield input_record(message)
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
