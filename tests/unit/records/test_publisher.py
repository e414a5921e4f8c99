"""Our records on Kafka: values, keys and headers of results and dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.kafka.client_settings import MESSAGE_MAX_BYTES
from consumer.kafka.records.messages import content_of
from consumer.kafka.records.publisher import RECORD_ROOM, Publisher, dead_letter_headers
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.invitation import Source
from consumer.records.readers import read_result
from consumer.records.result import EncodedResult, Reason, Result, ResultReader

NOW = "2026-11-22T15:38:07.000Z"
SOURCE = Source(topic="pos", partition=3, offset=7)
OURS = {
    "dead_letter.version": b"1",
    "dead_letter.reason": b"not_json",
    "dead_letter.message": b"expected one JSON document \xe2\x80\xa6",
    "dead_letter.topic": b"pos",
    "dead_letter.partition": b"3",
    "dead_letter.offset": b"7",
    "dead_letter.timestamp": b"1795361827123",
    "dead_letter.at": NOW.encode(),
    "dead_letter.config_version": b"v1",
}


@dataclass
class Recorder:
    """What of a producer `produce` needs: it keeps the records. `full` times it is full first."""

    full: int = 0
    polled: int = 0
    records: list[tuple[str, bytes | None, Any, int, Any]] = field(default_factory=list)

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: Any,
        partition: int = -1,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        assert timestamp == 0  # now
        if self.full:
            self.full -= 1
            raise BufferError
        self.records.append((topic, value, key, partition, headers))

    def poll(self, _timeout: float) -> int:
        self.polled += 1
        return 0


def publisher(recorder: Recorder) -> Publisher:
    client = cast("Producer", recorder)
    return Publisher(client, "s.results", "s.dead-letters", "/s/router", "v1")


def result(event_id: str = "t-1", answered_at: str | None = None) -> Result:
    return {
        "version": 1,
        "id": f"id-of-{event_id}",
        "event_id": event_id,
        "status": Reason.NO_RECIPIENT.status,
        "reason": Reason.NO_RECIPIENT,
        "route": "store",
        "campaign": None,
        "vendor": None,
        "channel": None,
        "batch": None,
        "attempt": 0,
        "http_status": None,
        "vendor_code": None,
        "vendor_message": None,
        "recipient": None,
        "event_time": "2026-11-22T15:37:07Z",
        "routed_at": NOW,
        "sent_at": None,
        "answered_at": answered_at,
        "config_version": "v1",
        "source": SOURCE,
    }


def letter(**changes: Any) -> DeadLetter:
    came = DeadLetter(
        reason=DeadLetterReason.NOT_JSON,
        message="expected one JSON document …",
        source=SOURCE,
        key=b"\xfe",
        value=b"\x00\xff",
        headers=[],
        timestamp=1_795_361_827_123,
    )
    return replace(came, **changes)


def test_a_result_is_a_cloud_event_in_binary_mode_keyed_by_event_id() -> None:
    recorder = Recorder()
    publisher(recorder).results([EncodedResult.of(result("işlem-1"))], NOW)
    ((topic, value, key, partition, headers),) = recorder.records
    assert (topic, key, partition) == ("s.results", "işlem-1", -1)
    assert ResultReader.validate_json(value or b"") == result("işlem-1")
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_type": b"survey-dispatcher.result.v1",
        "ce_source": b"/s/router",
        "ce_id": "id-of-işlem-1",
        "ce_time": NOW,
        "content-type": b"application/json",
    }


def test_the_time_of_a_result_is_when_the_vendor_answered() -> None:
    recorder = Recorder()
    publisher(recorder).results(
        [EncodedResult.of(result(answered_at="2026-11-22T15:37:59.000Z"))], NOW
    )
    assert recorder.records[0][4]["ce_time"] == "2026-11-22T15:37:59.000Z"


def test_results_are_written_in_their_order() -> None:
    recorder = Recorder()
    publisher(recorder).results((EncodedResult.of(result(str(n))) for n in range(5)), NOW)
    assert [orjson.loads(each[1] or b"")["event_id"] for each in recorder.records] == list("01234")


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff", b"{"])
@pytest.mark.parametrize("key", [None, b"", b"\xfe"])
def test_a_dead_letter_keeps_bytes_and_key(value: bytes | None, key: bytes | None) -> None:
    recorder = Recorder()
    publisher(recorder).dead_letters([letter(value=value, key=key)], NOW)
    ((topic, *record, _),) = recorder.records
    assert (topic, record) == ("s.dead-letters", [value, key, -1])


def test_a_dead_letter_says_why_and_from_where() -> None:
    assert dict(dead_letter_headers(letter(), NOW, "v1")) == OURS


def test_a_dead_letters_own_headers_come_first_repeated_and_null_ones_too() -> None:
    """Also those of an earlier dead letter: the last of a name is the latest."""
    original = [("trace", b"\xff"), ("trace", None), ("dead_letter.reason", b"no_id"), ("", b"")]
    recorder = Recorder()
    publisher(recorder).dead_letters([letter(headers=original)], NOW)
    headers = recorder.records[0][4]
    assert headers[: len(original)] == original
    assert dict(headers[len(original) :]) == OURS
    assert dict(headers)["dead_letter.reason"] == b"not_json"


HUGE = b"x" * (RECORD_ROOM + 1)


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"value": HUGE}, {"value"}),
        ({"key": HUGE}, {"key"}),
        ({"headers": [("h", HUGE)]}, {"headers"}),
        ({"headers": [("h", b"")] * (RECORD_ROOM // 10)}, {"headers"}),
        ({"headers": [("h" * (RECORD_ROOM + 1), None)]}, {"headers"}),
        ({"key": HUGE, "value": HUGE}, {"key", "value"}),
        ({"key": HUGE[:-9], "value": b"y" * 9}, {"key"}),
        ({"key": HUGE, "value": HUGE, "headers": [("h", HUGE)]}, {"key", "value", "headers"}),
    ],
    ids=["value", "key", "header", "many headers", "name", "two", "together", "all"],
)
def test_a_dead_letter_that_kafka_could_never_take_goes_without_its_largest_parts(
    changes: dict[str, Any], lost: set[str]
) -> None:
    """What stays is byte for byte, and what goes leaves its size and its hash."""
    came = letter(**{"value": b"v", "headers": [("h", b"1")], **changes})
    recorder = Recorder()
    publisher(recorder).dead_letters([came], NOW)
    ((_, value, key, _, headers),) = recorder.records
    assert value == (None if "value" in lost else came.value)
    assert key == (None if "key" in lost else came.key)
    own = [] if "headers" in lost else list(came.headers)
    assert headers[: len(own)] == own
    ours = dict(headers[len(own) :])
    assert {name for name in ours if name not in OURS} == {
        f"dead_letter.{part}_{what}" for part in lost for what in ("bytes", "sha256")
    }
    assert wire_size(value, key, headers) < MESSAGE_MAX_BYTES


def wire_size(value: bytes | None, key: bytes | None, headers: Any) -> int:
    """As librdkafka counts it: the longest lengths of all that the record has."""
    parts = sum(10 + len(name.encode()) + len(held or b"") for name, held in headers)
    return 36 + len(value or b"") + len(key or b"") + parts


def test_what_a_dead_letter_lost_can_be_told_by_its_size_and_hash() -> None:
    recorder = Recorder()
    huge = [("h", HUGE), ("n", None)]
    publisher(recorder).dead_letters([letter(value=HUGE), letter(headers=huge)], NOW)
    first, second = (dict(record[4]) for record in recorder.records)
    assert first["dead_letter.value_bytes"] == str(len(HUGE)).encode()
    assert first["dead_letter.value_sha256"] == sha256(HUGE).hexdigest().encode()
    assert second["dead_letter.headers_bytes"] == str(len(HUGE) + 2).encode()
    assert second["dead_letter.headers_sha256"] == sha256(b"h" + HUGE + b"n").hexdigest().encode()


def test_a_dead_letter_that_the_client_refuses_for_its_size_goes_without_all_of_it() -> None:
    """A smaller bound than ours may be set where we do not see it."""
    too_large = KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))

    class Narrow(Recorder):
        def produce(self, topic: str, value: bytes | None, *rest: Any, **more: Any) -> None:
            if value is not None:
                raise too_large
            super().produce(topic, value, *rest, **more)

    recorder = Narrow()
    publisher(recorder).dead_letters([letter()], NOW)
    ((_, value, key, _, headers),) = recorder.records
    assert (value, key) == (None, None)
    assert dict(headers)["dead_letter.value_bytes"] == b"2"


def test_a_dead_letter_says_what_of_it_the_client_could_not_read() -> None:
    headers = dict(dead_letter_headers(letter(unreadable="1 headers"), NOW, "v1"))
    assert headers == {**OURS, "dead_letter.unreadable": b"1 headers"}


def test_headers_survive_from_an_input_record_to_its_dead_letter() -> None:
    came = [("trace", b"1"), ("trace", b"\xff"), ("null", None), ("empty", b"")]
    message = Message(topic="pos", value=b"x", headers=list(came))
    recorder = Recorder()
    publisher(recorder).dead_letters([letter(headers=content_of(message).headers)], NOW)
    assert recorder.records[0][4][: len(came)] == came


def test_headers_are_bytes_in_their_order_whatever_the_client_gives() -> None:
    assert content_of(Message(topic="pos", value=b"x")).headers == []
    mixed = Message(topic="pos", value=b"x", headers=[("b", "ü"), ("a", None), ("b", b"\xff")])
    assert content_of(mixed).headers == [("b", "ü".encode()), ("a", None), ("b", b"\xff")]
    assert content_of(Message(topic="pos", headers={"a": "1"})).headers == [("a", b"1")]


def test_a_full_queue_is_waited_for_and_nothing_is_written_twice() -> None:
    recorder = Recorder(full=3)
    publisher(recorder).dead_letters([letter(), letter(value=None)], NOW)
    assert [record[1] for record in recorder.records] == [b"\x00\xff", None]
    assert recorder.polled == 3


def test_result_names_its_schema_of_the_registry() -> None:
    """Confluent's wire format, which our own reader takes, too."""
    recorder = Recorder()
    client = cast("Producer", recorder)
    Publisher(client, "s.results", "s.dead-letters", "/s/router", "v1", 258).results(
        [EncodedResult.of(result())], NOW
    )
    value = recorder.records[0][1] or b""
    assert value[:5] == b"\x00\x00\x00\x01\x02"
    assert read_result(value) == read_result(value[5:]) == result()
