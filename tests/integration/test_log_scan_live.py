"""Reading a topic to its end: open transactions hide what is behind them, and are waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer

from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import end_offsets, low_offsets, members
from tests.support.kafka import KafkaBroker, create_topics, unique


@pytest.fixture
def reader(kafka: KafkaBroker) -> Iterator[Consumer]:
    """In no group."""
    clients = KafkaClients({"bootstrap.servers": kafka.bootstrap})
    with clients.reader(unique("reader")) as client:
        yield client


def writing(kafka: KafkaBroker) -> Producer:
    """A transactional producer with its transaction begun."""
    client = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": unique("writer")})
    client.init_transactions(10)
    client.begin_transaction()
    return client


def test_what_an_open_transaction_hides_is_waited_for(kafka: KafkaBroker, reader: Consumer) -> None:
    """A committed end lies before it: a reader that took it for the end would miss a record."""
    name = unique("log")
    create_topics(kafka.bootstrap, name)
    admin = admin_client({"bootstrap.servers": kafka.bootstrap})
    assert low_offsets(admin, [name]) == end_offsets(admin, [name]) == {(name, 0): 0}
    assert list(LogScan(reader, end_offsets(admin, [name]))) == []

    opened, other = writing(kafka), writing(kafka)
    opened.produce(name, b"open")
    opened.flush(10)
    other.produce(name, b"committed")
    other.commit_transaction(10)
    every = end_offsets(admin, [name])
    assert every[name, 0] >= 2  # both records; the marker of the commit may come later
    assert end_offsets(admin, [name], committed=True) == {(name, 0): 0}
    with pytest.raises(
        KafkaSessionError, match=rf"{name} \[0\] can be read up to offset 0, but it is"
    ):
        list(LogScan(reader, every, stall=0.5))

    opened.abort_transaction(10)
    assert [each.value() for each in LogScan(reader, every)] == [b"committed"]
    assert list(LogScan(reader, every, {(name, 0): 2})) == []


def test_a_topic_that_is_not_there_is_named(kafka: KafkaBroker) -> None:
    admin = admin_client({"bootstrap.servers": kafka.bootstrap})
    with pytest.raises(OperationError, match=r"topic no\.such\.topic does not exist"):
        end_offsets(admin, ["no.such.topic"])
    assert members(admin, unique("nobody")) == 0
