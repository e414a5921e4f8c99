"""Stopped partitions: input partitions that must not be read until an operator resumes them.

An offset that does not fit concerns one partition: it is not read, all others are. The stop ends
when the group gets another offset for it (`survey-dispatcher inputs resume`).

    out_of_range   the log does not hold the group's offset: records were deleted before they were
                   read, or the log was truncated
    recreated      the offset, or the group's register, is of a topic that was deleted; the topic
                   that has its name now is another one
    forgotten      the group has read the topic, and has no offset of it any more
    unreadable     too many of the topic's records became dead letters (`dead_letter_limit`); a
                   change of the config ends this stop, too
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from confluent_kafka import Consumer, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka import offset_metadata
from consumer.kafka.queries import Partition, log_range


class StopReason(StrEnum):
    """Why a partition is stopped."""

    OUT_OF_RANGE = "out_of_range"
    RECREATED = "recreated"
    FORGOTTEN = "forgotten"
    UNREADABLE = "unreadable"


MEANING: Mapping[StopReason, str] = {
    StopReason.OUT_OF_RANGE: "records were deleted before they were read, or the log was cut off",
    StopReason.RECREATED: "the topic was deleted and recreated; what was not read of it is gone",
    StopReason.FORGOTTEN: (
        "the group has read it before and has no offset of it: Kafka forgets them when no process "
        "reads it for `offsets.retention.minutes` (a week)"
    ),
    StopReason.UNREADABLE: "too many of its records became dead letters (`dead_letter_limit`)",
}


@dataclass(frozen=True, slots=True)
class StoppedPartition:
    """A stopped partition; `offset`: the group's (negative: none); `was`: id of the topic read."""

    topic: str
    partition: int
    offset: int
    reason: StopReason
    was: str = ""

    @classmethod
    def forgotten(cls, topic: str, partition: int) -> Self:
        """Return a partition of which the group has no offset any more."""
        return cls(topic, partition, -1, StopReason.FORGOTTEN)

    @classmethod
    def unreadable(cls, place: TopicPartition) -> Self:
        """Return a partition of which too much cannot be read."""
        return cls(place.topic, place.partition, place.offset, StopReason.UNREADABLE)

    @property
    def place(self) -> Partition:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def whole_topic(self) -> bool:
        """Whether all partitions have lost their offsets, so that they resume together."""
        return self.reason in {StopReason.RECREATED, StopReason.FORGOTTEN}

    @property
    def command(self) -> str:
        """The command that ends the stop."""
        if self.reason is StopReason.UNREADABLE:
            return f"survey-dispatcher dlq continue {self.topic}, or correct the config"
        target = self.topic if self.whole_topic else f"{self.topic}:{self.partition}"
        return (
            f"survey-dispatcher inputs resume {target} --from earliest|latest|OFFSET|TIME "
            "(--dry-run shows what that reads)"
        )


def memory_problem(
    place: TopicPartition,
    committed: Mapping[Partition, TopicPartition],
    topic_id: str | None,
    registered: str | None,
    config_version: str = "",
) -> StoppedPartition | None:
    """Compare the group's memory of a partition with the topic as it is now; None if they agree.

    `committed`: all offsets of the group; `registered`: the first characters of the topic's id when
    it was read; `config_version`: of the config that would read it.
    """
    found = committed[place.topic, place.partition]
    siblings = [each for (topic, _), each in committed.items() if topic == place.topic]
    read = [sibling for sibling in siblings if sibling.offset >= 0]
    if offset_metadata.forgot(found):
        return _stopped(found, StopReason.FORGOTTEN)
    if found.offset >= 0:
        marks = [offset_metadata.id_in(found.metadata)]
    elif read:  # a partition that was added, unless its topic was recreated
        marks = [offset_metadata.id_in(sibling.metadata) for sibling in read]
    else:
        return _forgotten(found, topic_id, registered)
    others = {mark for mark in marks if mark}
    if topic_id is None or topic_id in others or not others or None in marks:
        return _halted(found, config_version)
    return _stopped(found, StopReason.RECREATED, min(others))


def _halted(found: TopicPartition, config_version: str) -> StoppedPartition | None:
    """Return a partition as stopped of which too much could not be read under this config."""
    stands = found.offset >= 0 and offset_metadata.halted_by(found) == (config_version or None)
    return _stopped(found, StopReason.UNREADABLE) if stands and config_version else None


def out_of_range(asker: Consumer, found: TopicPartition) -> StoppedPartition | None:
    """Return the partition as stopped if the log does not hold the offset."""
    low, high = log_range(asker, found.topic, found.partition)
    if found.offset < 0 or low <= found.offset <= high:
        return None
    return _stopped(found, StopReason.OUT_OF_RANGE)


def out_of_reach(asker: Consumer, found: TopicPartition) -> StoppedPartition:
    """Return a partition as stopped whose log does not hold the client's position.

    Raises KafkaSessionError if the log holds the group's offset: the position is then a former
    member's. Frozen for longer than its session, the process reads from where it stopped, while
    another member has read on and records behind that one may have been deleted.
    """
    if found.offset >= 0 and out_of_range(asker, found) is None:
        raise _read_on(found)
    return _stopped(found, StopReason.OUT_OF_RANGE)


def still_forgotten(found: TopicPartition) -> StoppedPartition:
    """Return a partition as stopped that had no offset before its log was read, and has none after.

    Raises KafkaSessionError if the group has one by now. Frozen between the two requests, the
    process would compare a group that has not begun with a log from which another member has read.
    """
    if found.offset >= 0:
        raise _read_on(found)
    return StoppedPartition.forgotten(found.topic, found.partition)


def _read_on(found: TopicPartition) -> KafkaSessionError:
    return KafkaSessionError(
        f"{found.topic} [{found.partition}]: another member of the group has read on meanwhile"
    )


def _forgotten(
    found: TopicPartition, topic_id: str | None, registered: str | None
) -> StoppedPartition | None:
    if registered is None:
        return None  # it was never read
    if topic_id is not None and offset_metadata.id_start(topic_id) != registered:
        return _stopped(found, StopReason.RECREATED, registered)
    return _stopped(found, StopReason.FORGOTTEN)


def _stopped(found: TopicPartition, reason: StopReason, was: str = "") -> StoppedPartition:
    return StoppedPartition(found.topic, found.partition, max(-1, found.offset), reason, was)
