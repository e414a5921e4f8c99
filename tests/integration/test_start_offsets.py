"""Where reading begins, on a real Kafka: unread topics, and what came later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from consumer.errors import StartPositionError
from consumer.kafka.offset_metadata import register
from consumer.kafka.start_offsets import Reading, StartFrom, assign_start_offsets, read_group_memory
from consumer.kafka.stopped_partitions import StopReason
from tests.support.dispatcher import until
from tests.support.kafka import KafkaBroker, create_topics, unique

FIRST_AT = 1_700_000_000.0


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """Two partitions with three records each, an hour apart."""
    name = unique("begin")
    create_topics(kafka.bootstrap, name, partitions=2, config={"retention.ms": "-1"})
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for part in range(2):
        for hour in range(3):
            at = int((FIRST_AT + hour * 3600) * 1000)
            producer.produce(name, b"x", partition=part, timestamp=at)
    assert producer.flush(10) == 0
    return name


@pytest.fixture
def client(kafka: KafkaBroker, topic: str) -> Iterator[Consumer]:
    """A consumer of a group that has read nothing yet."""
    with Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"of-{topic}"}) as client:
        until("the group has its coordinator", lambda: coordinated(client, topic))
        yield client


def coordinated(client: Consumer, topic: str) -> bool:
    """A broker that has just started may still be making its topic of offsets."""
    with suppress(KafkaException):
        return bool(client.committed([TopicPartition(topic, 0)], timeout=10))
    return False


def reading(topic: str, answers: Sequence[str] = (), ids: Mapping[str, str] = {}) -> Reading:
    """A group that reads the topic; its own one is not there."""
    return Reading(f"of-{topic}", [topic], "none.replayed", answers, ids)


def begun(client: Consumer, topic: str, part: int, begin: StartFrom, *, first: bool) -> int:
    """Where one partition begins; the group then stands there."""
    place = TopicPartition(topic, part)

    def commit(places: Sequence[TopicPartition]) -> None:
        client.commit(offsets=list(places), asynchronous=False)

    assign_start_offsets(
        client, client, [place], begin, first=first, reading=reading(topic), commit=commit
    )
    (committed,) = client.committed([TopicPartition(topic, part)], timeout=10)
    assert committed.offset == place.offset
    return int(place.offset)


@pytest.mark.parametrize(
    ("begin", "offset"),
    [("earliest", 0), ("latest", 3), (FIRST_AT + 1, 1), (FIRST_AT + 9 * 3600, 3)],
)
def test_a_first_start_begins_where_it_was_told_and_a_second_one_there_too(
    client: Consumer, topic: str, begin: StartFrom, offset: int
) -> None:
    assert begun(client, topic, 0, begin, first=True) == offset
    assert begun(client, topic, 0, "earliest", first=True) == offset


def test_nothing_is_guessed(client: Consumer, topic: str) -> None:
    with pytest.raises(StartPositionError, match="--from earliest"):
        begun(client, topic, 0, None, first=True)


def test_another_replicas_share_begins_where_both_were_told(client: Consumer, topic: str) -> None:
    """Two replicas start together: what the other has begun already is no sign of age."""
    assert begun(client, topic, 0, "latest", first=True) == 3
    assert begun(client, topic, 1, "latest", first=True) == 3


@pytest.mark.parametrize(("begin", "first"), [(None, True), (None, False), ("latest", False)])
def test_a_partition_that_was_added_begins_at_its_start(
    kafka: KafkaBroker, client: Consumer, topic: str, begin: StartFrom, first: bool
) -> None:
    """Alone in its assignment, as a cooperative group hands it over; `--from` was long ago."""
    for part in range(2):
        begun(client, topic, part, "latest", first=True)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(10)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, b"x", partition=2)
    assert producer.flush(10) == 0

    assert begun(client, topic, 2, begin, first=first) == 0


def test_an_input_that_left_the_config_is_remembered(
    kafka: KafkaBroker, client: Consumer, topic: str
) -> None:
    """It comes back after Kafka has forgotten its offsets, and is not taken for a new one."""
    own, other = unique("own"), unique("other")
    create_topics(kafka.bootstrap, own, other)
    ids = {own: "own-id", topic: "topic-id", other: "other-id"}

    without = Reading(f"of-{topic}", [topic], own, [], ids)
    marks = register({other: "other-id"})
    client.commit(offsets=[TopicPartition(own, 0, 0, marks)], asynchronous=False)

    def commit(found: Sequence[TopicPartition]) -> None:
        client.commit(offsets=list(found), asynchronous=False)

    places = [TopicPartition(own, 0), TopicPartition(topic, 0)]
    assign_start_offsets(
        client, client, places, "earliest", first=True, reading=without, commit=commit
    )

    again = Reading(f"of-{topic}", [topic, other], own, [], ids)
    (stopped,) = read_group_memory(client, again).stopped
    assert (stopped.topic, stopped.reason) == (other, StopReason.FORGOTTEN)


def test_a_lane_that_left_the_config_witnesses_that_inputs_were_read(
    kafka: KafkaBroker, client: Consumer, topic: str
) -> None:
    """All lanes were renamed, and the group has forgotten everything."""
    former = unique("app.invitations.")
    create_topics(kafka.bootstrap, former)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(former, b"x", partition=0)
    assert producer.flush(10) == 0

    lanes = Reading(f"of-{topic}", [topic], "none.replayed", [], {}, former[:-1])
    memory = read_group_memory(client, lanes)
    assert memory.all_forgotten
    assert {each.topic for each in memory.stopped} == {topic}


@pytest.mark.parametrize("begin", [None, "latest"])
def test_a_topic_that_this_program_writes_begins_at_its_start(
    client: Consumer, topic: str, begin: StartFrom
) -> None:
    """Rows of a CSV file stand there before the first start."""
    place, mine = TopicPartition(topic, 0), replace(reading(topic), early=frozenset([topic]))
    assign_start_offsets(
        client, client, [place], begin, first=True, reading=mine, commit=lambda _: None
    )
    assert place.offset == 0


@pytest.mark.parametrize("holds_rows", [True, False])
def test_rows_whose_offset_was_forgotten_are_not_sent_again(
    kafka: KafkaBroker, client: Consumer, topic: str, holds_rows: bool
) -> None:
    """A lane's topic proves that the group has read; a topic that never held a row just begins."""
    former, empty = unique("app.invitations."), unique("uploads")
    create_topics(kafka.bootstrap, former, empty)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(former, b"x", partition=0)
    assert producer.flush(10) == 0
    uploads = topic if holds_rows else empty
    mine = Reading(
        f"of-{topic}", [uploads], "none", [], {}, former[:-1], early=frozenset([uploads])
    )
    memory = read_group_memory(client, mine)
    assert {each.topic for each in memory.stopped} == ({topic} if holds_rows else set())
