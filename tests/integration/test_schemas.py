"""Avro events on a real Kafka, whose schemas a registry has: it is down and comes, a schema
changes, and another one is newer than the registry."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pytest

from tests.integration.test_reload import Document, change
from tests.integration.test_stopped_inputs import publish_to, stops
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics, free_ports
from tests.support.registry import schema_server, url_of

CUSTOMER = {
    "type": "record",
    "name": "Customer",
    "fields": [{"name": name, "type": ["null", "string"]} for name in ("name", "phone", "email")],
}
TIME = {"type": "long", "logicalType": "timestamp-micros"}
FIELDS = [
    {"name": "id", "type": "string"},
    {"name": "time", "type": TIME},
    {"name": "channel", "type": "string"},
    {"name": "customer", "type": CUSTOMER},
]
ORDER = {"type": "record", "name": "Order", "fields": FIELDS}
NO_LETTERS = {"dead_letter_limit": {"share": 0, "of": 1}}
"""Halts an input at its first dead letter."""

DOCUMENTED = {**ORDER, "doc": "An order of a store."}
STORE_FIRST = {**ORDER, "fields": [{"name": "store", "type": "int"}, *FIELDS]}


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def as_avro(event: Event, schema: Any, schema_id: int) -> Event:
    """Return the event as a serialiser with a registry writes it."""
    body = orjson.loads(event.value)
    body["time"] = dt.datetime.fromisoformat(body["time"])
    body["customer"] = dict.fromkeys(("name", "phone", "email")) | body["customer"]
    out = io.BytesIO(b"\x00" + schema_id.to_bytes(4))
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {"store": 7, **body})
    return Event(event.id, event.campaign, event.recipient, out.getvalue())


def with_avro(topic: str, url: str) -> Callable[[Document], None]:
    """Return a change of a config: another input, of Avro, with the same routes."""

    def change_document(document: Document) -> None:
        document["registry"] = {"url": url}
        document["inputs"]["orders"] = {"topics": [topic], "format": "avro"}
        routes = document["routes"]
        routes += [route | {"name": f"{route['name']}-2", "input": "orders"} for route in routes]

    return change_document


def waits(running: Dispatcher) -> bool:
    """Return whether the topic of Avro waits for a schema."""
    return running.metrics().total("input_waits_for_schema") == 1


def test_events_wait_for_their_schemas_and_others_go_on(world: LiveWorld) -> None:
    first, plain, second, late, beside = (
        purchases("store", range(start, start + 10)) for start in range(0, 5000, 1000)
    )
    port, orders = free_ports(1)[0], f"{world.input}-orders"
    config = world.configure()
    change(config, with_avro(orders, url_of(port)))
    world.create_topics(config)
    create_topics(world.bootstrap, orders)
    world.start_vendor()
    publish_to(world, orders, 0, [as_avro(event, ORDER, 1) for event in first])
    running = world.start(config).wait_ready()

    until("the topic waits, for no registry listens", lambda: waits(running))
    publish_to(world, world.input, 0, plain)
    world.wait_results(10)
    assert len(running.lines("registry_unreachable")) == 1

    with schema_server(port, world.home / "registry.log") as server:
        assert server.register("orders-value", ORDER) == 1
        world.wait_results(20)
        until("none waits", lambda: not waits(running))
        assert server.register("stores-value", STORE_FIRST) == 2
        publish_to(world, orders, 0, [as_avro(event, STORE_FIRST, 2) for event in second])
        world.wait_results(30)

        server.pause()
        publish_to(world, orders, 0, [as_avro(event, DOCUMENTED, 3) for event in late])
        until("the topic waits, for the registry is silent", lambda: waits(running))
        publish_to(world, world.input, 0, beside)
        world.wait_results(40)
        server.resume()
        until("the registry answers", lambda: len(running.lines("registry_reached")) == 2)
        assert waits(running)  # it has no such schema, but may learn of it
        assert server.register("documented-value", DOCUMENTED) == 3
        world.wait_results(50)

    assert running.terminate() == 0
    world.events += [*first, *plain, *second, *late, *beside]
    world.check()


def test_halted_input_goes_on_at_the_first_event_that_waits(world: LiveWorld) -> None:
    """See `test_records_that_wait_are_left_when_their_input_halts` for both in one poll."""
    known, late = (purchases("store", range(start, start + 5)) for start in (0, 1000))
    port, orders = free_ports(1)[0], f"{world.input}-orders"
    config = world.configure()
    change(config, with_avro(orders, url_of(port)))
    change(config, lambda document: document["inputs"]["orders"].update(NO_LETTERS))
    world.create_topics(config)
    create_topics(world.bootstrap, orders, partitions=2)
    world.start_vendor()
    publish_to(world, orders, 0, [Event("bad", "", "", b"\x00\x00\x00\x00\x01\xff")])
    publish_to(world, orders, 1, [as_avro(event, ORDER, 1) for event in known])
    publish_to(world, orders, 1, [as_avro(event, DOCUMENTED, 2) for event in late])

    with schema_server(port, world.home / "registry.log") as server:
        assert server.register("orders-value", ORDER) == 1
        running = world.start(config).wait_ready()
        said = stops(running, 2)
        at = {stop["partition"]: stop["offset"] for stop in said}
        assert at[0] == 0
        assert at[1] in (0, len(known))  # as far as the poll with the dead letter went
        assert not waits(running)

        change(config, lambda document: document["inputs"]["orders"].pop("dead_letter_limit"))
        until("the partition waits", lambda: waits(running))
        assert server.register("documented-value", DOCUMENTED) == 2
        world.wait_results(len(known) + len(late))

    assert running.terminate() == 0
    world.events += [*known, *late]
    world.check()
