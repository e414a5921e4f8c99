"""An input of which too much cannot be read, on a real Kafka: it stops instead of moving its topic
to the dead letters, and goes on by command or under another config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_operations import operate
from tests.integration.test_reload import Document, change
from tests.integration.test_stopped_inputs import publish_to, stops
from tests.support.dispatcher import Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, read_topic

LIMIT = 500
"""Dead letters that the default limit admits of a topic's last 1,000 records."""


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def letters(world: LiveWorld) -> int:
    """Dead letters so far; each once."""
    found = read_topic(world.bootstrap, f"{world.name}.dead-letters")
    places = {dict(record.headers() or [])["dead_letter.offset"] for record in found}
    assert len(places) == len(found)
    return len(found)


def bad_release(world: LiveWorld, number: int) -> None:
    """Write records of a producer that forgot how to write JSON."""
    publish_to(world, world.input, 0, [Event(f"bad-{one}", "", "", b"{") for one in range(number)])


def without_limit(document: Document) -> None:
    """Remove the limit of every input."""
    for entry in document["inputs"].values():
        entry["dead_letter_limit"] = None


def test_a_bad_release_stops_its_topic_until_it_is_told_to_go_on(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    world.start_vendor()
    before, beside, behind = (
        purchases("store", range(start, start + 10)) for start in (0, 1000, 2000)
    )
    publish_to(world, world.input, 0, before)
    bad_release(world, 3 * LIMIT)
    publish_to(world, world.input, 0, behind)
    first = world.start(config).wait_ready()

    (said,) = stops(first)[:1]
    assert (said["topic"], said["partition"], said["reason"]) == (world.input, 0, "unreadable")
    assert said["offset"] == len(before) + LIMIT
    assert f"for example {world.input}:0:{len(before) + LIMIT - 1} (not_json)" in str(said["why"])
    assert f"dlq continue {world.input}" in str(said["mend"])
    world.wait_results(len(before))
    assert letters(world) == LIMIT
    assert "unreadable" in operate(config, "inputs", "list")

    assert first.terminate() == 0
    second = world.start(config, begin=None).wait_ready()  # the group remembers
    stops(second, world.partitions)
    assert letters(world) == LIMIT

    assert "done" in operate(config, "dlq", "continue", world.input, "--yes")
    until("as many again", lambda: letters(world) == 2 * LIMIT)
    stops(second, world.partitions + 1)

    change(config, without_limit)
    world.wait_results(len(before) + len(behind))
    assert letters(world) == 3 * LIMIT
    until("no partition stands", lambda: not second.metrics().total("input_stopped"))
    publish_to(world, world.input, 1, beside)
    world.wait_results(len(before) + len(behind) + len(beside))
    assert second.terminate() == 0
    world.events += [*before, *behind, *beside]
    world.check()
