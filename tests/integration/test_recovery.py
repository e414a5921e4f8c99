"""Kills, stops and outages on a real Kafka: one result each, and no customer asked twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer

from consumer.lane.offsets.bitmap import unpack
from consumer.records.checkpoint import Checkpoint
from tests.support.dispatcher import Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, StartBroker

LIMITS = ["10/1s", "20/5s"]


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


# -- kill -9 --------------------------------------------------------------------------------------


def test_a_kill_while_routing_repeats_and_loses_nothing(world: LiveWorld) -> None:
    """The router dies inside its second transaction; a lane is at work beside it."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 500})
    world.create_topics(config)
    world.publish(purchases("store", range(14_000)))
    first = world.start(config)
    until("a second transaction is under way", lambda: world.invitations_written() > 5_100)
    first.kill()

    second = world.start(config).wait_ready()
    world.wait_results(14_000)
    assert second.terminate() == 0
    world.check(unknown_at_most=unknown_of(world, second))


def test_a_kill_while_calls_hang_reports_them_and_repeats_none(world: LiveWorld) -> None:
    """The vendor took the calls and never answered: their results are `unknown`, no others."""
    world.start_vendor(faults={"hang": 1.0}, pisano_quota={"limits": LIMITS})
    quota = {"limits": LIMITS, "skew": "100ms", "max_in_flight": 3}
    config = world.configure(quota, window={"max_batch": 20})
    world.create_topics(config)
    world.publish(purchases("store", range(400)))
    first = world.start(config)
    until("calls hang", lambda: world.vendor()["accepted_recipients"] > 0)
    first.kill()
    before = world.checkpoint()
    world.set_faults()

    second = world.start(config, begin=None).wait_ready()
    world.wait_results(400)
    assert second.terminate() == 0

    in_doubt = unknown_of(world, second)
    results = world.check(unknown_at_most=in_doubt)
    unknown = [result for result in results if result["status"] == "unknown"]
    assert 0 < len(unknown) == in_doubt
    assert {each["reason"] for each in unknown} == {"owner_lost"}
    assert {each["batch"] for each in unknown} == {each.batch_id for each in before.in_flight}
    assert world.vendor()["throttled"] == 0


def test_a_kill_between_calls_leaves_nothing_in_doubt(world: LiveWorld) -> None:
    """All answers are recorded, the quota is used up: the next start waits and goes on."""
    limits = ["10/1s", "20/10s"]  # the log outlives a takeover, some eleven seconds
    world.start_vendor(pisano_quota={"limits": limits})
    config = world.configure({"limits": limits, "skew": "100ms"}, window={"max_batch": 20})
    world.create_topics(config)
    world.publish(purchases("store", range(500)))
    first = world.start(config)
    until("the quota is used up", lambda: quota_is_used_up(world))
    first.kill()
    before = world.checkpoint()
    assert not before.in_flight

    second = world.start(config, begin=None).wait_ready()
    world.wait_results(500)
    assert second.terminate() == 0

    world.check()
    taken = first_checkpoint(world, second)
    counts = {at for at in before.permit_log if at > taken.at - taken.permit_log_reach}
    assert counts <= set(taken.permit_log)
    assert world.vendor()["throttled"] == 0


def quota_is_used_up(world: LiveWorld) -> bool:
    try:
        newest = world.checkpoint()
    except IndexError:
        return False  # there is none yet
    return not newest.in_flight and len(newest.permit_log) >= 20


def first_checkpoint(world: LiveWorld, owner: Dispatcher) -> Checkpoint:
    """The first one that an owner wrote."""
    return next(each for offset, each in world.checkpoints() if offset > epochs(owner)[0])


def unknown_of(world: LiveWorld, owner: Dispatcher) -> int:
    """Invitations of the batches that an owner found in flight at each takeover of the lane.

    On a machine with too little time for all, its session may end: then it succeeds itself.
    """
    found = world.checkpoints()
    return sum(map(in_flight, (newest_below(found, claim) for claim in epochs(owner))))


