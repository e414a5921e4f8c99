"""`--skip-answered` on a real Kafka: inputs and results of another cluster, with other offsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.integration.test_operations import operate
from tests.support.dispatcher import ANSWER, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, read_topic

BEGIN = "2026-01-01T00:00:00Z"


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


def copy(world: LiveWorld, source: str, target: str) -> None:
    """Copy a topic's records as a mirror does: key, value and order, not the offsets."""
    producer = Producer({"bootstrap.servers": world.bootstrap})
    for record in read_topic(world.bootstrap, source):
        producer.produce(target, record.value(), record.key())
    assert producer.flush(ANSWER) == 0


def test_events_with_a_mirrored_result_are_sent_no_second_time(
    world: LiveWorld, tmp_path: Path
) -> None:
    config = world.configure()
    world.create_topics(config)
    world.publish(purchases("store", range(30)))
    running = world.start(config).wait_ready()
    world.wait_results(30)
    assert running.terminate() == 0

    (tmp_path / "mirror").mkdir()
    with LiveWorld(world.bootstrap, tmp_path / "mirror") as mirror:
        mirror.vendor_port = world.vendor_port
        config = mirror.configure()
        mirror.create_topics(config)
        mirror.publish_raw([(None, b"not an event", None)])  # so that no offset is the same
        copy(world, world.input, mirror.input)
        copy(world, f"{world.name}.results", f"{mirror.name}.results")
        mirror.publish(purchases("store", range(30, 40)))
        running = mirror.start(config, "0", begin=BEGIN, more=("--skip-answered", BEGIN))
        until("inputs stand still", lambda: bool(running.lines("input_stopped")))
        operate(config, "inputs", "resume", mirror.input, "--from", BEGIN, "--yes")
        mirror.wait_results(40)
        assert running.terminate() == 0
        assert Counter(world.accepted().values()) == {1: 40}
        assert sum(line["invitations"] for line in running.lines("answered_left_out")) == 30
