"""Protobuf and validated JSON on a real Kafka, written by confluent-kafka's serialisers with a real
registry: it is silent at first, schemas change, and one is the text of a .proto file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.test_reload import Document, change
from tests.integration.test_schemas import waits
from tests.integration.test_stopped_inputs import publish_to
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics, free_ports, read_topic
from tests.support.protos import image_of, message_class
from tests.support.registry import schema_server
from tests.support.serialisers import Serialise, Serialisers

CUSTOMER = "message Customer { string name = 1; string phone = 2; string email = 3; }"
ORDER = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Order {
  string id = 1; google.protobuf.Timestamp time = 2; string channel = 3; Customer customer = 4;
}
"""
NEWER = ORDER.replace("string id = 1;", "int32 store = 9; string id = 1;")
IMPORTING = ORDER.replace("message Order", 'import "shop/customer.proto";\nmessage Order')
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "properties": {
        "customer": {"type": "object", "properties": {"phone": {"type": "string"}}},
        "id": {"type": "string"},
    },
    "required": ["id"],
}
NEWER_SCHEMA = SCHEMA | {"required": ["id", "time"]}


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def with_inputs(url: str, **inputs: Any) -> Callable[[Document], None]:
    """Return a change of a config: more inputs, with the same routes."""

    def change_document(document: Document) -> None:
        document["registry"] = {"url": url}
        plain = document["routes"]
        for name, entry in inputs.items():
            document["inputs"][name] = entry
            more = [route | {"name": f"{route['name']}-{name}", "input": name} for route in plain]
            document["routes"] = document["routes"] + more

    return change_document


def as_message(event: Event, text: str, **more: Any) -> Any:
    body = orjson.loads(event.value)
    message = message_class(text, "shop.Order")(
        id=body["id"], channel=body["channel"], customer=body["customer"], **more
    )
    message.time.FromJsonString(body["time"])
    return message


def serialised(events: Sequence[Event], write: Callable[[Event], bytes]) -> list[Event]:
    return [Event(event.id, event.campaign, event.recipient, write(event)) for event in events]


def of_json(events: Sequence[Event], serialise: Serialise) -> list[Event]:
    return serialised(events, lambda event: serialise(orjson.loads(event.value)))


def test_protobuf_and_validated_json(world: LiveWorld, tmp_path: Path) -> None:
    first, newer, imported, plain, valid, valid_newer = (
        purchases("store", range(start, start + 10)) for start in range(0, 6000, 1000)
    )
    orders, returns, forms = (f"{world.input}-{name}" for name in ("orders", "returns", "forms"))
    (tmp_path / "image.binpb").write_bytes(image_of(ORDER + CUSTOMER))
    described = {"file": "image.binpb", "message": "shop.Order"}
    with (
        schema_server(free_ports(1)[0], world.home / "registry.log") as server,
        Serialisers(server.url) as writers,
    ):
        config = world.configure()
        inputs = with_inputs(
            server.url,
            orders={"topics": [orders], "format": "protobuf"},
            returns={"topics": [returns], "format": "protobuf", "descriptors": described},
            forms={"topics": [forms], "format": "json_schema", "validate": True},
        )
        change(config, inputs)
        world.create_topics(config)
        create_topics(world.bootstrap, orders, returns, forms)
        world.start_vendor()

        old, new = ORDER + CUSTOMER, NEWER + CUSTOMER
        write_old = writers.protobuf(orders, message_class(old, "shop.Order"))
        publish_to(world, orders, 0, serialised(first, lambda e: write_old(as_message(e, old))))
        server.pause()
        running = world.start(config).wait_ready()
        until("the topic waits, for the registry is silent", lambda: waits(running))
        until("the lag says how many wait", lambda: lag(running, orders) == len(first))
        assert running.probe("/readyz")[0] == 200  # a restart would help nothing
        shown = orjson.loads(running.probe("/status.json")[1])
        assert shown["waiting_inputs"] == {orders: 1}
        assert any(note["where"] == orders for note in shown["notes"])
        bare = serialised(plain, lambda e: as_message(e, old).SerializeToString())
        publish_to(world, returns, 0, bare)
        world.wait_results(10)  # descriptors need no registry
        server.resume()
        world.wait_results(20)

        # A field more, in a schema that its serialiser registers amid the stream.
        write_new = writers.protobuf(orders, message_class(new, "shop.Order"))
        evolved = serialised(newer, lambda e: write_new(as_message(e, new, store=7)))
        publish_to(world, orders, 0, evolved)
        world.wait_results(30)

        # A text with a reference, as the serialisers of other languages register it.
        part = 'syntax = "proto3"; package shop; ' + CUSTOMER
        server.register_proto("customer", part)
        number = server.register_proto("order-text", IMPORTING, customer="shop/customer.proto")
        prefix = b"\x00" + number.to_bytes(4) + b"\x00"
        texts = serialised(imported, lambda e: prefix + as_message(e, old).SerializeToString())
        publish_to(world, orders, 0, texts)
        world.wait_results(40)

        write_form = writers.json(forms, SCHEMA)
        publish_to(world, forms, 0, of_json(valid, write_form))
        known = write_form({"id": "x"})[:5]
        secret = b'{"id": "y", "customer": {"phone": 905321234567}}'
        publish_to(world, forms, 0, [Event("y", "", "", known + secret)])
        publish_to(world, orders, 0, [Event("z", "", "", prefix + b"\x0a\xff\xff")])
        write_newer = writers.json(forms, NEWER_SCHEMA)
        publish_to(world, forms, 0, of_json(valid_newer, write_newer))
        world.wait_results(60)

    assert running.terminate() == 0
    letters = [dict(letter.headers() or []) for letter in dead_letters(world)]
    assert {letter["dead_letter.reason"] for letter in letters} == {b"not_its_schema"}
    said = {letter["dead_letter.message"] for letter in letters}
    assert len(said) == 2
    assert any(text.endswith(b"`$.customer.phone` fails its `type`") for text in said)
    assert not any(b"90532" in text for text in said)
    world.events += [*first, *newer, *imported, *plain, *valid, *valid_newer]
    world.check()


def lag(running: Dispatcher, topic: str) -> float:
    return running.metrics().total("consumer_lag_records", topic=topic)


def dead_letters(world: LiveWorld) -> list[Any]:
    return read_topic(world.bootstrap, f"{world.name}.dead-letters")
