"""The rebalance protocol, and what offsets are committed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka.queries import Partition
from consumer.kafka.stopped_partitions import StoppedPartition, StopReason
from consumer.policy.rules import PolicyRules
from consumer.routing.endings import Endings
from consumer.routing.router import Router
from consumer.runtime.group_consumer import GroupConsumer, offsets_after
from consumer.runtime.router.router_loop import RouterStage
from consumer.runtime.stage import MAX_SILENCE
from tests.unit.runtime.test_stage import Time, services, stage_run

NOWHERE = -1001


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


class Client:
    """A consumer whose next poll runs callbacks and returns messages."""

    def __init__(self) -> None:
        self.member = "m-1"
        self.messages: list[Stood] = []
        self.events: list[tuple[str, list[Partition]]] = []
        self.places: dict[Partition, tuple[int, int]] = {}  # its position and the log's end
        self.read: list[Partition] = []
        self.calls: list[tuple[str, list[Partition]]] = []
        self.callbacks: dict[str, Callable[[Any, list[TopicPartition]], None]] = {}

    def subscribe(self, _: list[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def consume(self, _records: int, _seconds: float) -> list[Stood]:
        for event, places in self.events:
            self.call(event, places)
        self.events.clear()
        found, self.messages = self.messages, []
        return found

    def call(self, event: str, places: list[Partition]) -> None:
        self.callbacks[event](self, [TopicPartition(*place) for place in places])

    def __getattr__(self, name: str) -> Any:
        if name not in {"incremental_assign", "incremental_unassign", "resume"}:
            raise AttributeError(name)

        def call(partitions: list[TopicPartition]) -> None:
            places = [(each.topic, each.partition) for each in partitions]
            self.calls.append((name, places))
            if name == "incremental_assign":
                self.read += places
            elif name == "incremental_unassign":
                self.read = [place for place in self.read if place not in places]

        return call

    def consumer_group_metadata(self) -> str:
        return f"metadata of {self.member}"

    def memberid(self) -> str:
        return self.member

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in self.places or self.read]

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [
            TopicPartition(each.topic, each.partition, self.places[each.topic, each.partition][0])
            for each in partitions
        ]

    def get_watermark_offsets(self, place: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, self.places[place.topic, place.partition][1]


class Stage:
    """A member that reads from offset 6, except what is stopped."""

    def __init__(self, stopped: Sequence[Partition] = ()) -> None:
        self.stopped = stopped
        self.heard: list[tuple[str, list[Partition]]] = []

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        self._hear("assign", partitions)
        for partition in partitions:
            partition.offset = 6
        return [each for each in partitions if (each.topic, each.partition) not in self.stopped]

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        self._hear("lost" if lost else "revoke", partitions)

    def stop_reading(self, partition: TopicPartition, _why: str) -> None:
        self._hear("stop", [partition])

    def _hear(self, event: str, partitions: Sequence[TopicPartition]) -> None:
        self.heard.append((event, [(each.topic, each.partition) for each in partitions]))


class Clients:
    """One client, made and closed; it calls back while it closes."""

    def __init__(self) -> None:
        self.client = Client()

    def consumer(self, *_: object) -> Client:
        return self.client

    def close(self, client: Client) -> None:
        client.call("on_assign", [B])
        client.call("on_revoke", [A, B])


class Membership:
    """A stage in its group."""

    def __init__(self, stopped: Sequence[Partition] = ()) -> None:
        clients = Clients()
        self.client, self.stage = clients.client, Stage(stopped)
        self.clock = Time()
        self.run = stage_run(self.clock, clients=clients)
        self.group = GroupConsumer(self.run, "surveys.router", self.stage)
        self.group.subscribe(["pos"])

    def poll(self, *messages: Stood) -> list[int | None]:
        """Offsets of the records."""
        self.client.messages = list(messages)
        return [message.offset() for message in self.group.poll(100, 0.0)[0]]


A, B = ("pos", 0), ("pos", 1)


def test_assigned_partitions_are_read_and_not_paused_but_stopped_ones_are_not_read() -> None:
    one = Membership(stopped=[B])
    one.client.events = [("on_assign", [A, B])]
    one.poll()
    assert one.client.calls == [("incremental_assign", [A]), ("resume", [A])]


def test_only_partitions_that_are_read_are_unassigned_after_the_stage_has_finished() -> None:
    one = Membership(stopped=[B])
    one.client.events = [("on_assign", [A, B])]
    one.poll()
    one.client.calls.clear()
    one.client.events = [("on_revoke", [A, B])]
    one.poll()
    assert one.stage.heard[-1] == ("revoke", [A, B])
    assert one.client.calls == [("incremental_unassign", [A])]


def test_partition_that_the_stage_stopped_meanwhile_is_unassigned_once() -> None:
    one = Membership()
    one.client.events = [("on_assign", [A, B])]
    one.poll()
    one.group.unassign(TopicPartition(*A))
    one.client.calls.clear()
    one.client.events = [("on_lost", [A, B])]
    one.poll()
    assert one.stage.heard[-1] == ("lost", [A, B])
    assert one.client.calls == [("incremental_unassign", [B])]


def test_records_of_a_partition_revoked_during_the_poll_are_dropped() -> None:
    one = Membership()
    one.client.events = [("on_assign", [A, B])]
    assert one.poll(Stood("pos", 0, 6), Stood("pos", 1, 6)) == [6, 6]
    one.client.events = [("on_revoke", [A])]
    assert one.poll(Stood("pos", 0, 7), Stood("pos", 1, 8)) == [8]
    assert one.poll(Stood("pos", 1, 9)) == [9]


def test_partition_revoked_and_reassigned_during_one_poll_ends_the_session() -> None:
    one = Membership()
    one.client.events = [("on_assign", [A, B])]
    one.poll()
    one.client.events = [("on_revoke", [A]), ("on_assign", [A])]
    with pytest.raises(KafkaSessionError, match="revoked and reassigned during one poll"):
        one.poll()


def test_partition_reassigned_in_a_later_poll_is_read_again() -> None:
    one = Membership()
    one.client.events = [("on_assign", [A])]
    one.poll()
    one.client.events = [("on_revoke", [A])]
    one.poll()
    one.client.events = [("on_assign", [A])]
    assert one.poll(Stood("pos", 0, 6)) == [6]


def test_callback_after_the_membership_only_gives_back_what_is_read() -> None:
    """Of what the group moves while the client leaves, nothing is read and no stage hears."""
    one = Membership()
    one.client.events = [("on_assign", [A])]
    one.poll()
    one.client.calls.clear()
    with one.group:
        pass
    assert one.stage.heard == [("assign", [A])]
    assert one.client.calls == [("incremental_assign", []), ("incremental_unassign", [A])]


def test_events_are_no_records() -> None:
    one = Membership()
    eof, reset = KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET
    one.client.messages = [
        Stood("pos", 0, 7),
        Stood("pos", 0, 9, eof),
        Stood("pos", 1, 3, KafkaError._ALL_BROKERS_DOWN),
        Stood("pos", 1, 3, reset),
    ]
    records, ends = one.group.poll(100, 0.0)
    assert [message.offset() for message in records] == [7]
    assert ends == one.group.reached == {A: 9}
    assert one.stage.heard == [("stop", [B])]


@pytest.mark.parametrize("code", [KafkaError._FATAL, KafkaError._MAX_POLL_EXCEEDED])
def test_error_after_which_a_client_is_silent_ends_the_session(code: int) -> None:
    with pytest.raises(KafkaSessionError):
        Membership().poll(Stood("pos", 0, 0, code))


def test_member_that_the_group_dropped_commits_nothing() -> None:
    """Kafka accepts a transaction's offsets from any client without a member id."""
    one = Membership()
    assert one.group.metadata() == "metadata of m-1"
    one.client.member = ""
    with pytest.raises(KafkaSessionError):
        one.group.metadata()


