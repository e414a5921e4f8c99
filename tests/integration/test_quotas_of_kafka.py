"""A Kafka that slows a client down: transactions carry less, and the work goes on."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from consumer.cli.main import app
from tests.support.client_quota import throttle
from tests.support.dispatcher import Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, read_topic

pytestmark = pytest.mark.kafka


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def large(events: list[Event], size: int) -> list[Event]:
    """The same purchases by customers whose names no compression makes shorter."""
    rng = random.Random(1)
    larger = []
    for event in events:
        body = orjson.loads(event.value)
        body["customer"]["name"] = base64.b64encode(rng.randbytes(size * 3 // 4)).decode()
        larger.append(replace(event, value=orjson.dumps(body)))
    return larger


def test_router_goes_on_though_its_quota_makes_a_full_poll_outlast_the_transaction(
    kafka: KafkaBroker, world: LiveWorld
) -> None:
    """3 MB of invitations at 100 kB/s: in one transaction they take 30 s, three times too long."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 500})
    world.create_topics(config)
    throttle(kafka, f"survey-dispatcher.{world.name}.router.0", 100_000)
    world.publish(large(purchases("store", range(150)), 20_000))
    dispatcher = world.start(config).wait_ready()

    world.wait_results(150)
    metrics = dispatcher.metrics()
    assert metrics.total("kafka_throttle_seconds_total", stage="router") > 1
    assert metrics.total("transaction_records_limit", stage="router") < 150
    assert dispatcher.lines("kafka_throttles"), "an operator must learn why it is slow"
    assert not dispatcher.lines("transactional_id_contested")
    assert dispatcher.terminate() == 0
    world.check()


def test_lane_calls_and_records_though_its_quota_makes_each_commit_last(
    kafka: KafkaBroker, world: LiveWorld
) -> None:
    """Results of 3,000 customers at 15 kB/s: a commit takes longer than a call may wait for its
    departure, and than other transactions may be open."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 1_000})
    world.create_topics(config)
    throttle(kafka, f"survey-dispatcher.{world.name}.lane.pisano", 15_000)
    world.publish(purchases("store", range(3_000)))
    dispatcher = world.start(config).wait_ready()

    world.wait_results(3_000)
    metrics = dispatcher.metrics()
    assert metrics.total("kafka_throttle_seconds_total", stage="pisano") > 10
    assert metrics.total("takeovers_total", lane="pisano") == 1, "no session was lost"
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}


def test_dead_letters_are_replayed_though_a_quota_makes_a_full_transaction_outlast_its_timeout(
    kafka: KafkaBroker, world: LiveWorld
) -> None:
    """3 MB at 50 kB/s: in one transaction they take 50 s, which Kafka aborts after 10 s."""
    config = world.configure()
    world.create_topics(config)
    rng = random.Random(1)
    value = base64.b64encode(rng.randbytes(22_500))
    world.publish_raw([(b"k", b"not json " + value, []) for _ in range(100)])
    dispatcher = world.start(config).wait_ready()
    letters = f"{world.name}.dead-letters"
    until("all are dead letters", lambda: len(read_topic(kafka.bootstrap, letters)) == 100)
    assert dispatcher.terminate() == 0

    throttle(kafka, f"survey-dispatcher.{world.name}.dlq", 50_000)
    replay = ["dlq", "replay", "--all", "--yes", "--config", str(config)]
    done = CliRunner().invoke(app, replay, env={"ADMIN_PORT": "0"})
    assert "100 replayed" in done.output, f"{done.output}\n{done.exception!r}"
    assert len(read_topic(kafka.bootstrap, f"{world.name}.replayed")) == 100
