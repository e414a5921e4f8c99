"""An input that exceeds its limit on dead letters in a poll whose transaction fails: no record that
was not committed may be passed over."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.policy.rules import PolicyRules
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.dead_letter_limit import DeadLetterLimit
from consumer.routing.endings import Endings
from consumer.routing.routed import Routed
from consumer.routing.router import RoutedInput, Router
from consumer.runtime.router.dead_letter_guard import Place
from consumer.runtime.router.router_loop import RouterStage
from tests.unit.runtime.test_stage import Time, services

LIMIT = DeadLetterLimit(0.5, 4)
POISON = 9


class UnreadableStage(RouterStage):
    """Reads nothing but dead letters. `fails`: what the next commits raise; a commit of a record at
    offset `POISON` raises by that record's fault."""

    fails: list[Exception]
    committed: list[Place]
    halted: dict[str, list[Place]]

    def _route(self, records: Sequence[Message], _now: float) -> Routed:
        letters = [self._letter(place) for place in map(place_in, records)]
        return Routed(dead_letters=letters)

    def _letter(self, place: Place) -> Any:
        return InputRecord(*place, b"{").dead_letter(DeadLetterReason.NOT_JSON, "stopped")

    def _commit(self, messages: Sequence[Message], _routed: Routed, _now: float) -> None:
        places = [place_in(message) for message in messages]
        if self.fails:
            raise self.fails.pop()
        if any(offset == POISON for _, _, offset in places) and len(places) > 1:
            raise ValueError("by a record's fault")
        self.committed += places

    def _count(self, outcome: Routed) -> None:
        """Show nothing."""

    def halt(self, topic: str, refused: Sequence[Place], _example: str) -> None:
        self.halted[topic] = list(refused)


def place_in(message: Message) -> Place:
    return str(message.topic()), message.partition() or 0, message.offset() or 0


def message(topic: str, partition: int, offset: int) -> Message:
    known = {"topic": topic, "partition": partition, "offset": offset}
    return cast("Message", SimpleNamespace(**{name: lambda v=v: v for name, v in known.items()}))


@pytest.fixture
def stage() -> UnreadableStage:
    entry = RoutedInput(cast("Any", None), [], dead_letter_limit=LIMIT)
    router = Router({"pos": entry}, cast("Endings", None), cast("PolicyRules", None))
    made = UnreadableStage(router, ["pos"], services(Time(), cast("Any", None)), None, "0")
    made.fails, made.committed, made.halted = [], [], {}
    return made


def poll(*places: tuple[int, int]) -> list[Message]:
    return [message("pos", partition, offset) for partition, offset in places]


def test_an_input_halts_at_the_record_that_exceeds_its_limit(stage: UnreadableStage) -> None:
    stage._handle(poll((0, 0), (1, 0), (0, 1), (1, 1)))
    assert stage.committed == [("pos", 0, 0), ("pos", 1, 0)]
    assert stage.halted == {"pos": [("pos", 0, 1), ("pos", 1, 1)]}


def test_a_failed_commit_halts_nothing_in_the_next_membership(stage: UnreadableStage) -> None:
    """The records are read again; what was left at the failed one says nothing of them."""
    stage.fails = [KafkaSessionError("fenced")]
    with pytest.raises(KafkaSessionError):
        stage._handle(poll((0, 0), (0, 1), (0, 2)))
    stage._end_membership()
    stage._handle(poll((0, 0), (0, 1)))
    assert stage.committed == [("pos", 0, 0), ("pos", 0, 1)]
    assert stage.halted == {}


def test_records_of_a_failed_commit_count_once(stage: UnreadableStage) -> None:
    stage.fails = [KafkaSessionError("fenced")]
    with pytest.raises(KafkaSessionError):
        stage._handle(poll((0, 0), (0, 1)))
    stage._handle(poll((0, 0), (0, 1)))
    assert stage.halted == {}


def test_what_an_earlier_part_of_the_poll_stops_is_left_with_it(stage: UnreadableStage) -> None:
    """A poison record divides the poll, and the first part exceeds the limit: the records of the
    second are read again, too, also of partitions that the first does not have."""
    stage._handle(poll((0, POISON), (0, 10), (0, 11), (1, 0), (1, 1), (2, 5)))
    assert stage.committed == [("pos", 0, POISON), ("pos", 0, 10)]
    left = [(partition, at) for _, partition, at in stage.halted["pos"]]
    assert left == [(0, 11), (1, 0), (1, 1), (2, 5)]


def test_a_commit_that_a_record_fails_is_divided_with_the_limit_untouched(
    stage: UnreadableStage,
) -> None:
    stage._handle(poll((0, 8), (0, POISON)))
    assert sorted(stage.committed) == [("pos", 0, 8), ("pos", 0, POISON)]
    assert stage.halted == {}


class Assigned:
    """The group's member: two partitions of `pos` and one of `web`, of which one was fetched."""

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("pos", 0), TopicPartition("pos", 1), TopicPartition("web", 0)]

    def committed(self, places: list[TopicPartition], **_: object) -> list[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, 40) for place in places]


def test_partition_that_was_not_fetched_yet_halts_at_the_groups_offset() -> None:
    """A poll may exceed the limit before the other partitions of the topic have answered."""
    member = Assigned()
    positions = {("pos", 0): (510, 1520), ("web", 0): (3, 3)}
    group = SimpleNamespace(consumer=member, positions=lambda: positions)
    stage = cast("RouterStage", SimpleNamespace(group=group, asker=member))
    assert RouterStage._read_up_to(stage, "pos") == {("pos", 0): 510, ("pos", 1): 40}
