"""Faults at exact moments on a real Kafka, and a short form of `tests.chaos`.

Each dispatcher reaches Kafka through a proxy that can hold one request back, or its answer. Topics
that are gone, recreated or shortened are in `test_state_loss.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.errors import KafkaSessionError
from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.checkpoints import claim
from consumer.kafka.transactions import COMMIT_WAIT, fence
from tests.chaos.experiment import Plan, run_experiment
from tests.support.dispatcher import SMS, VISIT, Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, StartBroker, create_topics, free_ports, unique
from tests.support.proxy import END_TXN, INIT_PRODUCER_ID, Proxy, Trap, listeners

LANE = b".lane.pisano"


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """What stands between Kafka and the dispatcher that comes to harm."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def broker(module_kafka_factory: StartBroker, proxy: Proxy) -> KafkaBroker:
    """A broker that is also reached through the proxy."""
    return module_kafka_factory(listeners([proxy]))


@pytest.fixture
def world(broker: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own."""
    with LiveWorld(broker.bootstrap, tmp_path) as world:
        yield world


def configured(world: LiveWorld, **window: object) -> Path:
    """A config that takes Kafka's address from the environment; the topics are there."""
    quota = {"max_in_flight": 2}
    config = world.configure(quota, quota, window={"max_batch": 20, **window})
    kafka = f"${{env:KAFKA_BOOTSTRAP:-{world.bootstrap}}}"
    config.write_text(config.read_text().replace(world.bootstrap, kafka))
    world.create_topics(config)
    return config


def caught(trap: Trap) -> None:
    """Wait until the trap has its request."""
    assert trap.caught.wait(60), "nothing walked into the trap"


def taken(dispatcher: Dispatcher, lane: str) -> bool:
    """Whether the dispatcher took the lane over."""
    return lane in {line["lane"] for line in dispatcher.lines("lane_taken_over")}


def called(world: LiveWorld, campaign: str) -> int:
    """Customers of one campaign that the vendor accepted."""
    found = world.vendor()["by_campaign"].get(campaign)
    return int(found["recipients"]) if found else 0


def test_a_lane_frozen_in_its_transaction_hides_no_other_lanes_checkpoint(
    world: LiveWorld, proxy: Proxy
) -> None:
    """The other lane moves meanwhile and works; the thawed process is fenced."""
    world.start_vendor(latency={"kind": "fixed", "ms": 200})
    config = configured(world)
    frozen = alone_with_pisano(world, config, proxy)
    until("it has its lane", lambda: taken(frozen, "pisano"))
    former = world.start(config, "former").wait_ready()
    until("the other lane has another owner", lambda: taken(former, "radar"))
    world.publish(purchases("cafe", range(1000, 1400)) + purchases("store", range(400)))
    world.wait_results(100)
    trap = proxy.trap(END_TXN, LANE)
    caught(trap)
    frozen.pause()

    assert former.terminate() == 0
    sent = called(world, VISIT)
    successor = world.start(config, "successor")
    until("the other lane goes on", lambda: called(world, VISIT) > sent)
    (restored,) = [line for line in successor.lines("lane_taken_over") if line["lane"] == "radar"]
    assert restored["base"] > 0
    until("the frozen lane has an owner", lambda: taken(successor, "pisano"))
    proxy.free(trap)
    frozen.resume()
    world.wait_results(800)
    until("the thawed process gave up", lambda: bool(frozen.lines("session_ended")))
    assert [frozen.terminate(), successor.terminate()] == [0, 0]
    world.check(unknown_at_most=2 * 20)


def alone_with_pisano(world: LiveWorld, config: Path, proxy: Proxy) -> Dispatcher:
    """A sender whose config knows one of the two lanes."""
    document = json.loads(config.read_text())
    del document["campaigns"]["visit"], document["routes"][2]
    path = world.home / "one-lane.yaml"
    path.write_text(json.dumps(document))
    log, port = world.home / "frozen.log", free_ports(1)[0]
    arguments = ("--from", "earliest", "--role", "sender", "--instance", "frozen")
    dispatcher = Dispatcher(path, log, port, *arguments, KAFKA_BOOTSTRAP=proxy.bootstrap)
    world._ends.callback(dispatcher.close)
    return dispatcher


def test_an_owner_that_thaws_in_its_takeover_leaves_the_lane_to_the_other(
    world: LiveWorld, proxy: Proxy
) -> None:
    """It fences the rightful owner, knowing no better; still no customer is asked twice."""
    world.start_vendor(latency={"kind": "fixed", "ms": 500})
    config = configured(world)
    trap = proxy.trap(INIT_PRODUCER_ID, LANE)
    late = world.start(config, "late", KAFKA_BOOTSTRAP=proxy.bootstrap)
    caught(trap)
    late.pause()

    owner = world.start(config, "owner")
    world.publish(purchases("store", range(600)))
    until("the lane works", lambda: called(world, SMS) > 100)
    proxy.free(trap)
    late.resume()
    until(
        "the late one is told", lambda: bool(late.lines("lane_lost") or late.lines("session_ended"))
    )
    world.wait_results(600)
    assert [late.terminate(), owner.terminate()] == [0, 0]
    world.check(unknown_at_most=2 * 2 * 20)


def test_a_producer_fenced_before_its_claim_raises(broker: KafkaBroker) -> None:
    """Frozen one request later, the late one fences no process: it must find the lane taken."""
    topic, lane = unique("checkpoints"), unique("lane")
    create_topics(broker.bootstrap, topic)
    clients = KafkaClients({"bootstrap.servers": broker.bootstrap})
    late, owner = (clients.producer(lane, lambda _error: None) for _ in range(2))
    for each in (late, owner):
        fence(each, lambda: True)
    with pytest.raises(KafkaSessionError, match="_FENCED"):
        claim(late, topic, lane, lambda: True)
    assert claim(owner, topic, lane, lambda: True) == 0


def test_a_commit_whose_answer_is_lost_is_committed_again(world: LiveWorld, proxy: Proxy) -> None:
    """It is visible, its confirmation never came: nothing is aborted, repeated or in doubt."""
    world.start_vendor()
    config = configured(world)
    dispatcher = world.start(config, KAFKA_BOOTSTRAP=proxy.bootstrap).wait_ready()
    world.publish(purchases("store", range(100)))
    world.wait_results(100)
    trap = proxy.trap(END_TXN, LANE, mute=True)
    world.publish(purchases("store", range(100, 300)))
    caught(trap)
    at = time.monotonic()
    # Nothing tells from outside that the first attempt was given up: its own time must pass.
    until("an attempt timed out", lambda: time.monotonic() - at > COMMIT_WAIT + 0.5)
    proxy.free(trap)

    world.wait_results(300)
    assert dispatcher.lines("session_ended") == []
    assert dispatcher.terminate() == 0
    world.check()


def test_a_killed_owners_open_transaction_is_ended_by_its_successor(
    world: LiveWorld, proxy: Proxy
) -> None:
    """Results of all lanes are behind it on their topic, unseen, until then."""
    world.start_vendor()
    config = configured(world)
    first = world.start(config, KAFKA_BOOTSTRAP=proxy.bootstrap).wait_ready()
    world.publish(purchases("store", range(100)))
    world.wait_results(100)
    trap = proxy.trap(END_TXN, LANE)
    world.publish(purchases("store", range(100, 300)))
    caught(trap)
    first.kill()

    second = world.start(config, begin=None)
    world.wait_results(300)
    assert second.terminate() == 0
    world.check(unknown_at_most=2 * 20)


@pytest.mark.kafka
def test_chaos(tmp_path: Path) -> None:
    """A kill while a call is in flight and a planned move, under load: every promise holds."""
    figures = run_experiment(Plan({"kill": 1, "move": 1}, seed=5, pace=0.0), tmp_path)
    assert figures["broken"] == []
    assert figures["kills_on_a_call_of_100_or_more"] >= 1
    assert figures["rebalances"] > 0
