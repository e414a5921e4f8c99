"""`explain` of a record in Kafka: the right one, or what to do if there is none at that place."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AclOperation, AdminClient, ResourcePatternType, ResourceType  # type: ignore[attr-defined]  # re-exported without __all__

from consumer.config.load import load
from consumer.config.models import Config
from consumer.errors import OperationError
from consumer.kafka.queries import end_offsets
from consumer.operations.access import Access
from consumer.operations.explain.event_source import RecordPlace
from consumer.operations.explain.kafka_record import read_record
from tests.support.dispatcher import LiveWorld, command, purchases, until
from tests.support.kafka import KafkaBroker, StartBroker, create_topics, read_topic, unique
from tests.support.secured import start_secured

EVENT = b'{"id": "t-1"}'


@pytest.fixture(scope="module")
def topic(kafka: KafkaBroker) -> str:
    """Offsets: 0 deleted, 1 a record, 2 and 3 a transaction, 4 and 5 an aborted one, 6 a record."""
    name = unique("explained")
    create_topics(kafka.bootstrap, name, partitions=2)
    plain = Producer({"bootstrap.servers": kafka.bootstrap})
    send(plain, name, b"deleted")
    send(plain, name, EVENT)
    writer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": name})
    writer.init_transactions(60)
    for commits in (True, False):
        writer.begin_transaction()
        send(writer, name, EVENT)
        if commits:
            writer.commit_transaction(60)
        else:
            writer.abort_transaction(60)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    # A transaction's mark is written after its producer was answered.
    until("the mark", lambda: end_offsets(admin, [name])[name, 0] == 6)
    send(plain, name, EVENT)
    for deleted in admin.delete_records([TopicPartition(name, 0, 1)]).values():
        deleted.result(60)
    return name


@pytest.fixture
def config(kafka: KafkaBroker, topic: str) -> Config:
    return load(json.dumps(document(kafka.bootstrap, topic)), env={})


def document(bootstrap: str, topic: str) -> dict[str, object]:
    inputs = {"pos": {"topics": [topic], "format": "json"}}
    vendor = {"type": "pisano", "base_url": "https://x.example", "token": "t", "quota": "q"}
    route = {"name": "r", "input": "pos", "recipient": {"phone": "phone"}, "send": ["sms"]}
    return {
        "version": 1,
        "application_id": topic,
        "kafka": {"bootstrap.servers": bootstrap},
        "pseudonym": {"key_id": "k1", "key": "a-key-for-tests-only"},
        "quotas": {"q": {"limits": []}},
        "vendors": {"v": vendor},
        "campaigns": {"sms": {"vendor": "v", "channel": "sms", "id": "i"}},
        "inputs": inputs,
        "routes": [route],
    }


def send(producer: Producer, topic: str, value: bytes) -> None:
    producer.produce(topic, value, partition=0)
    producer.flush(60)


@pytest.mark.parametrize("offset", [1, 2, 6])
def test_the_record_at_the_offset_is_read_with_its_time(
    config: Config, topic: str, offset: int
) -> None:
    access = Access(config)
    record, written = read_record(access, RecordPlace(topic, 0, offset), None)
    assert (record.topic, record.partition, record.offset, record.value) == (
        topic,
        0,
        offset,
        EVENT,
    )
    assert written is not None
    assert abs(written - access.now()) < 3600


@pytest.mark.parametrize(
    ("partition", "offset", "words"),
    [
        (0, 0, "was deleted; the log begins at 1"),
        (0, 3, "the mark of a transaction"),
        (0, 4, "the next record is at 6"),
        (0, 7, "is written up to offset 6; there is no offset 7 yet"),
        (1, 0, "has no record yet"),
        (9, 0, "has no partition 9, but 0 to 1"),
    ],
)
def test_a_place_without_a_record_says_why(
    config: Config, topic: str, partition: int, offset: int, words: str
) -> None:
    with pytest.raises(OperationError, match=words):
        read_record(Access(config), RecordPlace(topic, partition, offset), None)


def test_a_missing_topic_is_not_created(config: Config) -> None:
    for _ in range(2):
        with pytest.raises(OperationError, match="there is no topic nowhere"):
            read_record(Access(config), RecordPlace("nowhere", 0, 0), None)


def test_a_topic_that_is_no_input_needs_one_named(
    kafka: KafkaBroker, config: Config, topic: str
) -> None:
    other = f"{topic}-copy"
    create_topics(kafka.bootstrap, other)
    send(Producer({"bootstrap.servers": kafka.bootstrap}), other, EVENT)
    with pytest.raises(OperationError, match="say with --input"):
        read_record(Access(config), RecordPlace(other, 0, 0), None)
    record, _ = read_record(Access(config), RecordPlace(other, 0, 0), "pos")
    assert (record.topic, record.value) == (topic, EVENT)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def explain(config: Path, place: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("explain", place, "-c", config, *options),
        env={"ADMIN_PORT": "0", "PATH": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_routed_record_and_a_dead_letter_are_explained(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    world.start_vendor()
    running = world.start(config).wait_ready()
    world.publish(purchases("store", range(1)))
    world.publish_raw([(None, b"no JSON", [])])
    world.wait_results(1)
    letters = f"{world.name}.dead-letters"
    until("the dead letter", lambda: bool(read_topic(world.bootstrap, letters)))
    assert running.terminate() == 0
    (result,) = world.results()
    place = ":".join(map(str, result["source"].values()))
    told = json.loads(explain(config, place, "--json").stdout)
    assert (told["decision"], told["route"], told["campaign"]) == (
        "invite",
        result["route"],
        result["campaign"],
    )
    assert told["event"]["source"] == result["source"]
    letter = json.loads(explain(config, f"{letters}:0:0", "--json").stdout)
    assert (letter["decision"], letter["reason"]) == ("dead_letter", "not_json")
    assert letter["event"]["source"]["topic"] == world.input


def test_a_user_without_the_right_to_read_is_told_so(
    kafka_factory: StartBroker, tmp_path: Path
) -> None:
    secured = start_secured(kafka_factory, tmp_path / "certificates", strict=True)
    topic = unique("forbidden")
    create_topics(secured.broker.bootstrap, topic)
    send(Producer({"bootstrap.servers": secured.broker.bootstrap}), topic, EVENT)
    config = load(json.dumps(document("", topic) | {"kafka": secured.settings()}), env={})
    with pytest.raises(OperationError, match="may not read"):
        read_record(Access(config), RecordPlace(topic, 0, 0), None)
    literal = ResourcePatternType.LITERAL
    secured.allow([(ResourceType.TOPIC, topic, literal, [AclOperation.DESCRIBE])])
    with pytest.raises(OperationError, match="needs READ and DESCRIBE"):
        read_record(Access(config), RecordPlace(topic, 0, 0), None)
    secured.allow([(ResourceType.TOPIC, topic, literal, [AclOperation.READ])])
    record, _ = read_record(Access(config), RecordPlace(topic, 0, 0), None)
    assert record.value == EVENT
