"""What the router's offsets are committed with."""

from __future__ import annotations

from typing import NamedTuple, cast

import pytest
from confluent_kafka import Consumer, Message

from consumer.errors import KafkaTrouble
from consumer.runtime.offsets import membership, offsets


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

    def topic(self) -> str:
        return self.at

    def partition(self) -> int:
        return self.part

    def offset(self) -> int:
        return self.number


def test_who_was_dropped_by_the_group_commits_nothing() -> None:
    """Kafka takes a transaction's offsets from whoever shows no member id at all."""
    assert membership(cast("Consumer", Member("m-1"))) == "metadata of m-1"
    with pytest.raises(KafkaTrouble):
        membership(cast("Consumer", Member("")))


def test_offsets_are_the_highest_of_each_partition_and_one() -> None:
    places = [("a", 0, 7), ("a", 1, 0), ("b", 0, 3), ("a", 0, 9), ("a", 0, 8)]
    found = offsets([cast("Message", Stood(*place)) for place in places], {})
    assert {(each.topic, each.partition): each.offset for each in found} == {
        ("a", 0): 10,
        ("a", 1): 1,
        ("b", 0): 4,
    }
