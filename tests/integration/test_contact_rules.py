"""Contact rules on a real Kafka: no person is asked more often than a rule allows."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.records.result import Result
from tests.support.dispatcher import Event, LiveWorld, command, purchases, until
from tests.support.kafka import KafkaBroker, read_topic

CUSTOMERS = 300


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def with_rules(path: Path, **sections: Any) -> Path:
    """Add sections to a config."""
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, **sections}))
    return path


def again(event: Event, visit: int) -> Event:
    """Another purchase of the same customer."""
    body = orjson.loads(event.value)
    return Event(
        f"{event.id}-{visit}",
        event.campaign,
        event.recipient,
        orjson.dumps(body | {"id": f"{event.id}-{visit}"}),
    )


def results(world: LiveWorld) -> list[Result]:
    """Everything on the results topic."""
    messages = read_topic(world.bootstrap, f"{world.name}.results")
    return [orjson.loads(message.value() or b"") for message in messages]


def test_a_person_is_asked_once_in_a_window(world: LiveWorld, tmp_path: Path) -> None:
    """Three purchases of each customer, before and after a restart that reads the results again."""
    world.start_vendor()
    config = with_rules(
        world.configure(window={"max_batch": 100}),
        contacts={"store": {"type": "sqlite", "path": str(tmp_path / "contacts.sqlite")}},
        contact_rules={"everyone": {"at_most": 1, "within": "30d"}},
    )
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    first = purchases("store", range(CUSTOMERS))
    world.publish([*first, *(again(event, 2) for event in first)])
    until("all have results", lambda: len(results(world)) >= 2 * CUSTOMERS)
    assert dispatcher.terminate() == 0
    (tmp_path / "contacts.sqlite").unlink()
    dispatcher = world.start(config, begin=None).wait_ready()
    world.publish([again(event, 3) for event in first])
    until("all have results", lambda: len(results(world)) >= 3 * CUSTOMERS)
    found = results(world)
    by_person = Counter(result["recipient"] for result in found if result["status"] == "accepted")
    assert len(by_person) == CUSTOMERS
    assert set(by_person.values()) == {1}
    others = {
        (result["reason"], result.get("rule")) for result in found if result["status"] != "accepted"
    }
    assert others == {("contact_limit", "everyone")}
    assert dispatcher.terminate() == 0
    tried = subprocess.run(
        command("rules", "try", "-c", config, "--json"),
        check=True,
        capture_output=True,
        env={**os.environ, "ADMIN_PORT": "0"},
    )
    told = json.loads(tried.stdout)
    assert (told["invitations"], told["asked_then"]) == (3 * CUSTOMERS, CUSTOMERS)
    assert told["asked_now"] == CUSTOMERS
    assert told["by_rule"] == {"everyone": 2 * CUSTOMERS}
