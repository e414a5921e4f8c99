"""New clients that are connected before they are asked, on a real Kafka and where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from consumer.kafka import transactions as adapter
from consumer.kafka.clients import KafkaClients
from tests.support.kafka import KafkaBroker, create_topics, unique

Make = Callable[[KafkaClients], Consumer | Producer]


def a_consumer(clients: KafkaClients) -> Consumer:
    return clients.consumer(unique("group"), lambda _error: None)


def a_producer(clients: KafkaClients) -> Producer:
    return clients.producer(unique("transactional"), lambda _error: None)


@pytest.mark.parametrize("make", [a_consumer, a_producer])
def test_a_client_of_brokers_that_are_away_is_left_to_connect_by_itself(make: Make) -> None:
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"})
    clients.connect(make(clients), "surveys.checkpoints.pisano")


@pytest.mark.parametrize("make", [a_consumer, a_producer])
def test_connecting_makes_no_topic(kafka: KafkaBroker, make: Make) -> None:
    clients, missing = KafkaClients({"bootstrap.servers": kafka.bootstrap}), unique("missing")
    clients.connect(make(clients), missing)
    known = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10).topics
    assert missing not in known


def test_a_producer_that_is_connected_is_fenced_and_writes(kafka: KafkaBroker) -> None:
    clients, topic = KafkaClients({"bootstrap.servers": kafka.bootstrap}), unique("topic")
    create_topics(kafka.bootstrap, topic)
    producer = a_producer(clients)
    clients.connect(producer, topic)
    adapter.fence(producer, lambda: False)
    with adapter.transaction(producer, lambda: False):
        adapter.produce(producer, topic, b"x", partition=0)
