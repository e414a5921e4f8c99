"""Kafka clients: when a poll ends, and where their lines go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import cast

import pytest
import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from consumer.errors import KafkaSessionError
from consumer.kafka import clients as clients_module
from consumer.kafka.clients import EmbeddedBroker, KafkaClients, PromptConsumer

TOPIC, LONG = "pos", 20.0


def test_librdkafka_speaks_in_lines_of_our_own_log() -> None:
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"})
    client = clients.consumer("group", lambda _error: None)
    with structlog.testing.capture_logs() as lines:
        logging.getLogger("librdkafka").critical("FATAL [thrd:main]: %s", "fenced")
        logging.getLogger("librdkafka").error("FAIL: %s", "refused")
        logging.getLogger("librdkafka").warning("it will mend this by itself")
    clients.close(client)
    assert lines == [
        {"event": "librdkafka", "log_level": "error", "says": "FATAL [thrd:main]: fenced"},
        {"event": "librdkafka", "log_level": "error", "says": "FAIL: refused"},
    ]


@pytest.fixture
def broker() -> EmbeddedBroker:
    found = EmbeddedBroker()
    found.create([TOPIC])
    return found


@pytest.fixture
def reader(broker: EmbeddedBroker) -> Iterator[PromptConsumer]:
    settings = {"bootstrap.servers": broker.bootstrap, "group.id": "test", "log_level": 0}
    consumer = PromptConsumer(settings)
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    yield consumer
    consumer.close()


def write(broker: EmbeddedBroker, count: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for number in range(count):
        producer.produce(TOPIC, b"%d" % number, partition=0)
    producer.flush()


def test_lone_record_ends_the_poll_that_waits_for_it_and_the_next_poll_gathers_briefly(
    broker: EmbeddedBroker, reader: PromptConsumer
) -> None:
    began = time.monotonic()
    write(broker, 1)
    assert [message.value() for message in reader.consume(5_000, LONG)] == [b"0"]
    assert reader.consume(5_000, LONG) == []
    assert time.monotonic() - began < LONG / 2


def test_poll_returns_every_record_once_in_order_and_never_more_than_asked(
    broker: EmbeddedBroker, reader: PromptConsumer
) -> None:
    write(broker, 1_000)
    found: list[bytes | None] = []
    while len(found) < 1_000:
        polled = reader.consume(300, LONG)
        assert len(polled) <= 300
        found += [message.value() for message in polled]
    assert found == [b"%d" % number for number in range(1_000)]


def test_stages_poll_with_it() -> None:
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"})
    client = clients.consumer("group")
    assert isinstance(client, PromptConsumer)
    clients.close(client)


class Leaving:
    """A member that a poll tells of its partitions, and the next one that it may go."""

    def __init__(self, polls: int) -> None:
        self.polls, self.calls = polls, list[str]()

    def unsubscribe(self) -> None:
        self.calls.append("unsubscribe")

    def consume(self, _records: int, _seconds: float) -> list[Message]:
        self.calls.append("poll")
        self.polls -= 1
        if self.polls == 1:
            raise KafkaSessionError("raised by a callback")
        return []

    def memberid(self) -> str:
        return "member" if self.polls > 0 else ""

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.parametrize("polls", [1, 3])
def test_client_is_polled_until_the_group_lets_it_go_before_it_closes(polls: int) -> None:
    """A callback that raises keeps no client in its group."""
    client = Leaving(polls)
    KafkaClients({"bootstrap.servers": "127.0.0.1:1"}).close(cast("Consumer", client))
    assert client.calls == ["unsubscribe", *["poll"] * polls, "close"]


def test_client_that_its_group_does_not_let_go_closes_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients_module, "LEAVE_WITHIN", 0.0)
    client = Leaving(polls=1)
    KafkaClients({"bootstrap.servers": "127.0.0.1:1"}).close(cast("Consumer", client))
    assert client.calls == ["unsubscribe", "close"]


class Asked:
    """A client that counts metadata requests, and answers so many of them."""

    def __init__(self, answers: int) -> None:
        self.answers, self.asked = answers, 0

    def list_topics(self, _topic: str, timeout: float) -> None:
        assert timeout
        self.asked += 1
        if self.asked > self.answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))


@pytest.mark.parametrize(("answers", "asked"), [(2, 2), (0, 1)])
def test_connecting_waits_for_the_connection_behind_the_bootstrap_one(
    answers: int, asked: int
) -> None:
    """With one request alone, fencing waited for another 500 ms in one of six starts."""
    client = Asked(answers)
    KafkaClients({"bootstrap.servers": "127.0.0.1:1"}).connect(cast("Producer", client), TOPIC)
    assert client.asked == asked
