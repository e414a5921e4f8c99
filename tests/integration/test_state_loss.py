"""State loss on a real Kafka: topics, offsets and producer ids that are gone or recreated.

Each loss is reported with its place and its remedy; nothing is skipped or sent again, and a lane
that must not go on stops alone. Also: other versions, other configs, other owners.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache, partial
from itertools import count
from pathlib import Path

import orjson
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.errors import KafkaSessionError
from consumer.kafka.queries import topic_ids
from consumer.kafka.topics import CHECKPOINT_MAX_BYTES
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, StartBroker, create_topics, free_ports, read_topic


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


# -- what a test does to the cluster ---------------------------------------------------------------


@cache
def admin_of(bootstrap: str) -> AdminClient:
    """Kept: a client that is gone takes its answers with it."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def admin(world: LiveWorld) -> AdminClient:
    return admin_of(world.bootstrap)


def stopped_after_work(world: LiveWorld, count: int = 60) -> Path:
    """Send some surveys by each lane and stop; return the config."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 20})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(count)))
    world.publish(purchases("cafe", range(count)))
    world.wait_results(2 * count)
    assert dispatcher.terminate() == 0
    return config


def recreate_topic(
    world: LiveWorld, topic: str, partitions: int = 1, policy: str = "delete"
) -> None:
    """Delete a topic and create another of the same name and sufficient record size."""
    settings = {"cleanup.policy": policy, "max.message.bytes": str(CHECKPOINT_MAX_BYTES)}
    before = topic_ids(admin(world), [topic])[topic]
    admin(world).delete_topics([topic])[topic].result(10)

    def created() -> bool:
        with suppress(KafkaException, KafkaSessionError):  # still being deleted
            create_topics(world.bootstrap, topic, partitions=partitions, config=settings)
            return topic_ids(admin(world), [topic])[topic] not in {None, before}
        return False

    until(f"{topic} is there again", created)


def delete_records(world: LiveWorld, topic: str, before: int) -> None:
    asked = [TopicPartition(topic, 0, before)]
    for future in admin(world).delete_records(asked).values():
        future.result(10)


def forget_group_offsets(world: LiveWorld, group: str) -> None:
    """Do what `offsets.retention.minutes` does to a group without members."""
    name = f"{world.name}.{group}"
    admin(world).delete_consumer_groups([name])[name].result(10)


def set_router_offsets(world: LiveWorld, offsets: list[int]) -> None:
    """Do what `kafka-consumer-groups.sh --reset-offsets` does to the router's group."""
    places = [TopicPartition(world.input, part, offset) for part, offset in enumerate(offsets)]
    asked = ConsumerGroupTopicPartitions(f"{world.name}.router", places)
    for future in admin(world).alter_consumer_group_offsets([asked]).values():
        future.result(10)


def stop_reason(dispatcher: Dispatcher, stage: str) -> str:
    """Wait until a stage stopped; return the reason."""
    until(
        f"{stage} stops",
        lambda: any(s["stage"] == stage for s in dispatcher.lines("stage_stopped")),
    )
    return str(dispatcher.lines("stage_stopped")[0]["why"])


def check_other_stages_work(world: LiveWorld, dispatcher: Dispatcher, results: int) -> None:
    """Check that the router and the other lane work, and what the process says of itself.

    It is not ready, and its exit code is 4.
    """
    world.publish(purchases("cafe", range(9000, 9050)))
    world.wait_results(results + 50)
    status, why = dispatcher.probe("/readyz")
    assert (status, "group:pisano" in why) == (503, True)
    assert dispatcher.terminate() == 4


# -- lanes ----------------------------------------------------------------------------------------


def test_a_base_below_the_logs_start_stops_the_lane_alone(world: LiveWorld) -> None:
    """Records of the lane's topic that were not settled were deleted."""
    config = stopped_after_work(world)
    lost = purchases("store", range(100, 120))
    world.publish(lost)
    before = world.invitations_written()
    alone = ("--role", "router")
    router = Dispatcher(config, world.home / "router.log", free_ports(1)[0], *alone)
    with closing(router):
        until("they are routed", lambda: world.invitations_written() > before + 20)
        assert router.terminate() == 0
    topic, base = f"{world.name}.invitations.pisano", world.checkpoint().base
    delete_records(world, topic, base + 5)

    dispatcher = world.start(config)
    why = stop_reason(dispatcher, "pisano")
    assert f"{topic} begins at {base + 5}, but the checkpoint's base is {base}" in why
    check_other_stages_work(world, dispatcher, 120)
    world.events = [event for event in world.events if event not in lost]
    world.check()


