"""Log scans between two offsets, outside of any consumer group: for an operator's commands.

A reader of committed records stops at the first open transaction. A command that needs *every*
record therefore takes the high watermark, which counts open transactions too, and waits until it
can read that far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # re-exported without __all__
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka import transactions

WAIT = 15.0
STALL = 30.0
"""Seconds without progress. The program's open transactions last 10 s, and Kafka looks for expired
ones every 10 s."""

POLL = 0.05
"""Seconds of one poll; it returns earlier only with 1000 records."""

_COMING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,  # for a topic that the same broker has just listed
)
"""Error codes of a broker that has just started, or has just become a leader or a coordinator."""

P = ParamSpec("P")
T = TypeVar("T")

Partition = tuple[str, int]
"""A topic and one of its partitions."""

Offsets = Mapping[Partition, int]
"""End of reading by partition: the offset after the last record that counts."""


def topic_names(client: AdminClient) -> list[str]:
    """Return all topics of the cluster that this client may see, in order. Raises
    KafkaSessionError."""
    with transactions.translate_errors("listing topics"):
        return sorted(client.list_topics(timeout=WAIT).topics)


_FIRST, _LAST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]


def low_offsets(client: AdminClient, topics: Sequence[str]) -> Offsets:
    """Return the first offset of each log. Raises KafkaSessionError; OperationError for a missing
    topic."""
    return _marks(client, topics, _FIRST, IsolationLevel.READ_UNCOMMITTED)


def end_offsets(client: AdminClient, topics: Sequence[str], *, committed: bool = False) -> Offsets:
    """Return the logs' present ends, with open transactions, or (`committed`) before the first of
    them.

    Raises KafkaSessionError; OperationError for a missing topic.
    """
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    return _marks(client, topics, _LAST, level)


def _marks(
    client: AdminClient, topics: Sequence[str], which: OffsetSpec, level: IsolationLevel
) -> Offsets:
    with transactions.translate_errors("reading the logs' ends"):
        known = client.list_topics(timeout=WAIT).topics
        for topic in topics:
            if topic not in known:
                raise OperationError(f"topic {topic} does not exist")
        asked = {
            TopicPartition(topic, number): which
            for topic in topics
            for number in known[topic].partitions
        }
        return _retried(_offsets, client, asked, level) if asked else {}


def _offsets(
    client: AdminClient, asked: Mapping[TopicPartition, OffsetSpec], level: IsolationLevel
) -> Offsets:
    futures = client.list_offsets(dict(asked), isolation_level=level, request_timeout=WAIT)
    try:
        return {
            (each.topic, each.partition): future.result(WAIT).offset
            for each, future in futures.items()
        }
    except TimeoutError:
        raise KafkaSessionError("reading the logs' ends: Kafka did not answer in time") from None


@dataclass(slots=True)
class LogScan:
    """One reading: iterates over committed records below `marks`, in a partition's order.

    `begin`: first offsets of partitions that are not read from their start. Iterating raises
    KafkaSessionError if the log no longer holds the offset, or if a transaction holds records back
    for longer than `stall` seconds.
    """

    reader: Consumer
    marks: Offsets
    begin: Offsets = field(default_factory=dict)
    stall: float = STALL
    _reached: dict[Partition, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Message]:
        left = {place for place, mark in self.marks.items() if mark > self.begin.get(place, 0)}
        with transactions.translate_errors("reading"):
            self.reader.assign([self._start(place) for place in sorted(left)])
        moved = time.monotonic()
        while left:
            with transactions.translate_errors("reading"):
                messages = self.reader.consume(1000, POLL)
            for message in messages:
                place, offset = _place(message)
                if message.error() is None and offset < self.marks.get(place, 0):
                    yield message
                if self._step(message, place, offset):
                    moved = time.monotonic()
            left = {each for each in left if self._reached.get(each, 0) < self.marks[each]}
            if time.monotonic() - moved > self.stall:
                raise KafkaSessionError(self._stalled(min(left)))
        with transactions.translate_errors("reading"):
            self.reader.unassign()

    def _start(self, place: Partition) -> TopicPartition:
        return TopicPartition(*place, self.begin.get(place, OFFSET_BEGINNING))

    def _step(self, message: Message, place: Partition, offset: int) -> bool:
        """Record how far the partition was read; return whether that is further than before."""
        error = message.error()
        if error is None:
            reached = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public by use
            reached = offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET or error.fatal():  # noqa: SLF001
            raise KafkaSessionError(
                f"reading {place[0]} [{place[1]}]: {transactions.describe(error)}"
            )
        else:
            return False  # librdkafka tries again
        before = self._reached.get(place, -1)
        self._reached[place] = max(before, reached)
        return reached > before

    def _stalled(self, place: Partition) -> str:
        reached = max(0, self._reached.get(place, 0))
        return (
            f"{place[0]} [{place[1]}] can be read up to offset {reached}, but it is written up to "
            f"{self.marks[place]}: an open transaction holds the rest back. That of a process that "
            "was killed ends within half a minute: try again"
        )


def _place(message: Message) -> tuple[Partition, int]:
    """Return partition and offset; events and errors have a partition, but not always an offset
    (-1)."""
    place = cast("str", message.topic()), cast("int", message.partition())
    return place, message.offset() if message.offset() is not None else -1  # type: ignore[return-value]


def members(client: AdminClient, group: str) -> int:
    """Return the number of a consumer group's members. Raises KafkaSessionError."""
    return len(client_ids(client, group))


def client_ids(client: AdminClient, group: str) -> list[str]:
    """Return the client ids of a consumer group's members. Raises KafkaSessionError."""
    with transactions.translate_errors(f"looking at group {group}"):
        return _retried(_members, client, group)


def committed_texts(client: AdminClient, group: str) -> dict[str, str]:
    """Return topic → the metadata text committed with one of the group's offsets of it.

    It covers all topics, in the config or not. Raises KafkaSessionError.
    """
    with transactions.translate_errors(f"reading the offsets of group {group}"):
        found = _retried(_group_offsets, client, group)
    texts: dict[str, str] = {}
    for each in found:
        if each.offset >= 0:
            texts[each.topic] = each.metadata or texts.get(each.topic, "")
    return texts


def _group_offsets(client: AdminClient, group: str) -> list[TopicPartition]:
    asked = [ConsumerGroupTopicPartitions(group)]
    (future,) = client.list_consumer_group_offsets(asked, request_timeout=WAIT).values()
    try:
        return list(future.result(WAIT).topic_partitions or [])
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        raise
    except TimeoutError:
        raise KafkaSessionError(
            f"reading the offsets of group {group}: no answer in time"
        ) from None


def _retried(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat a request while the broker answers that it is not ready yet."""
    patience = Retrying(
        retry=retry_if_exception(_coming),
        stop=stop_after_delay(WAIT),
        wait=wait_fixed(POLL),
        reraise=True,
    )
    return patience(ask, *args, **kwargs)


def _coming(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _COMING


def _members(client: AdminClient, group: str) -> list[str]:
    future = client.describe_consumer_groups([group], request_timeout=WAIT)[group]
    try:
        return [str(each.client_id) for each in future.result(WAIT).members]
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        raise
    except TimeoutError:
        raise KafkaSessionError(f"looking at group {group}: no answer in time") from None
