"""An operator ends a silence of a running dispatcher by one command, on a real Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from consumer.sandbox.settings import SAMPLE_CAMPAIGNS
from tests.integration.test_answers_live import at_vendor, put_off
from tests.integration.test_operations import change, operate
from tests.support.dispatcher import EMAIL, Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, free_ports


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def test_a_lane_that_a_429_silenced_for_an_hour_calls_again_by_command(world: LiveWorld) -> None:
    """And a replica that reads the command after a restart ends no later silence."""
    strict = {"limits": ["1/1h"], "send_retry_after": True}
    vendor = world.start_vendor(pisano_quota=strict)
    config = world.configure({"max_retry_after": "1d"}, window={"max_batch": 20})
    world.create_topics(config)
    assert "is not silent" in operate(config, "lanes", "reopen", "pisano")
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(20)))
    world.wait_results(20)
    world.publish(purchases("store", range(20, 60)))
    until("the lane is silent", lambda: world.checkpoint().closed_until > 0)

    vendor.stop()
    vendor = world.start_vendor()
    shown = operate(config, "lanes", "reopen", "pisano", "--dry-run")
    assert "is silent until" in shown
    assert "nothing was done" in shown
    shown = operate(config, "lanes", "reopen", "pisano", "--yes")
    assert "done: lane pisano calls again" in shown
    world.wait_results(60, within=30)
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}

    vendor.stop()
    # Twice as long: silences whose ends are within `SAME_SILENCE` are one to the command.
    world.start_vendor(pisano_quota=strict | {"limits": ["1/2h"]})
    again = world.start(config, begin=None).wait_ready()
    world.publish(purchases("store", range(60, 120)))
    until("the lane is silent", lambda: world.checkpoint().closed_until > 0)
    until("it has read the command", lambda: bool(again.lines("lane_reopened")))
    assert [line["done"] for line in again.lines("lane_reopened")] == [False]
    assert again.terminate() == 0


def test_a_parked_campaign_is_called_again_within_seconds_by_command(world: LiveWorld) -> None:
    """Case 24: it was mended at the vendor, and nothing changed in the config."""
    world.start_vendor(campaigns=[each for each in SAMPLE_CAMPAIGNS if each.id != EMAIL])
    config = world.configure()
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("web", range(100)))
    until("all are delayed", lambda: put_off(dispatcher) == 100)
    parked = {"lane": "pisano", "campaign": "purchase-email"}

    def counted() -> bool:
        shown = dispatcher.metrics().total("campaign_delayed_invitations", **parked)
        return shown == 100

    until("they are counted by campaign", counted)
    (line,) = dispatcher.lines("campaign_parked")
    assert (line["reason"], line["code"]) == ("HTTP 404: campaign not usable", "13002")
    assert line["meaning"].startswith("There is no such campaign")
    at_vendor(world, campaigns=[campaign.model_dump() for campaign in SAMPLE_CAMPAIGNS])
    assert "makes no calls" in operate(config, "campaigns", "retry", "nope")
    assert "sent" in operate(config, "campaigns", "retry", "purchase-email")
    world.wait_results(100, within=30)
    assert [line["campaign"] for line in dispatcher.lines("campaign_unparked")] == [
        "purchase-email"
    ]
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}


def test_a_retry_calls_what_is_due_and_nothing_before_its_time(world: LiveWorld) -> None:
    """Parked ones return within seconds; those that a policy delays go on waiting."""
    world.start_vendor(campaigns=[each for each in SAMPLE_CAMPAIGNS if each.id != EMAIL])
    config = world.configure()
    document = json.loads(config.read_text())
    later = {**document["routes"][1], "name": "later", "policy": {"delay": "1h"}}
    later["match"] = {"channel": ["later"]}
    change(config, routes=[*document["routes"], later])
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    parked = purchases("web", range(50))
    world.publish(parked)
    until("all are delayed", lambda: put_off(dispatcher) == 50)
    world.publish_raw(
        (None, event.value.replace(b'"channel":"web"', b'"channel":"later"'), None)
        for event in purchases("web", range(50, 100))
    )
    until("they wait", lambda: dispatcher.metrics().total("delayed_invitations") == 100)
    at_vendor(world, campaigns=[campaign.model_dump() for campaign in SAMPLE_CAMPAIGNS])
    operate(config, "campaigns", "retry", "purchase-email")
    world.wait_results(50, within=30)
    until("the rest waits", lambda: dispatcher.metrics().total("delayed_invitations") == 50)
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}


def test_a_parked_campaign_is_called_again_by_a_reload_of_the_lanes_owner_alone(
    world: LiveWorld,
) -> None:
    """Case 24 with split roles: another process reads the delay topics, and is told."""
    world.start_vendor(campaigns=[each for each in SAMPLE_CAMPAIGNS if each.id != EMAIL])
    config = world.configure()
    world.create_topics(config)

    def start(role: str) -> Dispatcher:
        arguments = ("--role", role, "--from", "earliest", "--instance", role)
        return Dispatcher(config, world.home / f"{role}.log", free_ports(1)[0], *arguments)

    with closing(start("router")) as router, closing(start("sender")) as sender:
        router.wait_ready()
        until("the lane is owned", lambda: bool(sender.lines("lane_taken_over")))
        world.publish(purchases("web", range(100)))
        until("all are delayed", lambda: put_off(sender) == 100)
        at_vendor(world, campaigns=[campaign.model_dump() for campaign in SAMPLE_CAMPAIGNS])
        sender.hang_up()
        world.wait_results(100, within=30)
        (retried,) = sender.lines("campaigns_retried")
        assert (retried["lane"], retried["campaigns"]) == ("pisano", ["purchase-email"])
        assert sender.lines("campaign_retried") == []  # the command is for the delay stage alone
        assert router.terminate() == 0
        assert sender.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}


def test_an_installation_without_the_commands_topic_works_and_says_so(world: LiveWorld) -> None:
    """It was upgraded in place; the command names what makes the topic."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    client = AdminClient({"bootstrap.servers": world.bootstrap})
    name = f"{world.name}.commands"
    client.delete_topics([name])[name].result(10)
    dispatcher = world.start(config).wait_ready()
    until("it is said", lambda: bool(dispatcher.lines("commands_topic_missing")))
    world.publish(purchases("store", range(20)))
    world.wait_results(20)
    assert "topics --create" in operate(config, "campaigns", "retry", "purchase-sms")
    assert dispatcher.terminate() == 0
    world.check()