def test_a_lane_whose_topic_was_recreated_while_it_ran_stops_alone(world: LiveWorld) -> None:
    """Its client would read on in the new topic, from where it was in the old one."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 20})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(60)))
    world.wait_results(60)
    topic = f"{world.name}.invitations.pisano"
    until("a look at the topics", lambda: bool(dispatcher.lines("topics_watched")))
    recreate_topic(world, topic)

    why = stop_reason(dispatcher, "pisano")
    assert f"{topic} was deleted and recreated" in why
    until("it is said", lambda: bool(dispatcher.lines("topic_recreated")))
    assert {line["topic"] for line in dispatcher.lines("topic_recreated")} == {topic}
    check_other_stages_work(world, dispatcher, 60)
    world.check()


def test_a_lost_checkpoint_is_no_first_start_and_the_remedy_that_is_told_works(
    world: LiveWorld,
) -> None:
    """`--from earliest`, left over in a deployment, must not send everything again."""
    config = stopped_after_work(world)
    invitations, checkpoints = (
        f"{world.name}.{kind}.pisano" for kind in ("invitations", "checkpoints")
    )
    recreate_topic(world, checkpoints, policy="compact")
    dispatcher = world.start(config, begin="earliest")
    why = stop_reason(dispatcher, "pisano")
    assert f"{checkpoints} has no checkpoint, but this lane has worked" in why
    check_other_stages_work(world, dispatcher, 120)

    delete_records(world, invitations, world.invitations_written())
    forget_group_offsets(world, "lane.pisano")
    again = world.start(config, begin="earliest").wait_ready()
    world.publish(purchases("store", range(200, 230)))
    world.wait_results(200)
    assert again.terminate() == 0
    world.check()


def test_a_checkpoint_of_a_newer_version_stops_the_lane_alone(world: LiveWorld) -> None:
    """After a rollback the older program does not read what it cannot."""
    config = stopped_after_work(world)
    newer = {**world.checkpoint().model_dump(mode="json"), "version": 2}
    producer = Producer({"bootstrap.servers": world.bootstrap})
    producer.produce(f"{world.name}.checkpoints.pisano", orjson.dumps(newer), "pisano")
    assert producer.flush(10) == 0

    dispatcher = world.start(config)
    why = stop_reason(dispatcher, "pisano")
    assert "version" in why
    assert "If a newer version of the program wrote it, run that one" in why
    check_other_stages_work(world, dispatcher, 120)
    world.check()


# -- the router -----------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", ["earliest", "latest", None])
def test_an_input_that_was_recreated_is_no_first_start(world: LiveWorld, begin: str | None) -> None:
    """Kafka dropped the offsets with the topic. An operator may also say where with its tool."""
    config = stopped_after_work(world)
    recreate_topic(world, world.input, world.partitions)
    world.publish(purchases("store", range(1000, 1300)))
    dispatcher = world.start(config, begin=begin)
    assert {each["reason"] for each in stopped_inputs(dispatcher, world.partitions)} == {
        "recreated"
    }
    assert dispatcher.terminate() == 0

    set_router_offsets(world, [0] * world.partitions)
    again = world.start(config, begin=None)
    world.wait_results(420)
    assert again.terminate() == 0
    # Not `check`: invitations of a topic that is recreated have the ids of the former one's.
    found = sorted(result["event_id"] for result in world.results())
    assert found == sorted(event.id for event in world.events)
    assert set(world.accepted().values()) == {1}


def stopped_inputs(dispatcher: Dispatcher, number: int) -> list[dict[str, object]]:
    """Wait until this many partitions are stopped; return their log lines."""
    until(f"{number} stand still", lambda: len(dispatcher.lines("input_stopped")) >= number)
    return dispatcher.lines("input_stopped")


def test_an_input_that_is_recreated_while_it_is_read_stands_still(world: LiveWorld) -> None:
    world.start_vendor()
    config = world.configure(window={"max_batch": 20})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(60)))
    world.wait_results(60)
    until("a look at the topics", lambda: bool(dispatcher.lines("topics_watched")))
    recreate_topic(world, world.input, world.partitions)
    assert stopped_inputs(dispatcher, world.partitions)[0]["topic"] == world.input
    assert dispatcher.terminate() == 0
    again = world.start(config)
    stopped_inputs(again, world.partitions)  # nothing is forgotten by trying again
    assert again.terminate() == 0
    world.check()


def test_forgotten_offsets_are_no_first_start(world: LiveWorld) -> None:
    """`--from latest`, left over in a deployment, must not skip what came meanwhile."""
    config = stopped_after_work(world)
    stood = world.committed()
    forget_group_offsets(world, "router")
    world.publish(purchases("store", range(1000, 1030)))
    for _ in range(2):
        dispatcher = world.start(config, begin="latest")
        said = stopped_inputs(dispatcher, world.partitions)
        assert {(each["topic"], each["reason"]) for each in said} == {(world.input, "forgotten")}
        assert dispatcher.terminate() == 0

    set_router_offsets(world, stood)
    again = world.start(config, begin="latest")
    world.wait_results(150)
    assert again.terminate() == 0
    world.check()


def test_an_input_that_joins_begins_where_it_was_told(world: LiveWorld) -> None:
    """The group knows other topics, so this one is new and nothing was forgotten."""
    config = stopped_after_work(world)
    second = f"second-{world.input}"
    create_topics(world.bootstrap, second)
    document = orjson.loads(config.read_bytes())
    document["inputs"]["pos"]["topics"] = [world.input, second]
    config.write_bytes(orjson.dumps(document))
    skipped, read = purchases("store", range(1000, 1010)), purchases("store", range(1010, 1030))
    publish_to(second, world, skipped)
    dispatcher = world.start(config, begin="latest").wait_ready()
    publish_to(second, world, read)
    world.events += read
    world.wait_results(140)
    assert dispatcher.terminate() == 0
    world.check()


def publish_to(topic: str, world: LiveWorld, events: list[Event]) -> None:
    producer = Producer({"bootstrap.servers": world.bootstrap})
    for event in events:
        producer.produce(topic, event.value, event.id)
    assert producer.flush(10) == 0


# -- expired producers, and competing processes ----------------------------------------------------


def test_expired_transactional_ids_cost_nothing(kafka_factory: StartBroker, tmp_path: Path) -> None:
    """After a week without traffic Kafka forgets a producer's id: the session ends."""
    week = {
        "transactional.id.expiration.ms": "3000",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    }
    with LiveWorld(kafka_factory(week).bootstrap, tmp_path) as world:
        world.start_vendor()
        config = world.configure(window={"max_batch": 20})
        world.create_topics(config)
        dispatcher = world.start(config).wait_ready()
        world.publish(purchases("store", range(60)))
        world.wait_results(60)
        for stage in ("router.0", "lane.pisano"):
            until(f"{stage} expires", partial(transactional_id_expired, world, stage))
        world.publish(purchases("store", range(60, 160)))
        world.wait_results(160)
        ended = {line["stage"]: line["error"] for line in dispatcher.lines("session_ended")}
        assert set(ended) == {"router", "pisano"}
        assert all("INVALID_PRODUCER_ID_MAPPING" in error for error in ended.values())
        assert dispatcher.terminate() == 0
        world.check()