def newest_below(found: Sequence[tuple[int, Checkpoint]], claim: int) -> Checkpoint | None:
    """The newest checkpoint that an owner with this claim can have read."""
    return next((each for offset, each in reversed(found) if offset < claim), None)


def in_flight(checkpoint: Checkpoint | None) -> int:
    """How many invitations a checkpoint says are in flight."""
    batches = checkpoint.in_flight if checkpoint else ()
    return sum(len(list(unpack(batch.offsets, batch.first))) for batch in batches)


def epochs(owner: Dispatcher) -> list[int]:
    """The offsets of the claims with which an owner took the lane over."""
    lines = owner.lines("lane_taken_over")
    return [int(line["epoch"]) for line in lines if line["lane"] == "pisano"]


def test_a_fenced_stage_starts_again_and_loses_nothing(world: LiveWorld) -> None:
    """Another process takes the router's and a lane's transactional id while they are at work."""
    world.start_vendor(latency={"kind": "fixed", "ms": 100})
    config = world.configure({"max_in_flight": 2}, window={"max_batch": 500})
    world.create_topics(config)
    world.publish(purchases("store", range(14_000)))
    dispatcher = world.start(config)
    until("a second transaction is under way", lambda: world.invitations_written() > 5_100)
    fence(world, "router.0")
    world.publish(purchases("store", [14_000]))  # it hears of it at its next transaction
    until("calls are made", lambda: world.vendor()["calls"] >= 2)
    fence(world, "lane.pisano")

    world.wait_results(14_001)
    ended = [line["stage"] for line in dispatcher.lines("session_ended")]
    assert set(ended) == {"router", "pisano"}
    assert dispatcher.terminate() == 0
    # The rival asks again after 500 ms if Kafka has to end a transaction first: the lane is back.
    world.check(unknown_at_most=2 * 500 * ended.count("pisano"))


def fence(world: LiveWorld, stage: str) -> None:
    """What another process with the same transactional id would do."""
    settings = {"bootstrap.servers": world.bootstrap}
    Producer({**settings, "transactional.id": f"{world.name}.{stage}"}).init_transactions(10)


# -- stops ----------------------------------------------------------------------------------------


def test_a_stop_waits_for_its_calls(world: LiveWorld) -> None:
    """SIGTERM while calls take a second: they are recorded, nothing is in doubt."""
    world.start_vendor(latency={"kind": "fixed", "ms": 1000})
    config = world.configure({"max_in_flight": 4}, window={"max_batch": 50})
    world.create_topics(config)
    world.publish(purchases("store", range(800)))
    first = world.start(config)
    until("calls are under way", lambda: world.vendor()["calls"] >= 2)
    assert first.terminate() == 0
    assert world.group_members() == 0
    assert not world.checkpoint().in_flight
    done = len(world.results())
    assert 0 < done < 800
    assert done == sum(world.accepted().values())

    second = world.start(config, begin=None).wait_ready()
    world.wait_results(800)
    assert second.terminate() == 0
    world.check()


def routed(dispatcher: Dispatcher) -> float:
    """Events that it made invitations of."""
    return dispatcher.metrics().total("events_total", disposition="routed")


def test_two_dispatchers_share_the_work_and_one_takes_over(world: LiveWorld) -> None:
    """Six partitions are shared (two are ours), each lane has one owner; a SIGTERM moves all."""
    world.partitions = 4
    world.start_vendor(latency={"kind": "fixed", "ms": 100})
    config = world.configure({"max_in_flight": 2}, {"max_in_flight": 2}, window={"max_batch": 50})
    world.create_topics(config)
    one = world.start(config, "one").wait_ready()
    two = world.start(config, "two").wait_ready()
    until("the partitions are shared", lambda: sorted([shares(one), shares(two)]) == [3, 3])
    for channel, numbers in {"store": range(1500), "cafe": range(2000, 2500)}.items():
        world.publish(purchases(channel, numbers))
    world.wait_results(300)
    assert owners(one, two) == ["pisano", "radar"]
    until("both routed", lambda: bool(routed(one) and routed(two)))  # counted after they committed

    assert one.terminate() == 0
    world.publish(purchases("web", range(3000, 3300)))
    world.wait_results(2300)
    assert owners(two) == ["pisano", "radar"]
    assert two.terminate() == 0
    world.check()


