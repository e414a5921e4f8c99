"""What a Kafka message says: header names that are no UTF-8 must not end the process.

librdkafka's own mock broker carries the records, so that they come as real messages do.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from consumer.kafka.clients import EmbeddedBroker
from consumer.kafka.records.messages import NO_TIMESTAMP, Content, content_of, headers_of
from consumer.kafka.records.publisher import bad_invitation
from tests.support.raw_records import RawHeader, RawProducer

BAD = b"\xff\xfe"
MANY = 200
"""More than Python runs a loop before it specialises it: then nothing looks for an exception."""


@pytest.fixture(scope="module")
def broker() -> EmbeddedBroker:
    return EmbeddedBroker()


@pytest.fixture
def came(broker: EmbeddedBroker, request: pytest.FixtureRequest) -> Iterator[list[Message]]:
    """The records that a test asked for by `pytest.mark.parametrize(..., indirect=True)`."""
    headers: list[list[RawHeader]] = request.param
    topic = f"t{abs(hash(request.node.name))}"
    with RawProducer(broker.bootstrap) as producer:
        for header in headers:
            producer.produce(topic, b"v", b"\xfe", header)
    settings = {
        "bootstrap.servers": broker.bootstrap,
        "group.id": topic,
    }
    with Consumer(settings) as consumer:
        parts = consumer.list_topics(topic).topics[topic].partitions
        consumer.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in parts])
        found: list[Message] = []
        while len(found) < len(headers):
            found += [each for each in consumer.consume(1000, 0.2) if each.error() is None]
        yield found


def one(*headers: RawHeader) -> list[list[RawHeader]]:
    return [list(headers)]


@pytest.mark.parametrize(
    "came", [one((b"a", b"1"), (BAD, b"2"), (b"", b""), (b"n", None), (b"a", b"3"))], indirect=True
)
def test_a_header_name_that_is_no_utf_8_hides_no_other_header(came: list[Message]) -> None:
    (message,) = came
    readable = [("a", b"1"), ("", b""), ("n", None), ("a", b"3")]
    assert headers_of(message) == (readable, 1)
    assert headers_of(message) == (readable, 1), "asked again, it says the same"
    content = content_of(message)
    assert (content.key, content.value) == (b"\xfe", b"v")
    assert (content.headers, content.unreadable) == (readable, "1 headers")
    letter = bad_invitation(message, "why")
    assert (letter.key, letter.value, letter.headers) == (b"\xfe", b"v", readable)
    assert letter.unreadable == "1 headers"


@pytest.mark.parametrize(
    "came",
    [
        one((BAD, b"1")),
        one((BAD, None), (b"\xc3", b"2"), (b"\xed\xa0\x80", b"3")),
        one((b"a" * 70_000 + BAD, b"x" * 70_000)),
    ],
    indirect=True,
    ids=["one", "three", "long"],
)
def test_a_record_without_any_readable_header_is_read(came: list[Message]) -> None:
    (message,) = came
    readable, lost = headers_of(message)
    assert (readable, lost > 0) == ([], True)
    assert content_of(message).value == b"v"


@pytest.mark.parametrize(
    "came", [[[(b"a", b"1"), (BAD if n % 3 == 0 else b"b", b"2")] for n in range(MANY)]],
    indirect=True, ids=["mixed"],
)  # fmt: skip
def test_many_records_are_read_each_by_itself(came: list[Message]) -> None:
    good = [("a", b"1"), ("b", b"2")]
    for n, message in enumerate(came):
        assert headers_of(message) == ((good[:1], 1) if n % 3 == 0 else (good, 0))


def test_a_message_without_anything_is_empty() -> None:
    assert content_of(Message(topic="t")) == Content(None, None, [], NO_TIMESTAMP)


def test_whatever_an_accessor_raises_stays_with_the_record() -> None:
    class Broken:
        def key(self) -> bytes:
            raise SystemError("returned NULL without setting an exception")

        value = headers = timestamp = key

    content = content_of(Broken())  # type: ignore[arg-type]
    assert content[:4] == (None, None, [], NO_TIMESTAMP)
    assert content.unreadable == "key, value, 1 headers"


def test_a_lack_of_memory_is_no_records_fault() -> None:
    class Full:
        def headers(self) -> bytes:
            raise MemoryError

    with pytest.raises(MemoryError):
        headers_of(Full())  # type: ignore[arg-type]
