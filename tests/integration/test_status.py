"""`survey-dispatcher status` on a real Kafka: a process that runs, and one that was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.observability.status.status import LaneStatus, StatusSnapshot, load
from consumer.operations.status.status import read_process
from tests.integration.test_operations import operate
from tests.support.dispatcher import LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker

QUOTA: dict[str, object] = {"limits": ["5/60s"], "call_timeout": "120s"}


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def read_topics(config: Path) -> StatusSnapshot:
    """What the command says of the topics."""
    done = CliRunner().invoke(
        app, ["status", "--config", str(config), "--json"], env={"ADMIN_PORT": "0"}
    )
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return load(done.stdout_bytes)


def pisano(now: StatusSnapshot) -> LaneStatus:
    """The lane that has something to do."""
    (lane,) = (each for each in now.lanes if each.name == "pisano")
    return lane


def test_topics_tell_what_a_killed_process_left(world: LiveWorld) -> None:
    """Permits, the batch in doubt, how much waits, and that no process runs."""
    world.start_vendor(faults={"hang": 1.0})
    config = world.configure(QUOTA, window={"max_batch": 100})
    world.create_topics(config)
    assert "no process owns it" in " ".join(note.what for note in read_topics(config).notes)

    running = world.start(config).wait_ready()
    world.publish(purchases("store", range(20)))
    url = f"http://127.0.0.1:{running.port}"
    until("a call is under way", lambda: bool(pisano(read_process(url)).in_flight))
    asked = pisano(read_process(url))
    batch = asked.in_flight[0].batch
    assert asked.owner == "here"

    told = pisano(read_topics(config))
    assert (told.owner, told.in_flight[0].batch) == ("0", batch)
    assert told.limits[0].calls == 5
    assert told.limits[0].left <= 4

    running.kill()
    until("the group has noticed", lambda: pisano(read_topics(config)).owner is None)
    now = read_topics(config)
    left = pisano(now)
    assert sum(each.customers for each in left.in_flight) <= 20
    assert batch in [each.batch for each in left.in_flight]
    assert left.waiting >= 20
    assert now.router_lag[world.input] == 0
    said = " ".join(note.what for note in now.notes)
    assert "no process owns it, the last was 0" in said
    assert "batches in doubt" in said


def test_events_behind_an_open_transaction_are_behind_though_none_can_be_read(
    world: LiveWorld,
) -> None:
    """Of the till's clients one hangs: nothing comes, and that is not the same as nothing to do.

    Neither its aborted event nor the marker behind everything counts as unread afterwards.
    """
    world.partitions = 1
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    url = f"http://127.0.0.1:{world.start(config).wait_ready().port}"
    hanging = Producer({"bootstrap.servers": world.bootstrap, "transactional.id": world.input})
    hanging.init_transactions(10)
    hanging.begin_transaction()
    hanging.produce(world.input, b"{}", partition=0)
    assert hanging.flush(10) == 0
    world.publish(purchases("store", range(5)))
    until("all are behind", lambda: read_process(url).router_lag.get(world.input) == 6)
    listed = operate(config, "inputs", "list")
    assert "6 behind an open transaction at 0" in " ".join(listed.split())

    hanging.abort_transaction(10)
    world.wait_results(5)
    until("none is", lambda: read_process(url).router_lag[world.input] == 0)
    assert "open transaction" not in operate(config, "inputs", "list")
