"""A policy's delay end to end on a real Kafka: router, delay topics, delay stage, lane, vendor.

The shortest delay topic keeps its records for a second instead of a minute (`short_delays.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from tests.integration.test_operations import change
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchases, until
from tests.support.former_program import REPOSITORY, SHORT_DELAYS
from tests.support.kafka import KafkaBroker, read_topic

DELAY = 5.0
STEP = "1"
"""Seconds of the shortest delay topic."""


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


def start(
    world: LiveWorld, config: Path, begin: str | None = "earliest", role: str | None = None
) -> Dispatcher:
    """Start the program with a short delay topic. -P: its folder has names of libraries."""
    words: list[str | Path] = [sys.executable, "-P", SHORT_DELAYS, STEP]
    path = str(REPOSITORY)
    return world.start(config, begin=begin, program=words, role=role, PYTHONPATH=path).wait_ready()


def delayed_route(world: LiveWorld) -> Path:
    """Configure that invitations of the route `store` are due `DELAY` after the purchase."""
    config = world.configure()
    store, *others = json.loads(config.read_text())["routes"]
    change(config, routes=[{**store, "policy": {"delay": f"{DELAY:.0f}s"}}, *others])
    world.create_topics(config)
    return config


def on_delay_topics(world: LiveWorld) -> int:
    """Number of records that the shortest delay topic has or had."""
    return len(read_topic(world.bootstrap, f"{world.name}.delayed.1m"))


def seconds(text: str | None) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


def purchased_at(event: Event) -> float:
    return seconds(orjson.loads(event.value)["time"])


def test_a_delayed_invitation_is_called_once_when_it_is_due_over_a_restart(
    world: LiveWorld,
) -> None:
    config = delayed_route(world)
    running = start(world, config)
    later, at_once = purchases("store", range(30)), purchases("web", range(30, 60))
    world.publish([*later, *at_once])
    until("they are on a delay topic", lambda: on_delay_topics(world) >= 30)
    assert running.terminate() == 0
    running = start(world, config, begin=None)
    world.wait_results(60)
    assert running.terminate() == 0
    results = {result["event_id"]: result for result in world.check()}
    assert {result["status"] for result in results.values()} == {"accepted"}
    for event in later:
        due = seconds(results[event.id].get("due_at"))
        assert due == pytest.approx(purchased_at(event) + DELAY, abs=0.002)
        assert seconds(results[event.id]["sent_at"]) >= due - 0.002  # both are whole milliseconds
    assert not any("due_at" in results[event.id] for event in at_once)


def test_a_delayed_invitation_whose_route_was_renamed_obeys_the_quiet_hours_of_all_policies(
    world: LiveWorld,
) -> None:
    """A policy that no route has is always quiet, so none of them may ever be called."""
    config = delayed_route(world)
    running = start(world, config, role="router")  # it routes by the former config, and calls none
    world.publish(purchases("store", range(20)))
    until("they are on a delay topic", lambda: on_delay_topics(world) >= 20)
    assert running.terminate() == 0
    store, *others = json.loads(config.read_text())["routes"]
    quiet = {"timezone": ["'UTC'"], "quiet_hours": {"times": ["00:00-24:00"]}}
    change(config, routes=[{**store, "name": "shop"}, *others], policies={"closed": quiet})
    running = start(world, config, begin=None)
    world.publish(purchases("store", range(20, 25)))
    world.wait_results(25)
    assert running.terminate() == 0
    found = {(result["route"], result["reason"]) for result in world.check()}
    assert found == {("store", "expired_in_quiet_hours"), ("shop", "accepted")}