def shares(dispatcher: Dispatcher) -> int:
    """Input partitions that the dispatcher's router has now."""
    assigned = [name for line in dispatcher.lines("router_assigned") for name in line["partitions"]]
    revoked = [name for line in dispatcher.lines("router_revoked") for name in line["partitions"]]
    return len(assigned) - len(revoked)


def owners(*dispatchers: Dispatcher) -> list[str]:
    """The lanes that have an owner, once for each owner."""
    lanes = (each.metrics().label_values("buffered_invitations", "lane") for each in dispatchers)
    return sorted(lane for owned in lanes for lane in owned)


# -- outages --------------------------------------------------------------------------------------


def test_kafka_may_come_after_the_dispatcher(kafka_factory: StartBroker, tmp_path: Path) -> None:
    """Without a broker the process stays up, says so in a line, and works once there is one."""
    broker = kafka_factory()
    with LiveWorld(broker.bootstrap, tmp_path) as world:
        world.start_vendor()
        config = world.configure(window={"max_batch": 50})
        world.create_topics(config)
        world.publish(purchases("store", range(200)))
        broker.stop()
        dispatcher = world.start(config)
        until("it says so", lambda: bool(dispatcher.lines("kafka_unreachable")))
        assert dispatcher.lines("kafka_unreachable")[0]["bootstrap"] == broker.bootstrap
        assert dispatcher.probe("/livez")[0] == 200
        status, why = dispatcher.probe("/readyz")
        assert status == 503
        assert broker.bootstrap in why

        broker.start()
        dispatcher.wait_ready()
        world.wait_results(200)
        assert dispatcher.terminate() == 0
        world.check()
        assert len(dispatcher.log.read_text().splitlines()) < 50


def test_kafka_dies_in_the_middle_of_the_work(kafka_factory: StartBroker, tmp_path: Path) -> None:
    """Some twenty seconds without the broker, while calls are under way and events wait."""
    broker = kafka_factory()
    with LiveWorld(broker.bootstrap, tmp_path) as world:
        world.start_vendor(latency={"kind": "fixed", "ms": 200})
        config = world.configure({"max_in_flight": 2}, window={"max_batch": 20})
        world.create_topics(config)
        world.publish(purchases("store", range(800)))
        dispatcher = world.start(config).wait_ready()
        world.wait_results(100)
        broker.kill()
        until("not ready", lambda: dispatcher.probe("/readyz")[0] == 503)
        until("15 s", lambda: len(dispatcher.lines("kafka_unreachable")) == 2)
        assert dispatcher.probe("/livez")[0] == 200

        broker.start()
        until("ready", lambda: dispatcher.probe("/readyz")[0] == 200)
        world.wait_results(800)
        assert dispatcher.terminate() == 0
        # Answers that could not be recorded are in doubt: at most what was in flight.
        world.check(unknown_at_most=2 * 20)
        assert len(dispatcher.log.read_text().splitlines()) < 300


def test_a_vendor_that_is_down_costs_no_attempt(world: LiveWorld) -> None:
    """Connections are refused at first and again later: all waits, and one attempt is enough."""
    config = world.configure(window={"max_batch": 100}, max_attempts=1)
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(300)))
    until("refused twice", lambda: refused(dispatcher) >= 2)
    assert world.results() == []

    server = world.start_vendor()
    world.wait_results(300)
    server.stop()
    before = refused(dispatcher)
    world.publish(purchases("store", range(300, 600)))
    world.publish(purchases("cafe", range(600, 700)))
    until("refused once more", lambda: refused(dispatcher) > before)
    world.start_vendor()
    world.wait_results(700)
    assert dispatcher.terminate() == 0

    assert {each["attempt"] for each in world.check()} == {1}


def refused(dispatcher: Dispatcher) -> float:
    return dispatcher.metrics().total("calls_total", answer="connect_error")
