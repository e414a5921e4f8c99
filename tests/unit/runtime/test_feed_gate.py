"""When the feed gate is closed, and what it says then."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from consumer.config.contact_sections import Feeds
from consumer.config.topic_names import Topics
from consumer.contacts.book import ContactBook
from consumer.errors import KafkaSessionError, StoreUnavailable
from consumer.kafka.offset_metadata import mark
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.contacts import gate as gate_module
from consumer.runtime.contacts.gate import NOT_APPLIED, NOT_READ, UNKNOWN, FeedGate
from consumer.runtime.contacts.state import ContactState
from tests.unit.runtime.test_stage import Time

CRM, RECEIPTS, CONTACTS = ("crm", 0), ("receipts", 0), ("surveys.contacts", 0)
MAX_LAG = 60.0


class Cluster:
    """What Kafka and the store say; an exception in `fails` is raised instead."""

    def __init__(self) -> None:
        self.ends = {CRM: 0, RECEIPTS: 0, CONTACTS: 0}
        self.read = {CRM: 0, RECEIPTS: 0}
        self.applied = {CONTACTS: 0}
        self.metadata = mark("id-1")
        self.fails: Exception | None = None

    def end_offsets(self, _client: object, topics: list[str]) -> dict[tuple[str, int], int]:
        """Stand in for the query."""
        if self.fails is not None:
            raise self.fails
        return {place: end for place, end in self.ends.items() if place[0] in topics}

    def offsets_of_group(self, _client: object, group: str, topics: set[str]) -> Any:
        """Stand in for the query."""
        assert group == "surveys.feeds"
        return {
            place: TopicPartition(*place, offset, self.metadata)
            for place, offset in self.read.items()
            if place[0] in topics and offset > 0
        }

    def topic_ids(self, _client: object, topics: list[str]) -> dict[str, str]:
        """Stand in for the query."""
        return dict.fromkeys(topics, "id-1")


class World:
    """A gate and what it looks at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, feeds: Mapping[str, Any]) -> None:
        self.cluster, self.clock, self.metrics = Cluster(), Time(), Metrics()
        for name in ("end_offsets", "offsets_of_group", "topic_ids"):
            monkeypatch.setattr(gate_module, name, getattr(self.cluster, name))
        self.state = ContactState(self.metrics.contacts, self.clock.steady)
        self.gate = FeedGate(
            cast("AdminClient", None),
            Topics("surveys"),
            Feeds.model_validate(feeds),
            self.state,
            self.metrics.contacts,
            self.clock,
        )
        book = SimpleNamespace(offsets=lambda _places: dict(self.cluster.applied))
        self.gate.book = cast("ContactBook", book)

    def look(self, seconds: float = 2.0) -> str:
        """Take a look after some seconds; return why the gate is closed."""
        self.clock.at += seconds
        self.gate.poll()
        return self.state.closed

    def number(self, metric: str, **labels: str) -> float:
        """The value of a metric."""
        return self.metrics.series.totals(metric, "feed", **labels)["suppressions"]


SUPPRESSIONS = {"topics": ("crm",), "address": "to", "max_lag": "1m"}
BOTH = {
    "suppressions": SUPPRESSIONS,
    "deliveries": {"topics": ("receipts",), "address": "to", "hard_bounce": "bad"},
}


def test_it_opens_when_both_are_read_to_their_ends_of_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes later delays nothing, nor does a feed of another kind."""
    world = World(monkeypatch, BOTH)
    cluster = world.cluster
    cluster.ends |= {CRM: 7, RECEIPTS: 100}
    assert world.state.closed == UNKNOWN
    assert world.look() == NOT_READ
    cluster.read[CRM], cluster.ends[CONTACTS] = 6, 12
    assert world.look() == NOT_READ
    cluster.read[CRM], cluster.ends[CRM] = 7, 8
    assert world.look() == NOT_APPLIED
    cluster.applied[CONTACTS], cluster.ends[CONTACTS] = 12, 14
    with capture_logs() as lines:
        assert world.look() == ""
    assert [line["event"] for line in lines] == ["feeds_read"]


def test_an_application_without_opt_outs_waits_for_the_store_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, {})
    world.cluster.ends[CONTACTS] = 3
    assert world.look() == NOT_APPLIED
    world.cluster.applied[CONTACTS] = 3
    assert world.look() == ""


def test_it_closes_while_the_feed_lies_too_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, BOTH)
    assert world.look() == ""
    world.cluster.ends[CRM] = 1
    assert world.look(MAX_LAG) == ""
    assert world.number("feed_lag_seconds") == MAX_LAG
    with capture_logs() as lines:
        assert "lies 61 s behind" in world.look(1)
        assert "lies 63 s behind" in world.look(2)
    assert [line["event"] for line in lines] == ["feeds_hold_back"]
    world.cluster.read[CRM] = 1
    assert world.look() == ""


def test_it_closes_while_the_store_lies_too_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, BOTH)
    assert world.look() == ""
    world.cluster.ends[CONTACTS] = 1
    assert "contact store lies" in world.look(MAX_LAG + 1)


def test_send_risks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed may be behind; what it gave must be applied all the same."""
    world = World(monkeypatch, {"suppressions": SUPPRESSIONS | {"behind": "send"}})
    world.cluster.ends |= {CRM: 7, CONTACTS: 2}
    assert world.look() == NOT_APPLIED
    world.cluster.applied[CONTACTS] = 2
    assert world.look(2 * MAX_LAG) == ""


def test_an_offset_of_a_former_topic_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic was created anew, and the group's offset points beyond its end."""
    world = World(monkeypatch, BOTH)
    world.cluster.ends[CRM], world.cluster.read[CRM] = 7, 500
    world.cluster.metadata = mark("id-0")
    assert world.look() == NOT_READ
    world.cluster.metadata = ""  # a tool's offset
    assert world.look() == ""


def test_a_gate_that_cannot_see_closes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (KafkaSessionError("gone"), StoreUnavailable("gone")):
        world = World(monkeypatch, BOTH)
        assert world.look() == ""
        world.cluster.fails = error
        with pytest.raises(type(error)):
            world.look(MAX_LAG)
        assert world.state.closed == ""
        with pytest.raises(type(error)):
            world.look(1)
        assert "has not said for 61 s" in world.state.closed
        world.cluster.fails = None
        assert world.look() == ""


def test_a_defect_closes_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, BOTH)
    assert world.look() == ""
    world.cluster.fails = ZeroDivisionError()
    assert world.look() == UNKNOWN
    world.cluster.fails = None
    assert world.look() == ""
