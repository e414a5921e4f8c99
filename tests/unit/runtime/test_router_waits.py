"""A poll of which some partitions wait for a schema while their input halts."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Message

from consumer.errors import KafkaSessionError
from consumer.http.schema_lookup import SchemaLookup
from consumer.http.schema_registry import FoundSchema
from consumer.policy.rules import PolicyRules
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.endings import Endings
from consumer.routing.routed import Routed
from consumer.routing.router import Router
from consumer.runtime.router.dead_letter_guard import Halt
from consumer.runtime.router.router_loop import RouterStage
from consumer.wiring.registry import InputSchemas
from tests.unit.runtime.test_stage import Time, services

Place = tuple[str, int, int]
INT = FoundSchema('"int"', "AVRO")


class Halting(RouterStage):
    """Halts the topic `pos` at a record of partition 0, and has others wait in the same poll."""

    halted: tuple[str, Sequence[Place]]

    def _process(self, _records: Sequence[Message]) -> Routed:
        self._halting["pos"] = Halt([("pos", 0, 7)], "the next record")
        self._waits.left |= {("pos", 1): 5, ("web", 0): 3}
        return Routed()

    def halt(self, topic: str, refused: Sequence[Place], _example: str) -> None:
        self.halted = topic, refused


@pytest.fixture
def stage() -> Halting:
    router = Router({}, cast("Endings", None), cast("PolicyRules", None))
    schemas = InputSchemas(frozenset({"pos"}), SchemaLookup(SchemaBook(), lambda _: None))
    made = Halting(router, ["pos"], services(Time(), cast("Any", None)), None, "0", schemas)
    made.group = cast("Any", SimpleNamespace(left=[]))
    made.group.leave = made.group.left.append  # type: ignore[attr-defined,method-assign]
    return made


class Decoding(RouterStage):
    """Reads the envelope of each record where it would decode it."""

    read: list[object]

    def _route(self, records: Sequence[Message], _now: float) -> Routed:
        self.read = [self._record(one).read_envelope().headers for one in records]
        return Routed()

    def _commit(self, *_: object) -> None:
        pass


class Told(SimpleNamespace):
    """A message that counts how often it is asked for its headers."""

    asked = 0

    def headers(self) -> list[tuple[str, bytes]]:
        self.asked += 1
        return [("__value_schema_id", b"\x00\x00\x00\x00\x07")]


def test_headers_are_read_once_for_the_look_up_and_the_decoder() -> None:
    router = Router({}, cast("Endings", None), cast("PolicyRules", None))
    schemas = InputSchemas(frozenset({"pos"}), SchemaLookup(SchemaBook(), lambda _: INT))
    stage = Decoding(router, ["pos"], services(Time(), cast("Any", None)), None, "0", schemas)
    message: Any = Told(
        topic=lambda: "pos", partition=lambda: 0, offset=lambda: 5, key=bytes, value=bytes
    )
    message.timestamp = lambda: (0, -1)
    stage._process([message])
    assert stage.read == [[("__value_schema_id", b"\x00\x00\x00\x00\x07")]]
    assert message.asked == 1


class Failing(Decoding):
    """Ends its session at each commit."""

    def _commit(self, *_: object) -> None:
        raise KafkaSessionError("the transaction failed")


def test_poll_that_failed_leaves_no_record_for_a_later_message() -> None:
    """Records of one poll are found by the identity of their messages, which Python uses again."""
    router = Router({}, cast("Endings", None), cast("PolicyRules", None))
    schemas = InputSchemas(frozenset({"pos"}), SchemaLookup(SchemaBook(), lambda _: INT))
    stage = Failing(router, ["pos"], services(Time(), cast("Any", None)), None, "0", schemas)
    message: Any = Told(
        topic=lambda: "pos", partition=lambda: 0, offset=lambda: 5, key=bytes, value=bytes
    )
    message.timestamp = lambda: (0, -1)
    with pytest.raises(KafkaSessionError):
        stage._handle([message])
    assert stage._made == {}


def test_records_that_wait_are_left_when_their_input_halts(stage: Halting) -> None:
    """Else the group would remember the position after them."""
    stage._handle([cast("Message", None)])
    assert stage.halted == ("pos", [("pos", 0, 7), ("pos", 1, 5)])
    assert stage._waits.left == {("web", 0): 3}
    assert cast("Any", stage.group).left == [("web", 0)]


def test_partition_that_waited_before_is_not_halted_with_its_input(stage: Halting) -> None:
    """It is not assigned, so that it has no position, and waits on."""
    stage._waits.left["pos", 1] = 5
    stage._handle([cast("Message", None)])
    assert stage.halted == ("pos", [("pos", 0, 7)])
    assert stage._waits.left == {("pos", 1): 5, ("web", 0): 3}
