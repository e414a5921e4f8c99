"""Exemplars of a running program, as a real Prometheus stores them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.clock import Clock
from tests.deploy.prometheus import Prometheus
from tests.support import local_http
from tests.support.dispatcher import Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker

SAMPLED, UNSAMPLED, LATER = "4bf92f3577b34da6a3ce929d0e0e4736", "a" * 32, "b" * 32
METRICS = ("call_duration_seconds_bucket", "event_to_answer_seconds_bucket")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


def publish(world: LiveWorld, numbers: range, traces: dict[int, str]) -> None:
    """Write one event for each number; some have a trace context (trace id and flags)."""
    world.publish_raw(
        (None, event.value, [("traceparent", f"00-{traces[n]}".encode())] if n in traces else None)
        for n, event in zip(numbers, purchases("store", numbers), strict=True)
    )


def scraped(running: Dispatcher, accept: str) -> str:
    url = f"http://127.0.0.1:{running.port}/metrics"
    return local_http.get(url, headers={"Accept": accept}).text


def test_prometheus_stores_the_trace_of_a_sampled_event_in_a_batch(
    world: LiveWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = world.configure(quota={"linger": "2s"}, window={"max_batch": 20})
    config.write_text(json.dumps({**json.loads(config.read_text()), "tracing": {}}))
    world.create_topics(config)
    began, span = Clock().now() - 60, "00f067aa0ba902b7"
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as prometheus:
        running = world.start(config).wait_ready()
        prometheus.scrape(running.port, "traced")
        publish(world, range(20), {3: f"{UNSAMPLED}-{span}-00", 5: f"{SAMPLED}-{span}-01"})
        world.wait_results(20)
        for name in METRICS:
            expr = f'survey_dispatcher_{name}{{job="traced"}}'

            def stored(expr: str = expr) -> bool:
                return bool(prometheus.exemplars(expr, began, Clock().now() + 60))

            until(f"exemplars of {name}", stored)
            found = prometheus.exemplars(expr, began, Clock().now() + 60)
            assert {each["labels"]["trace_id"] for each in found} == {SAMPLED}
    assert SAMPLED in scraped(running, OPEN_METRICS)
    assert SAMPLED not in scraped(running, "text/plain")
    assert running.terminate() == 0

    world.configure(quota={"linger": "2s"}, window={"max_batch": 20})  # without tracing
    running = world.start(config, begin=None).wait_ready()
    publish(world, range(20, 40), {25: f"{LATER}-{span}-01"})
    world.wait_results(40)
    assert "trace_id" not in scraped(running, OPEN_METRICS)
    assert running.terminate() == 0
