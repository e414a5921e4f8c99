"""Feeds on a real Kafka: an opt-out is obeyed, whatever is lost meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from consumer.records.result import Result
from tests.integration.test_contact_rules import again, results, with_rules
from tests.support.dispatcher import ANSWER, Dispatcher, LiveWorld, purchase, until
from tests.support.kafka import KafkaBroker, create_topics, read_topic, unique

OLD_KEY, NEW_KEY = "a-key-for-tests-before", "a-key-for-tests-now"


class FeedWorld:
    """An application with a store in one file and a topic for each feed."""

    def __init__(self, world: LiveWorld, home: Path) -> None:
        self.world, self.store = world, home / "contacts.sqlite"
        self.crm = f"crm.{world.name}"
        self.answers, self.receipts = f"answers.{world.name}", f"receipts.{world.name}"
        self.visits = count(1)
        create_topics(world.bootstrap, self.crm, partitions=2)
        create_topics(world.bootstrap, self.answers, self.receipts)
        world.start_vendor()

    def configure(self, feeds: dict[str, Any], **sections: Any) -> Path:
        """Write a config with feeds."""
        return with_rules(
            self.world.configure(),
            contacts={"store": {"type": "sqlite", "path": str(self.store)}},
            feeds=feeds,
            **sections,
        )

    @property
    def suppressions(self) -> dict[str, Any]:
        """A feed of opt-outs."""
        return {"topics": [self.crm], "address": "address", "remove": "status == 'IN'"}

    def say(self, topic: str, **body: Any) -> None:
        """Write a record of a feed."""
        producer = Producer({"bootstrap.servers": self.world.bootstrap})
        producer.produce(topic, orjson.dumps(body))
        assert producer.flush(ANSWER) == 0

    def visit(self, *customers: int) -> list[str]:
        """Publish a purchase of each customer; return the events' ids."""
        number = next(self.visits)
        found = [again(purchase("store", "sms", each), number) for each in customers]
        self.world.publish(found)
        return [event.id for event in found]

    def visited(self, *customers: int) -> list[tuple[str, str]]:
        """Publish a purchase of each, and return status and reason of their results."""
        ids = self.visit(*customers)
        until("results", lambda: set(ids) <= {one["event_id"] for one in results(self.world)})
        found = {one["event_id"]: one for one in results(self.world)}
        return [outcome(found[event_id]) for event_id in ids]


def outcome(result: Result) -> tuple[str, str]:
    """Status and reason."""
    return str(result["status"]), str(result["reason"])