def test_offsets_are_the_highest_of_each_partition_and_one() -> None:
    places = [("a", 0, 7), ("a", 1, 0), ("b", 0, 3), ("a", 0, 9), ("a", 0, 8)]
    found = offsets_after([cast("Message", Stood(*place)) for place in places], {"b": "mark"})
    assert {(each.topic, each.partition): (each.offset, each.metadata) for each in found} == {
        ("a", 0): (10, ""),
        ("a", 1): (1, ""),
        ("b", 0): (4, "mark"),
    }


@pytest.mark.parametrize(
    ("position", "end", "reached", "behind"),
    [
        (7, 10, {}, 3),
        (7, 10, {A: 4}, 3),  # the reported end is older than the last record
        (7, 10, {A: 10}, 0),  # markers and aborted records follow the last one
        (7, 10, {("web", 0): 10}, 3),
        (NOWHERE, 10, {A: 6}, 4),  # no record yet
        (12, 10, {}, 0),  # the end is from an earlier fetch
    ],
)
def test_lag_is_counted_from_where_a_partition_is_known_to_be_read(
    position: int, end: int, reached: dict[Partition, int], behind: int
) -> None:
    one = Membership()
    one.client.places = {A: (position, end)}
    one.group.reached.update(reached)
    ((at, high),) = one.group.positions().values()
    assert high - at == behind


