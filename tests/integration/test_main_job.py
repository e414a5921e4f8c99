"""The main job on a real Kafka: events in, calls at the vendors, one result each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Message, Producer

from consumer.kafka.records.messages import content_of
from consumer.records.result import Result
from tests.support.dispatcher import EMAIL, SMS, VISIT, Event, LiveWorld, Metrics, purchases, until
from tests.support.kafka import KafkaBroker, read_topic

BROKEN: list[tuple[bytes | None, bytes | None, str]] = [
    (b"tombstone", None, "empty"),
    (b"\xff\x00", b"\xff\xfe not JSON", "not_json"),
    (None, b"[1, 2]", "not_object"),
    (b"no id", b'{"time": "2026-11-22T15:37:07Z", "channel": "store"}', "no_id"),
    (b"no time", b'{"id": "a", "channel": "store"}', "no_time"),
    (b"local time", b'{"id": "b", "time": "2026-11-22 15:37", "channel": "web"}', "bad_time"),
] * 10
HEADERS: list[tuple[str, str | bytes | None]] = [
    ("trace", b"\x01\x02"),
    ("trace", b""),
    ("source", b"till 7"),
]


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def unmatched(number: int) -> bytes:
    """No route takes it: whether it has an id and a time is all the same."""
    whole = {"id": f"other-{number}", "time": "2026-11-22T15:37:07Z", "channel": "tv"}
    return orjson.dumps(whole if number % 2 else {"type": "stock-count", "number": number})


def in_small_letters(event: Event) -> Event:
    """The same purchase, its time with the `t` and `z` that RFC 3339 allows."""
    body = orjson.loads(event.value)
    return replace(event, value=orjson.dumps(body | {"time": body["time"].lower()}))


def unreachable(number: int) -> Event:
    """A purchase in the store by a customer with no phone number, or with one that is none."""
    body = orjson.loads(purchases("store", [number])[0].value)
    body["customer"] = {"phone": "12"} if number % 2 else {}
    return Event(body["id"], "", "", orjson.dumps(body))


def test_every_event_ends_where_it_must(world: LiveWorld) -> None:
    """A few thousand events over three routes, with unmatched, broken and unreachable ones."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 500})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()

    store = purchases("store", range(1200))
    world.publish([in_small_letters(store[0]), *store[1:]])
    world.publish(purchases("web", range(1200, 2100)))
    world.publish(purchases("cafe", range(2100, 2700)))
    world.publish_raw((None, unmatched(number), None) for number in range(100))
    world.publish_raw((key, value, HEADERS) for key, value, _ in BROKEN)
    world.publish([unreachable(number) for number in range(3000, 3060)])

    world.wait_results(2700 + 60)
    until("all broken ones are counted", lambda: dead(dispatcher.metrics()) == len(BROKEN))
    metrics = dispatcher.metrics()
    assert dispatcher.terminate() == 0
    assert world.group_members() == 0

    results = world.check()
    assert Counter(result["campaign"] for result in results) == {
        "purchase-sms": 1200,
        "purchase-email": 900,
        "visit": 600,
        None: 60,
    }
    assert Counter(result["status"] for result in results) == {"accepted": 2700, "rejected": 60}
    by_campaign = world.vendor()["by_campaign"]
    assert {each: told["recipients"] for each, told in by_campaign.items()} == {
        SMS: 1200,
        EMAIL: 900,
        VISIT: 600,
    }
    check_unreachable(results)
    check_result_records(world.result_records(), world.name)
    check_dead_letters(read_topic(world.bootstrap, f"{world.name}.dead-letters"))
    check_metrics(metrics, world)
    check_privacy(dispatcher.log.read_text() + metrics.text, world)

    repeat(world, world.result_records()[0])
    with pytest.raises(AssertionError, match="not exactly one result"):
        world.check()


def dead(metrics: Metrics) -> float:
    return metrics.total("events_total", disposition="dead_letter")


def check_unreachable(results: list[Result]) -> None:
    """Customers without an address and with a bad one are told apart."""
    rejected = [result for result in results if result["status"] == "rejected"]
    assert Counter(each["reason"] for each in rejected) == {
        "no_recipient": 30,
        "invalid_recipient": 30,
    }