def transactional_id_expired(world: LiveWorld, stage: str) -> bool:
    """Whether Kafka's newest word about a transactional id is its tombstone."""
    wanted = f"{world.name}.{stage}".encode()
    states = read_topic(world.bootstrap, "__transaction_state", isolation="read_uncommitted")
    newest = [state for state in states if (state.key() or b"").endswith(wanted)][-1]
    return newest.value() is None


def test_two_replicas_with_one_instance_are_told_from_a_lone_fencing(world: LiveWorld) -> None:
    """Another producer takes the router's transactional id again and again."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 20})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    identity = f"{world.name}.router.0"
    rival = {"bootstrap.servers": world.bootstrap, "transactional.id": identity}
    for times in (1, 2, 3):
        assert not dispatcher.lines("transactional_id_contested")
        Producer(rival).init_transactions(10)
        world.publish(purchases("store", range(times * 100, times * 100 + 10)))
        world.wait_results(times * 10)
    (said,) = dispatcher.lines("transactional_id_contested")
    assert f"another process uses transactional.id {identity}" in said["why"]
    assert dispatcher.terminate() == 0
    world.check()


def test_routers_with_another_config_than_the_owners_are_noticed(world: LiveWorld) -> None:
    """Two configs under one `application_id`: the owner knows none of the campaigns that come."""
    world.start_vendor()
    ours = world.configure(window={"max_batch": 20})
    world.create_topics(ours)
    theirs = world.home / "theirs.yaml"
    theirs.write_text(ours.read_text().replace("purchase-sms", "their-campaign"))
    with (
        closing(Dispatcher(ours, world.home / "a.log", free_ports(1)[0], "--role", "sender")) as a,
        closing(
            Dispatcher(
                theirs,
                world.home / "b.log",
                free_ports(1)[0],
                "--role",
                "router",
                "--from",
                "earliest",
            )
        ) as b,
    ):
        b.wait_ready()
        until("the lane has its owner", lambda: bool(a.lines("lane_taken_over")))
        routed = count()

        def noticed() -> bool:
            # They keep writing: one poll may hold nothing that was routed since the takeover.
            world.publish(purchases("store", [next(routed)]))
            return a.metrics().total("other_config_invitations_total", lane="pisano") > 0

        until("it is counted", noticed)
        assert a.terminate() == 0
        assert b.terminate() == 0


def test_a_killed_replica_that_comes_back_at_once_leaves_the_lane_to_the_other(
    world: LiveWorld,
) -> None:
    """It joins when the session of its former life has ended and the others have shared out."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 20})
    world.create_topics(config)
    killed = world.start(config, "0").wait_ready()
    until("it has both lanes", lambda: len(killed.lines("lane_taken_over")) == 2)
    steady = world.start(config, "1").wait_ready()
    killed.kill()
    back = world.start(config, "0")
    until("the other takes over", lambda: len(steady.lines("lane_taken_over")) == 2)
    back.wait_ready()
    world.publish(purchases("store", range(60)))
    world.wait_results(60)
    assert not back.lines("lane_taken_over")
    assert back.terminate() == 0
    assert steady.terminate() == 0
    world.check()