def test_partition_of_which_nothing_is_known_has_no_position() -> None:
    one = Membership()
    one.client.places = {A: (NOWHERE, 10), B: (7, NOWHERE)}
    assert one.group.positions() == {}


def test_start_offset_is_a_position_before_the_first_record() -> None:
    """An open transaction hides the records after it, which are lag all the same."""
    one = Membership()
    one.client.events = [("on_assign", [A])]
    one.client.places = {A: (NOWHERE, 10)}
    one.poll()
    assert one.group.positions() == {A: (6, 10)}


class Slow:
    """A client whose every request takes long."""

    def __init__(self, clock: Time) -> None:
        self._clock = clock

    def committed(self) -> None:
        self._clock.at += 0.9 * MAX_SILENCE


def test_many_slow_requests_in_turn_are_no_silence() -> None:
    """A slow cluster answers each in time; a stage with stopped partitions makes many."""
    clock = Time()
    run = stage_run(clock)
    client = run.with_heartbeat(Slow(clock))
    for _ in range(5):
        client.committed()
        assert run.services.health.alive() == []


class SlowKafka:
    """Clients of a cluster that takes ten seconds for each answer; the group has no offset."""

    def __init__(self, clock: Time) -> None:
        self.clock = clock
        self.answers = 0
        self.alive: Callable[[], list[str]] = list

    def consumer(self, *_: object) -> SlowKafka:
        return self

    def answer(self) -> None:
        self.clock.at += 10.0
        self.answers += 1
        assert self.alive() == []

    def topic_id(self, topic: str) -> str:
        self.answer()
        return f"id of {topic}"

    def has_topic(self, _: str) -> bool:
        self.answer()
        return False

    def committed_texts(self, _: str) -> dict[str, str]:
        self.answer()
        return {}

    def list_topics(self, topic: str = "", **_: object) -> SimpleNamespace:
        self.answer()
        one = SimpleNamespace(partitions=[0], error=None)
        return SimpleNamespace(topics={topic: one})

    def committed(self, asked: list[TopicPartition], **_: object) -> list[TopicPartition]:
        self.answer()
        return [TopicPartition(each.topic, each.partition, 5) for each in asked]

    def get_watermark_offsets(self, _: TopicPartition, **__: object) -> tuple[int, int]:
        self.answer()
        return 8, 9


def test_partition_that_is_left_has_the_lag_of_its_last_reading() -> None:
    """It is not assigned, so that `positions` lacks it."""
    member = Membership()
    client: Any = member.client
    ends = {("pos", 0): 17, ("pos", 1): -1001}
    client.get_watermark_offsets = lambda place, cached: (
        0,
        ends[place.topic, place.partition] if cached else 99,
    )
    assert member.group.lags_of_left({("pos", 0): 5, ("pos", 1): 5}) == {
        ("pos", 0): 12,
        ("pos", 1): 1,
    }


def test_router_with_stopped_inputs_is_not_silent_while_a_slow_cluster_answers() -> None:
    clock = Time()
    kafka = SlowKafka(clock)
    router = RouterStage(
        Router({}, cast("Endings", None), cast("PolicyRules", None)),
        ["pos", "web"],
        services(clock, kafka),
        None,
        "0",
    )
    router.run.services.health.register("router", MAX_SILENCE)
    kafka.alive = router.run.services.health.alive
    router.group = GroupConsumer(router.run, "surveys.router", router)
    router.asker = router.run.with_heartbeat(router.group.consumer)
    router.stops.stopped[A] = StoppedPartition(*A, 5, StopReason.OUT_OF_RANGE)
    assert not router._must_rejoin()
    assert kafka.answers * 10.0 > MAX_SILENCE
