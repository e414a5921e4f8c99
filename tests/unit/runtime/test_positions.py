"""What the router's offsets are committed with."""

from __future__ import annotations

from typing import NamedTuple, cast

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka.queries import Partition
from consumer.runtime.positions import ends, lag, membership, offsets


class Member:
    """A consumer, as far as its membership goes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def consumer_group_metadata(self) -> str:
        return f"metadata of {self.name}"

    def memberid(self) -> str:
        return self.name


class Stood(NamedTuple):
    """A message, as far as its place goes."""

    at: str
    part: int
    number: int
    code: int | None = None

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)

    def topic(self) -> str:
        return self.at

    def partition(self) -> int:
        return self.part

    def offset(self) -> int:
        return self.number


def test_a_dropped_member_commits_nothing() -> None:
    """Kafka takes a transaction's offsets from a producer without a member id."""
    assert membership(cast("Consumer", Member("m-1"))) == "metadata of m-1"
    with pytest.raises(KafkaSessionError):
        membership(cast("Consumer", Member("")))


def test_offsets_are_the_highest_of_each_partition_and_one() -> None:
    places = [("a", 0, 7), ("a", 1, 0), ("b", 0, 3), ("a", 0, 9), ("a", 0, 8)]
    found = offsets([cast("Message", Stood(*place)) for place in places], {})
    assert {(each.topic, each.partition): each.offset for each in found} == {
        ("a", 0): 10,
        ("a", 1): 1,
        ("b", 0): 4,
    }


class Assigned:
    """A consumer, as far as it knows where it is: place → its position and the log's end."""

    def __init__(self, places: dict[Partition, tuple[int, int]]) -> None:
        self.places = places

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in self.places]

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [
            TopicPartition(each.topic, each.partition, self.places[each.topic, each.partition][0])
            for each in partitions
        ]

    def get_watermark_offsets(self, place: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, self.places[place.topic, place.partition][1]


NOWHERE = -1001


@pytest.mark.parametrize(
    ("position", "end", "reached", "behind"),
    [
        (7, 10, {}, 3),
        (7, 10, {("pos", 0): 4}, 3),  # the end that was told is older than the last record
        (7, 10, {("pos", 0): 10}, 0),  # markers and aborted records follow the last one
        (7, 10, {("web", 0): 10}, 3),
        (NOWHERE, 10, {("pos", 0): 6}, 4),  # nothing was given yet
        (12, 10, {}, 0),  # the end is from a fetch before
    ],
)
def test_what_is_behind_is_counted_from_where_it_is_known_to_be_read(
    position: int, end: int, reached: dict[Partition, int], behind: int
) -> None:
    client = cast("Consumer", Assigned({("pos", 0): (position, end)}))
    assert lag(client, reached) == {("pos", 0): behind}


def test_nothing_is_said_of_a_partition_of_which_nothing_is_known() -> None:
    client = Assigned({("pos", 0): (NOWHERE, 10), ("pos", 1): (7, NOWHERE)})
    assert lag(cast("Consumer", client), {}) == {}


def test_an_end_is_what_was_told_as_one() -> None:
    told = [
        Stood("pos", 0, 7),
        Stood("pos", 0, 9, KafkaError._PARTITION_EOF),
        Stood("pos", 1, 3, KafkaError._ALL_BROKERS_DOWN),
    ]
    assert ends([cast("Message", each) for each in told]) == [(("pos", 0), 9)]
