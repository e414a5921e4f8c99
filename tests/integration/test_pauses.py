"""`pause` and `resume` beside running dispatchers, on a real Kafka."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.integration.test_answers_live import put_off
from tests.integration.test_operations import operate
from tests.support.dispatcher import SMS, Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker

SMALL = {"max_batch": 5}
"""Many calls, so that a pause comes amid them."""


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


def start(world: LiveWorld, instance: str) -> Dispatcher:
    """Two processes under a parent."""
    config = world.home / "routing.yaml"
    return world.start(config, instance, SURVEY_DISPATCHER_PROCESSES="two")


def paused(*running: Dispatcher) -> bool:
    """Whether all have read a pause."""
    return all(process.metrics().total("paused", by="command") for process in running)


def accepted(world: LiveWorld) -> Counter[str]:
    """Campaign of the vendor → customers that it accepted."""
    return Counter(
        {
            campaign: sum(customers.values())
            for journal in world.journals
            for campaign, customers in journal.items()
        }
    )


@contextmanager
def traffic(world: LiveWorld) -> Iterator[None]:
    """Events of two routes, in small lots all the time until the end of the block."""
    stop = threading.Event()

    def publish() -> None:
        lots = iter(range(0, 10**6, 10))
        while not stop.wait(0.05):
            first = next(lots)
            world.publish(purchases("store", range(first, first + 10)))
            world.publish(purchases("web", range(first + 10**6, first + 10**6 + 10)))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_campaign_is_paused_amid_its_calls_over_a_restart_and_resumed(world: LiveWorld) -> None:
    """With two replicas of two processes each: nothing of it is called, and all else is."""
    config = world.configure(window=SMALL)
    world.create_topics(config)
    first, second = start(world, "0").wait_ready(), start(world, "1").wait_ready()
    with traffic(world):
        until("both campaigns are called", lambda: len(accepted(world)) == 2)
        shown = operate(config, "pause", "campaign", "purchase-sms", "--why", "wrong text")
        assert "paused: campaign purchase-sms" in shown
        until("both replicas know it", lambda: paused(first, second))
        owner = first if first.lines("lane_taken_over") else second
        until("some are delayed", lambda: put_off(owner) > 0)
        before = accepted(world)
        until("the other goes on", lambda: accepted(world).total() > before.total() + 300)
        assert accepted(world)[SMS] == before[SMS]
        for process in (first, second):
            assert process.terminate() == 0
        again = start(world, "0").wait_ready()
        after = accepted(world)
        until("the other goes on", lambda: accepted(world).total() > after.total() + 300)
    assert accepted(world)[SMS] == before[SMS]
    (line,) = again.lines("paused")
    assert (line["kind"], line["name"]) == ("campaign", "purchase-sms")
    (found,) = json.loads(operate(config, "pause", "--json"))
    assert (found["name"], found["by"], found["why"]) == ("purchase-sms", "command", "wrong text")
    (status,) = json.loads(again.probe("/status.json")[1])["pauses"]
    assert status == found

    assert "resumed: campaign purchase-sms" in operate(config, "resume", "campaign", "purchase-sms")
    world.wait_results(len(world.events), within=60)
    assert operate(config, "pause").strip() == "nothing is paused"
    assert again.terminate() == 0
    assert {result["status"] for result in world.check()} == {"accepted"}


def test_everything_waits_and_returns_though_no_process_ran_at_the_resume(
    world: LiveWorld,
) -> None:
    config = world.configure()
    world.create_topics(config)
    assert "paused: everything" in operate(config, "pause", "everything")
    running = start(world, "0").wait_ready()
    world.publish(purchases("store", range(50)))
    world.publish(purchases("cafe", range(50, 100)))
    until("all are delayed", lambda: put_off(running) == 100)
    assert running.terminate() == 0
    operate(config, "resume", "everything")
    assert world.results() == []
    again = start(world, "0").wait_ready()
    world.wait_results(100, within=60)
    assert again.terminate() == 0
    assert {result["status"] for result in world.check()} == {"accepted"}


def test_what_the_config_pauses_no_command_resumes(world: LiveWorld) -> None:
    config = world.configure(paused=True)
    world.create_topics(config)
    shown = operate(config, "resume", "campaign", "visit")
    assert "no command paused campaign visit; the config pauses it" in shown
    operate(config, "pause", "campaign", "visit")
    operate(config, "pause", "route", "cafe")
    shown = operate(config, "resume", "campaign", "visit")
    assert "still paused" in shown
    assert "cafe" in shown
    assert "config" in shown
    running = start(world, "0").wait_ready()
    world.publish(purchases("cafe", range(10)))
    until("all are delayed", lambda: put_off(running) == 10)
    world.configure(paused=False)
    running.hang_up()
    until("it is applied", lambda: bool(running.lines("config_applied")))
    operate(config, "resume", "route", "cafe")
    world.wait_results(10, within=60)
    assert running.terminate() == 0


def test_an_installation_without_the_topic_works_and_says_so(world: LiveWorld) -> None:
    """It was upgraded in place; the command names what makes the topic."""
    config = world.configure()
    world.create_topics(config)
    client = AdminClient({"bootstrap.servers": world.bootstrap})
    name = f"{world.name}.pauses"
    client.delete_topics([name])[name].result(10)
    running = start(world, "0").wait_ready()
    until("it is said", lambda: bool(running.lines("pauses_topic_missing")))
    world.publish(purchases("store", range(20)))
    world.wait_results(20)
    assert operate(config, "pause").strip() == "nothing is paused"
    assert "topics --create" in operate(config, "pause", "campaign", "purchase-sms")
    assert "no command paused" in operate(config, "resume", "campaign", "purchase-sms")
    assert "is not in this config; routes: store, web, cafe" in operate(
        config, "pause", "route", "shop"
    )
    assert running.terminate() == 0
    world.check()
