"""One event's trace on a real Kafka: through a delay topic, a kill, a dead letter and its replay to
its result; and its spans at a receiver of OpenTelemetry's protocol."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from consumer.kafka.records.messages import headers_of
from consumer.records.trace_context import traceparent_in
from tests.integration.test_operations import change, operate
from tests.support.dispatcher import SMS as CAMPAIGN
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchase, purchases, until
from tests.support.former_program import REPOSITORY, SHORT_DELAYS
from tests.support.kafka import KafkaBroker, read_topic
from tests.support.vendor_doubles import Reply, Request, VendorDouble, serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "a3ce929d0e0e47364bf92f3577b34da6"
PARENT = "00f067aa0ba902b7"


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


class Receiver(VendorDouble):
    """Takes what an exporter sends over HTTP."""

    def answer(self, request: Request) -> Reply:
        """Take an export."""
        assert "content-encoding" not in request.headers, "no compression was asked for"
        return 200, {}

    @property
    def spans(self) -> list[Span]:
        """All spans that came."""
        exports = [ExportTraceServiceRequest.FromString(one.body) for one in self.requests]
        resources = (resource for export in exports for resource in export.resource_spans)
        return [span for one in resources for scope in one.scope_spans for span in scope.spans]


@pytest.fixture
def receiver() -> Iterator[tuple[str, Receiver]]:
    """Yield the receiver's address, and the receiver."""
    made = Receiver()
    with serving(made) as url:
        yield url, made


def traced(event: Event, trace: str = TRACE) -> tuple[bytes, bytes, Any]:
    """The event's record as a traced producer writes it."""
    headers = [("traceparent", f"00-{trace}-{PARENT}-01".encode()), ("baggage", b"name=anna")]
    return event.id.encode(), event.value, headers


def start(world: LiveWorld, config: Path, begin: str | None, **environment: str) -> Dispatcher:
    """Start the program with a short delay topic."""
    words: list[str | Path] = [sys.executable, "-P", SHORT_DELAYS, "1"]
    environment["PYTHONPATH"] = str(REPOSITORY)
    return world.start(config, begin=begin, program=words, **environment).wait_ready()


def trace_of(record: Message) -> str:
    return traceparent_in(headers_of(record)[0])[3:35]


def test_trace_reaches_the_result_through_dead_letter_replay_delay_and_kill(
    world: LiveWorld,
) -> None:
    config = world.configure()
    store, *others = json.loads(config.read_text())["routes"]
    right = json.loads(config.read_text())["inputs"]
    delayed = [{**store, "policy": {"delay": "8s"}}, *others]
    wrong = {"pos": {**right["pos"], "event": {"time": "happened_at"}}}
    world.create_topics(config)
    change(config, tracing={}, inputs=wrong)
    world.publish_raw([traced(purchase("store", CAMPAIGN, 1))])
    running = start(world, config, "earliest")
    dead = f"{world.name}.dead-letters"
    until("it is a dead letter", lambda: len(read_topic(world.bootstrap, dead)) == 1)
    assert running.terminate() == 0
    assert trace_of(read_topic(world.bootstrap, dead)[0]) == TRACE

    change(config, inputs=right, routes=delayed)
    assert "1 replayed" in operate(config, "dlq", "replay", "--all", "--yes")
    running = start(world, config, None)
    world.publish_raw([traced(purchase("store", CAMPAIGN, 2), OTHER)])
    delays = f"{world.name}.delayed.1m"
    until("it waits", lambda: len(read_topic(world.bootstrap, delays)) >= 1)
    running.kill()
    running = start(world, config, None)
    world.wait_results(2)
    assert {trace_of(record) for record in world.result_records()} == {TRACE, OTHER}
    results = world.results()
    # The first one's time may have come before the kill: then its call may have been under way.
    assert {result["status"] for result in results} <= {"accepted", "unknown"}
    assert {result["traceparent"][3:35] for result in results} == {TRACE, OTHER}
    names = {name for record in world.result_records() for name, _ in headers_of(record)[0]}
    assert "baggage" not in names
    assert running.terminate() == 0


def test_spans_of_an_event_in_a_batch_of_5000_reach_a_receiver(
    world: LiveWorld, receiver: tuple[str, Receiver]
) -> None:
    """Of the batch's events 200 are sampled. `pytest -s` prints the trace of one of them."""
    url, received = receiver
    world.partitions = 1  # the first event is the call's first, so among the 128 that are linked
    config = world.configure(quota={"linger": "30s"}, window={"max_batch": 5000})
    change(config, tracing={"spans": True})
    world.create_topics(config)
    first, *more = purchases("store", range(5000))
    sampled = [traced(event, f"{number + 1:032x}") for number, event in enumerate(more[:199])]
    others = [(None, event.value, None) for event in more[199:]]
    world.publish_raw([traced(first), *sampled, *others])
    running = world.start(config, OTEL_EXPORTER_OTLP_ENDPOINT=url).wait_ready()
    world.wait_results(5000)
    assert running.terminate() == 0
    spans = received.spans
    assert Counter(span.name.split()[0] for span in spans) == {
        "process": 200,
        "send": 1,
        "settle": 200,
    }
    ours = sorted((span for span in spans if span.trace_id.hex() == TRACE), key=lambda x: x.name)
    process, settle = ours
    (link,) = settle.links
    (send,) = (span for span in spans if span.span_id == link.span_id)
    assert process.name == f"process {world.input}"
    assert process.parent_span_id.hex() == PARENT
    assert (settle.name, settle.parent_span_id) == ("settle", process.span_id)
    assert (send.name, send.parent_span_id) == ("send purchase-sms", b"")
    assert send.trace_id != process.trace_id
    assert len(send.links) == 128
    assert process.span_id in {one.span_id for one in send.links}
    assert first.recipient not in str(spans)
    assert "anna" not in str(spans)
    print("", *map(shown, (process, settle, send)), sep="\n")  # noqa: T201 - for docs/traces.md


def shown(span: Span) -> str:
    """A span as text, for the documentation."""
    seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    head = f"{span.name}  {seconds:.3f} s  trace {span.trace_id.hex()} span {span.span_id.hex()}"
    parent = f"    parent {span.parent_span_id.hex() or 'none'}"
    links = f", {len(span.links)} links: {', '.join(x.trace_id.hex() for x in span.links[:2])} …"
    values = (f"    {one.key} = {_value(one.value)}" for one in span.attributes)
    return "\n".join([head, parent + links * bool(span.links), *values])


def _value(value: AnyValue) -> str:
    return value.string_value or str(value.int_value)