def check_result_records(records: list[Message], application: str) -> None:
    """Keyed by event id, CloudEvents in the headers."""
    sources = set()
    for record in records:
        result, headers = orjson.loads(record.value() or b""), dict(content_of(record).headers)
        assert record.key() == result["event_id"].encode()
        assert headers["ce_id"] == result["id"].encode()
        assert headers["ce_specversion"] == b"1.0"
        assert headers["ce_type"] == b"survey-dispatcher.result.v1"
        assert headers["content-type"] == b"application/json"
        assert headers["ce_time"]
        sources.add(headers["ce_source"])
    stages = ("router", "lane/pisano", "lane/radar")
    assert sources == {f"/{application}/{stage}".encode() for stage in stages}


def check_dead_letters(records: list[Message]) -> None:
    """Byte for byte, the original headers first and in order."""
    found: Counter[tuple[bytes | None, bytes | None, str]] = Counter()
    for record in records:
        headers = content_of(record).headers
        assert headers[: len(HEADERS)] == HEADERS
        why = dict(headers)["dead_letter.reason"] or b""
        found[record.key(), record.value(), why.decode()] += 1
    assert found == Counter(BROKEN)


def check_metrics(metrics: Metrics, world: LiveWorld) -> None:
    """The last scrape agrees with what the topics and the vendor say."""
    assert metrics.total("events_total", disposition="routed") == 2700
    assert metrics.total("events_total", disposition="unmatched") == 100
    assert metrics.total("events_total", disposition="rejected") == 60
    assert dead(metrics) == len(BROKEN)
    assert metrics.total("dead_letters_total", stage="router") == len(BROKEN)
    assert metrics.total("invitations_routed_total", lane="pisano") == 2100
    assert metrics.total("invitations_routed_total", campaign="visit") == 600
    assert metrics.total("results_total", status="accepted") == 2700
    assert metrics.total("route_results_total", status="accepted") == 2700
    assert metrics.total("results_total", lane="router", status="rejected") == 60
    assert metrics.total("records_settled_total") == 2700
    vendor = world.vendor()
    assert metrics.total("calls_total") == vendor["accepted_calls"]
    assert metrics.total("calls_total", answer="200") == vendor["calls"] - vendor["logins"]
    assert metrics.total("logins_total", outcome="accepted") == vendor["logins"]
    assert metrics.total("batch_size_invitations_sum") == 2700
    assert metrics.total("throttled_total") == 0


def check_privacy(said: str, world: LiveWorld) -> None:
    """No address, name or token in the log or the metrics."""
    secrets = ["sandbox-token", "sandbox-password", "mail.example.com", "+90532", "Customer Nr"]
    assert [secret for secret in secrets if secret in said] == []
    assert world.name in said


def repeat(world: LiveWorld, record: Message) -> None:
    """Write a result once more: the judge must not let it pass."""
    producer = Producer({"bootstrap.servers": world.bootstrap})
    producer.produce(f"{world.name}.results", record.value(), record.key())
    assert producer.flush(10) == 0


@pytest.mark.parametrize("algorithm", ["sliding", "weighted"])
def test_the_vendors_limits_are_never_exceeded(world: LiveWorld, algorithm: str) -> None:
    """Pisano's limits, a hundred times faster: a backlog, slow answers, and not one 429."""
    limits = ["20/250ms", "40/1250ms", "80/6250ms"]
    world.start_vendor(
        pisano_quota={"limits": limits, "algorithm": algorithm},
        latency={"kind": "uniform", "ms": 40, "spread": 40},
    )
    config = world.configure({"limits": limits, "skew": "100ms"}, window={"max_batch": 20})
    world.create_topics(config)
    world.publish(purchases("store", range(2000)))
    dispatcher = world.start(config).wait_ready()

    world.wait_results(2000)
    metrics = dispatcher.metrics()
    assert dispatcher.terminate() == 0

    world.check()
    vendor = world.vendor()
    assert vendor["throttled"] == metrics.total("throttled_total") == 0
    assert vendor["calls"] == 100, "a permit was spent on a batch that was not full"
