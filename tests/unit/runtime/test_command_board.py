"""What a lane's owner tells the process that reads the delay topics, by the operators' topic."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.operator_commands import RetryCampaign
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.watchers.command_watch import CommandBoard, CommandWatch
from tests.unit.runtime.test_stage import Time, services

NOW = 1000.0


def retries(board: CommandBoard) -> list[tuple[str, bool]]:
    """Campaigns of the commands that this process carries out."""
    found = [each for each in board.current(NOW) if isinstance(each, RetryCampaign)]
    return [(each.campaign, each.delayed_only) for each in found]


def test_what_is_told_is_written_once_and_carried_out_only_when_it_is_read_again() -> None:
    board = CommandBoard()
    board.connect(connected=True)
    assert board.queue_retries(["a", "b"], NOW)
    written = board.outgoing()
    assert [each.campaign for each in written if isinstance(each, RetryCampaign)] == ["a", "b"]
    assert len({each.id for each in written}) == 2
    assert board.outgoing() == []
    assert retries(board) == []


def test_a_process_that_reads_no_commands_carries_out_its_own() -> None:
    """The topic is missing, or the demo has none: at least its own delay stage gives back."""
    running = services(Time())
    running.return_delayed(["a"])
    assert set(running.early.asked) == {"a"}
    assert running.commands.outgoing() == []


def test_a_process_that_reads_commands_asks_no_delay_stage_of_its_own_beside() -> None:
    """Else each reload would pass on all that is delayed twice."""
    running = services(Time())
    running.commands.connect(connected=True)
    running.return_delayed(["a"])
    assert set(running.early.asked) == set()
    assert len(running.commands.outgoing()) == 1


def test_delay_stage_in_another_process_is_asked_there() -> None:
    """The program runs as two processes; either way ends at the delay stage."""
    running, asked = services(Time()), list[str]()
    running.commands.return_elsewhere = asked.extend
    running.return_delayed(["a"])
    running.commands.connect(connected=True)
    running.return_delayed(["b"])
    running.commands.connect(connected=False)
    assert asked == ["a", "b"]
    assert set(running.early.asked) == set()


def test_what_was_told_and_not_written_when_reading_ends_is_carried_out_here() -> None:
    board = CommandBoard()
    board.connect(connected=True)
    board.queue_retries(["a"], NOW)
    board.connect(connected=False)
    assert retries(board) == [("a", True)]
    assert not board.queue_retries(["b"], NOW)


class Reader:
    """A consumer of a topic that is there, without records; it stops the watch after a turn."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def list_topics(self, topic: str, **_wait: float) -> object:
        part = type("Topic", (), {"error": None, "partitions": {0: None}})()
        return type("Found", (), {"topics": {topic: part}})()

    def assign(self, _places: object) -> None:
        pass

    def consume(self, _number: int, _seconds: float) -> list[object]:
        self._stop()
        return []


class Refusing:
    """KafkaClients whose broker takes no record of this process: it has no right to write."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @contextmanager
    def reader(self, _group: str) -> Iterator[Consumer]:
        yield cast("Consumer", self._reader)

    def producer(self, _name: str) -> Producer:
        return cast("Producer", self)

    def init_transactions(self, _seconds: float) -> None:
        raise KafkaException(KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))


@pytest.mark.timeout(30)
def test_what_kafka_does_not_take_is_carried_out_here() -> None:
    stop, board = threading.Event(), CommandBoard()
    turns: list[bool] = []

    def turn() -> None:
        if not turns:
            board.queue_retries(["a"], NOW)
        elif board.current(NOW):
            stop.set()
        turns.append(True)

    clients = cast("KafkaClients", Refusing(Reader(turn)))
    watch = CommandWatch("surveys.commands", clients, board, Metrics(), lambda: NOW, "surveys.w")
    watch.start("surveys.command-reader", stop).join(60)
    assert stop.is_set()
    assert retries(board) == [("a", True)]
