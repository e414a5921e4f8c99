"""The broker that the integration tests rest on is a real one: no mock would pass these."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from tests.support.kafka import (
    BorrowedBroker,
    BrokerError,
    KafkaBroker,
    StartBroker,
    create_topics,
    kafka_jars,
    read_topic,
    unique,
)

ROOT = Path(__file__).parent.parent.parent


def transactional_producer(bootstrap: str, transactional_id: str) -> Producer:
    """A producer that has taken over `transactional_id`."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id})
    producer.init_transactions(10)
    return producer


def values(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[bytes | None]:
    """The values that a reader sees."""
    return [message.value() for message in read_topic(bootstrap, topic, isolation=isolation)]


def produce(bootstrap: str, topic: str, value: bytes) -> None:
    """Write one record outside any transaction and wait for the broker's word."""
    producer = Producer({"bootstrap.servers": bootstrap})
    refused: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        refused.extend([error] if error else [])

    producer.produce(topic, value, on_delivery=delivered)
    assert producer.flush(10) == 0
    for error in refused:
        raise KafkaException(error)


def test_aborted_transactions_are_hidden_from_read_committed_only(kafka: KafkaBroker) -> None:
    """Both transactions are in the log; a committed reader sees only the committed one."""
    topic = unique("transactions")
    create_topics(kafka.bootstrap, topic)
    producer = transactional_producer(kafka.bootstrap, unique("writer"))

    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(10)
    producer.abort_transaction(10)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(10)

    assert values(kafka.bootstrap, topic) == [b"committed"]
    assert values(kafka.bootstrap, topic, "read_uncommitted") == [b"aborted", b"committed"]


def test_an_open_transaction_hides_all_that_comes_after_it(kafka: KafkaBroker) -> None:
    """A committed reader's end is before the first open transaction, until that is ended."""
    topic = unique("open")
    create_topics(kafka.bootstrap, topic)
    producer = transactional_producer(kafka.bootstrap, unique("writer"))
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(10)
    produce(kafka.bootstrap, topic, b"later")

    assert values(kafka.bootstrap, topic) == []

    producer.commit_transaction(10)
    assert values(kafka.bootstrap, topic) == [b"open", b"later"]


def test_a_newer_producer_fences_the_older_one(kafka: KafkaBroker) -> None:
    """A second producer with the same id aborts the first one's transaction and shuts it out."""
    topic, transactional_id = unique("fenced"), unique("owner")
    create_topics(kafka.bootstrap, topic)
    older = transactional_producer(kafka.bootstrap, transactional_id)
    older.begin_transaction()
    older.produce(topic, b"older")
    older.flush(10)

    newer = transactional_producer(kafka.bootstrap, transactional_id)
    newer.begin_transaction()
    newer.produce(topic, b"newer")
    newer.commit_transaction(10)

    with pytest.raises(KafkaException) as fenced:
        older.commit_transaction(10)
    assert fenced.value.args[0].code() == KafkaError._FENCED
    assert values(kafka.bootstrap, topic) == [b"newer"]


def test_topics_have_the_partitions_and_settings_that_were_asked_for(kafka: KafkaBroker) -> None:
    """`create_topics` passes on what it is given, and a second creation is an error."""
    topic = unique("shaped")
    create_topics(kafka.bootstrap, topic, partitions=3, config={"cleanup.policy": "compact"})

    found = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(topic, timeout=10)
    assert len(found.topics[topic].partitions) == 3
    with pytest.raises(KafkaException, match="TOPIC_ALREADY_EXISTS"):
        create_topics(kafka.bootstrap, topic)


def test_a_broker_keeps_address_and_data_over_kill_and_stop(kafka_factory: StartBroker) -> None:
    """Records outlive a SIGKILL and an orderly restart; clients find the broker where it was."""
    broker, topic = kafka_factory(), unique("kept")
    address = broker.bootstrap
    create_topics(address, topic)
    produce(address, topic, b"before the kill")

    broker.kill()
    broker.restart()
    produce(address, topic, b"after the kill")
    broker.restart()

    assert broker.bootstrap == address
    assert values(address, topic) == [b"before the kill", b"after the kill"]


def test_a_paused_broker_is_silent_until_it_is_resumed(kafka_factory: StartBroker) -> None:
    """A frozen broker answers nothing, and goes on where it was."""
    broker = kafka_factory()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.list_topics(timeout=10)

    broker.pause()
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=0.5)
    broker.resume()

    assert admin.list_topics(timeout=10).brokers


@pytest.mark.kafka
def test_a_broker_dies_with_tests_that_were_killed(tmp_path: Path) -> None:
    """No fixture's end runs when pytest gets a SIGKILL: the broker ends all the same (Linux)."""
    code = (
        "import pathlib, sys; from tests.support.kafka import KafkaBroker\n"
        "broker = KafkaBroker(pathlib.Path(sys.argv[1])); broker.start()\n"
        "print(broker.bootstrap, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as tests:
        assert tests.stdout is not None
        host, port = tests.stdout.readline().split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            tests.kill()
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""  # the broker's end of it is gone, no time-out


def test_a_borrowed_broker_is_never_stopped() -> None:
    """`KAFKA_BOOTSTRAP` lends a broker: the message says how to get one to kill."""
    broker = BorrowedBroker("kafka.example.test:9092")
    for action in (broker.stop, broker.kill, broker.restart, broker.pause, broker.resume):
        with pytest.raises(BrokerError, match=r"KAFKA_BOOTSTRAP .* kafka_factory"):
            action()
    broker.close()


def test_missing_jars_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    """An unfinished fetch counts as missing, and nothing is skipped for it."""
    with pytest.raises(BrokerError, match="make kafka"):
        kafka_jars(tmp_path)


def test_settings_reach_a_broker_of_ones_own(module_kafka_factory: StartBroker) -> None:
    """A factory's broker runs with what the test asked for on top of server.properties."""
    broker = module_kafka_factory({"message.max.bytes": "20000"})
    topic = unique("large")
    create_topics(broker.bootstrap, topic)

    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        produce(broker.bootstrap, topic, bytes(30_000))


def test_a_broker_that_cannot_start_says_why(kafka_factory: StartBroker) -> None:
    """The broker's own last words are in the message."""
    with pytest.raises(BrokerError, match=r"(?s)storage tool failed.*log.segment.bytes"):
        kafka_factory({"log.segment.bytes": "not a number"})
