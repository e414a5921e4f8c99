"""Where the delay stage begins to read a step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import TopicPartition
from structlog.testing import capture_logs

from consumer.errors import KafkaSessionError
from consumer.kafka.records.delayed import Delayed
from consumer.kafka.records.operator_commands import RetryCampaign
from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.group_consumer import GroupConsumer
from tests.unit.runtime.test_stage import Time, services

STEP, LANE = "surveys.delayed.1m", "surveys.invitations.pisano"
NONE = -1001


class Client:
    """Seven records on the step, of which two were due, and one on the lane's topic. `offsets` are
    the group's of the step, one after the other."""

    def __init__(self, *offsets: int) -> None:
        self.offsets = list(offsets)

    def committed(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        return [TopicPartition(step.topic, step.partition, self.offsets.pop(0)) for step in asked]

    def get_watermark_offsets(self, asked: TopicPartition, timeout: float) -> tuple[int, int]:
        del timeout
        return 0, 7 if asked.topic == STEP else 1

    def offsets_for_times(self, asked: list[TopicPartition], timeout: float) -> Any:
        del timeout
        return [TopicPartition(step.topic, step.partition, 2) for step in asked]

    def list_topics(self, topic: str | None = None, timeout: float = 0.0) -> Any:
        del topic, timeout
        return SimpleNamespace(topics={LANE: SimpleNamespace(partitions=[0])})


def stage(client: Client) -> DelayStage:
    clients = SimpleNamespace(
        consumer=lambda *_: client, topic_id=lambda _: "an-id", close=lambda _: None
    )
    made = DelayStage(services(Time(), clients), "1")
    made.group = cast("GroupConsumer", SimpleNamespace(group="surveys.ladder", metadata=dict))
    made.asker = client  # type: ignore[assignment]
    return made


def test_a_step_whose_offset_is_forgotten_stands_still() -> None:
    delays = stage(Client(NONE, NONE))
    with capture_logs() as lines:
        assert not delays.assign([TopicPartition(STEP, 0)])
    assert (STEP, 0) in delays.stops
    assert [line["event"] for line in lines] == ["input_stopped"]


def test_a_step_that_another_member_began_meanwhile_is_not_forgotten() -> None:
    """The process was frozen between the first offset and the log: it must join again."""
    delays = stage(Client(NONE, 2))
    with capture_logs() as lines, pytest.raises(KafkaSessionError, match="read on meanwhile"):
        delays.assign([TopicPartition(STEP, 0)])
    assert (STEP, 0) not in delays.stops
    assert not lines


class Producer:
    """Keeps the topics that it was told to write to."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def produce(self, topic: str, *_: object, **__: object) -> None:
        self.topics.append(topic)


@pytest.mark.parametrize(
    ("head", "topic"),
    [
        ({"campaign": "a"}, LANE),
        ({"campaign": "a", "eligible_from": 1000.0}, LANE),
        ({"campaign": "a", "eligible_from": 1000.5}, "surveys.delayed.10m"),
        ({"campaign": "b"}, "surveys.delayed.10m"),
        ({"campaign": "a", "eligible_from": "never"}, LANE),
        ([], "surveys.delayed.10m"),
        (None, "surveys.delayed.10m"),
    ],
)
def test_an_early_return_leaves_what_is_not_due_by_its_policy(head: object, topic: str) -> None:
    """And what is another campaign's, or no invitation."""
    delays, producer = stage(Client()), Producer()
    delays.producer = producer  # type: ignore[assignment]
    delays.services.early.request(["a"])
    delays.services.early.begin({STEP: 7})
    value = b"?" if head is None else orjson.dumps(head)
    delays._forward(Delayed("pisano", 900.0, 1700.0, "k", value), 1000.0)
    assert producer.topics == [topic]


def test_an_early_return_searches_beyond_open_transactions() -> None:
    """They hide committed invitations from the stage until they end."""
    delays = stage(Client())
    delays.services.clients.log_end = lambda *_: 9  # type: ignore[method-assign]
    delays.group.reached = {}
    delays._begun[STEP] = 0
    delays.services.early.request(["a"])
    delays._begin_early_return()
    assert delays.services.early.covers(STEP, 8)
    assert not delays.services.early.covers(STEP, 9)


def test_a_member_that_gets_a_step_returns_what_its_former_member_was_asked_for() -> None:
    delays = stage(Client(2, 2))
    delays.services.clients.log_end = lambda *_: 9  # type: ignore[method-assign]
    delays.group.reached = {}
    command = RetryCampaign(id="one", at=delays.services.clock.now() - 60, campaign="a")
    delays.services.commands.add(command)
    for offset in (3, 4):
        delays.assign([TopicPartition(STEP, 0)])
        delays._begin_early_return()
        assert delays.services.early.covers(STEP, offset)
        delays.services.early.turn({STEP: 9})
        delays._begin_early_return()
        assert not delays.services.early.covers(STEP, offset)