ACCEPTED, OPTED_OUT = ("accepted", "accepted"), ("suppressed", "opted_out")


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[FeedWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as live:
        yield FeedWorld(live, tmp_path)


def phone(customer: int) -> str:
    """A customer's number."""
    return f"+90532{customer:07d}"


def start(world: FeedWorld, config: Path, begin: str | None = "earliest") -> Dispatcher:
    """Start a dispatcher and wait until it is ready."""
    return world.world.start(config, begin=begin).wait_ready()


def test_an_opt_out_is_obeyed_and_outlives_the_store(world: FeedWorld) -> None:
    """Of before the start, of while it runs, and after the file is gone; a poisoned record costs
    itself alone."""
    config = world.configure({"suppressions": world.suppressions})
    world.world.create_topics(config)
    world.say(world.crm, address=phone(1))
    world.say(world.crm, address="somewhere")
    dispatcher = start(world, config)
    assert world.visited(1, 2) == [OPTED_OUT, ACCEPTED]
    world.say(world.crm, address=phone(2))
    until("the opt-out is obeyed", lambda: world.visited(2) == [OPTED_OUT])
    (letter,) = read_topic(world.world.bootstrap, f"{world.world.name}.dead-letters")
    assert dict(letter.headers() or [])["dead_letter.reason"] == b"no_person"
    counted = {"feed": "suppressions", "kind": "dead_letter"}
    assert dispatcher.metrics().total("feed_records_total", **counted) == 1
    assert dispatcher.terminate() == 0
    world.store.unlink()
    dispatcher = start(world, config, begin=None)
    assert world.visited(1, 2, 3) == [OPTED_OUT, OPTED_OUT, ACCEPTED]
    world.say(world.crm, address=phone(1), status="IN")
    until("the removal is obeyed", lambda: world.visited(1) == [ACCEPTED])
    assert dispatcher.terminate() == 0


@pytest.mark.parametrize("behind", ["wait", "send"])
def test_a_feed_that_is_behind_holds_everything_back(world: FeedWorld, behind: str) -> None:
    """An open transaction keeps the feed from being read to the end that it has at the start."""
    config = world.configure({"suppressions": world.suppressions | {"behind": behind}})
    world.world.create_topics(config)
    settings = {"bootstrap.servers": world.world.bootstrap, "transactional.id": unique("crm")}
    crm = Producer(settings)
    crm.init_transactions(ANSWER)
    crm.begin_transaction()
    crm.produce(world.crm, orjson.dumps({"address": phone(1)}))
    crm.flush(ANSWER)
    dispatcher = start(world, config)
    if behind == "send":
        assert world.visited(1) == [ACCEPTED]
        crm.abort_transaction(ANSWER)
    else:
        world.visit(1, 2)
        until("all is held back", lambda: bool(dispatcher.lines("feeds_hold_back")))
        until(
            "the lane asks", lambda: dispatcher.metrics().total("contacts_asking_invitations") == 2
        )
        assert dispatcher.metrics().total("feeds_hold_back") == 1
        assert results(world.world) == []
        crm.commit_transaction(ANSWER)
        until("results", lambda: len(results(world.world)) == 2)
        assert {outcome(one) for one in results(world.world)} == {OPTED_OUT, ACCEPTED}
        assert dispatcher.metrics().total("feeds_hold_back") == 0
    assert dispatcher.terminate() == 0


def test_an_answer_starts_a_cooldown_and_a_bounce_ends_an_address(world: FeedWorld) -> None:
    config = world.configure(
        {
            "responses": {"topics": [world.answers], "address": "who", "campaign": "survey"},
            "deliveries": {
                "topics": [world.receipts],
                "address": "msisdn",
                "hard_bounce": "status == 'INVALID'",
            },
        },
        contact_rules={"cooldown": {"within": "60d", "counts": {"of": "responses"}}},
    )
    world.world.create_topics(config)
    dispatcher = start(world, config)
    assert world.visited(1, 2, 3) == [ACCEPTED, ACCEPTED, ACCEPTED]
    world.say(world.answers, who=phone(1), survey="none of ours")
    world.say(world.receipts, msisdn=phone(2), status="INVALID")
    world.say(world.receipts, msisdn=phone(3), status="DELIVERED")
    until("the cooldown", lambda: world.visited(1) == [("suppressed", "cooldown")])
    until("the bounce", lambda: world.visited(2) == [("suppressed", "bounced")])
    assert world.visited(3) == [ACCEPTED]
    metrics = dispatcher.metrics()
    assert metrics.total("responses_total", route="other", campaign="other") == 1
    for feed, kind in (("responses", "answer"), ("deliveries", "bounce"), ("deliveries", "passed")):
        assert metrics.total("feed_records_total", feed=feed, kind=kind) == 1
    assert dispatcher.terminate() == 0


def test_a_rotated_key_forgets_no_opt_out(world: FeedWorld) -> None:
    feeds = {"suppressions": world.suppressions}
    config = world.configure(feeds, pseudonym={"key_id": "k1", "key": OLD_KEY})
    world.world.create_topics(config)
    world.say(world.crm, address=phone(1))
    dispatcher = start(world, config)
    assert world.visited(1) == [OPTED_OUT]
    assert dispatcher.terminate() == 0
    both = {"key_id": "k2", "key": NEW_KEY, "previous": [{"key_id": "k1", "key": OLD_KEY}]}
    dispatcher = start(world, world.configure(feeds, pseudonym=both), begin=None)
    assert world.visited(1, 2) == [OPTED_OUT, ACCEPTED]
    world.say(world.crm, address=phone(2))
    until("the opt-out is obeyed", lambda: world.visited(2) == [OPTED_OUT])
    written = read_topic(world.world.bootstrap, f"{world.world.name}.contacts")
    persons = {orjson.loads(record.value() or b"")["person"][:3] for record in written[-2:]}
    assert persons == {"k1:", "k2:"}
    assert dispatcher.terminate() == 0
