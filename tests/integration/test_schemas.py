"""Avro events on a real Kafka, whose schemas a registry has: it is down and comes, a schema
changes, and another one is newer than the registry."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pytest

from tests.integration.test_reload import Document, change
from tests.integration.test_stopped_inputs import publish_to
from tests.support.dispatcher import Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics, free_ports

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
STORE_FIRST = {**ORDER, "fields": [{"name": "store", "type": "int"}, *FIELDS]}


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


@contextmanager
def registry(port: int, schemas: dict[int, Any]) -> Iterator[None]:
    """Run a registry that knows these schemas by id, as Confluent's API says them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            schema = schemas.get(int(self.path.removeprefix("/schemas/ids/")))
            missing = {"error_code": 40403, "message": "Schema not found"}
            body = json.dumps({"schema": json.dumps(schema)} if schema else missing).encode()
            self.send_response(200 if schema else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


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


def test_events_wait_for_their_schemas_and_others_go_on(world: LiveWorld) -> None:
    plain, first, second, late = (
        purchases("store", range(start, start + 10)) for start in (0, 1000, 2000, 3000)
    )
    port, orders = free_ports(1)[0], f"{world.input}-orders"
    schemas = {1: ORDER, 2: STORE_FIRST}
    config = world.configure()
    change(config, with_avro(orders, f"http://127.0.0.1:{port}"))
    world.create_topics(config)
    create_topics(world.bootstrap, orders)
    world.start_vendor()
    publish_to(world, orders, 0, [as_avro(event, ORDER, 1) for event in first])
    running = world.start(config).wait_ready()

    until("the topic waits", lambda: running.metrics().total("input_waits_for_schema") == 1)
    publish_to(world, world.input, 0, plain)
    world.wait_results(len(plain))
    assert len(running.lines("registry_unreachable")) == 1

    with registry(port, schemas):
        world.wait_results(len(plain) + len(first))
        until("none waits", lambda: not running.metrics().total("input_waits_for_schema"))
        publish_to(world, orders, 0, [as_avro(event, STORE_FIRST, 2) for event in second])
        world.wait_results(len(plain) + len(first) + len(second))
        publish_to(world, orders, 0, [as_avro(event, ORDER, 3) for event in late])
        until("the topic waits", lambda: running.metrics().total("input_waits_for_schema") == 1)
        schemas[3] = ORDER  # the registry learns of it later than the replica that was asked
        world.wait_results(len(plain) + len(first) + len(second) + len(late))

    assert running.terminate() == 0
    world.events += [*plain, *first, *second, *late]
    world.check()
