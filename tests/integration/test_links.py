"""Campaigns that make links, on a real Kafka: one result each, and no call."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from tests.support.dispatcher import SMS, LiveWorld, purchases
from tests.support.kafka import KafkaBroker

LINK = {
    "vendor": "pisano",
    "channel": "link",
    "id": "app",
    "link": "https://survey.example/s?name={custom_attributes.name}&mail={email}&of={event_id}",
}


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def change(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2))
    return path


def routes(path: Path, **sends: list[str]) -> list[dict[str, Any]]:
    """The config's routes, those named here with another `send`."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["routes"]
    return [each | {"send": sends.get(each["name"], each["send"])} for each in found]


def check_links(results: list[Any]) -> None:
    """Each is its own event's, and names the customer."""
    for result in results:
        number = result["event_id"].partition("-")[2]
        assert parse_qs(urlsplit(result["link"]).query) == {
            "name": [f"Customer Nr{number}"],
            "mail": [f"customer{number}@mail.example.com"],
            "of": [result["event_id"]],
        }
        assert (result["reason"], result["channel"], result["batch"]) == ("link_made", "link", None)


def test_links_are_results_and_no_calls(world: LiveWorld) -> None:
    """Beside a campaign of the same account that does call."""
    world.start_vendor()
    config = world.configure()
    campaigns = json.loads(config.read_text())["campaigns"] | {"app-link": LINK}
    change(config, campaigns=campaigns, routes=routes(config, web=["app-link"]))
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()

    world.publish(purchases("web", range(300)))
    world.publish(purchases("store", range(1000, 1100)))
    world.wait_results(400)
    metrics = dispatcher.metrics()
    assert dispatcher.terminate() == 0

    results = world.results()
    assert {result["event_id"] for result in results} == {event.id for event in world.events}
    assert Counter((result["campaign"], result["status"]) for result in results) == {
        ("app-link", "accepted"): 300,
        ("purchase-sms", "accepted"): 100,
    }
    check_links([result for result in results if result["campaign"] == "app-link"])
    assert set(world.vendor()["by_campaign"]) == {SMS}
    assert metrics.total("results_total", lane="router", reason="link_made") == 300
    assert metrics.total("route_results_total", reason="link_made") == 300
    assert metrics.total("events_total", disposition="accepted", reason="link_made") == 300
    told = dispatcher.log.read_text() + metrics.text
    private = ["survey.example", "mail.example.com", "Customer Nr", "+90532"]
    assert [each for each in private if each in told] == []


def test_a_config_of_links_alone_has_no_lane(world: LiveWorld) -> None:
    config = world.configure()
    sends = {name: ["app-link"] for name in ("store", "web", "cafe")}
    quota: dict[str, Any] = {"links": {"limits": []}}
    document = orjson.loads(config.read_bytes())
    vendors = {"pisano": document["vendors"]["pisano"] | {"quota": "links"}}
    data = {"custom_attributes": {"name": "customer.name"}}
    rules = [route | {"data": data} for route in routes(config, **sends)]
    change(config, quotas=quota, vendors=vendors, campaigns={"app-link": LINK}, routes=rules)
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()

    world.publish(purchases("web", range(50)))
    world.wait_results(50)
    assert dispatcher.terminate() == 0

    check_links(list(world.results()))
    assert len(world.results()) == 50
