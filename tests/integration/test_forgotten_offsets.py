"""A month of forgotten offsets, on a real Kafka that forgets after a minute, by a user that may not
delete records: topics keep what was done with, and no customer may be asked again because of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AclOperation, AdminClient, ResourcePatternType, ResourceType  # type: ignore[attr-defined]  # re-exported without __all__

from consumer.sandbox.settings import SAMPLE_CAMPAIGNS
from tests.integration.test_answers_live import at_vendor, put_off
from tests.integration.test_operations import operate
from tests.integration.test_stopped_inputs import publish_to, stops
from tests.integration.test_tls_sasl import configure, rights
from tests.support.dispatcher import EMAIL, Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import StartBroker, create_topics
from tests.support.secured import SecuredBroker, start_secured

FORGETFUL = {"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "1000"}
KNOWN = [campaign.model_dump() for campaign in SAMPLE_CAMPAIGNS]
UNKNOWN_EMAIL = [each for each in KNOWN if each["id"] != EMAIL]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_customer_is_asked_twice_after_offsets_are_forgotten_and_nothing_could_be_deleted(
    kafka_factory: StartBroker, tmp_path: Path
) -> None:
    """One application takes an input out and puts it back, another one does not run at all."""
    secured = start_secured(kafka_factory, tmp_path / "certificates", strict=True, more=FORGETFUL)
    with (
        LiveWorld(secured.broker.bootstrap, home(tmp_path, "runs")) as runs,
        LiveWorld(secured.broker.bootstrap, home(tmp_path, "rests")) as rests,
    ):
        config, running = worked_and_without_web(secured, runs)
        resting, retried_at = worked_and_stopped(secured, rests)

        until("a deletion is refused", lambda: bool(running.lines("records_not_deleted")))
        assert_the_refusal_is_told(runs, running)
        until("web's offset is forgotten", lambda: offset_of(runs, "router", web(runs)) < 0)
        until("a step's too", lambda: offset_of(rests, "ladder", delayed(rests)) < 0)

        web_stands_still_until_told(runs, config, running)
        the_delay_stage_stands_still_until_told(rests, resting, retried_at)


def home(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def web(world: LiveWorld) -> str:
    return f"web-{world.input}"


def delayed(world: LiveWorld) -> str:
    return f"{world.name}.delayed.1m"


def prepared(secured: SecuredBroker, world: LiveWorld) -> Path:
    """All topics, and a config whose user may do all but delete records."""
    world.start_vendor(campaigns=UNKNOWN_EMAIL)
    world.create_topics(world.configure(window={"max_batch": 20}))
    create_topics(world.bootstrap, web(world))
    secured.allow(rights(world, delete=False))
    may = [AclOperation.READ, AclOperation.DESCRIBE]
    secured.allow([(ResourceType.TOPIC, web(world), ResourcePatternType.LITERAL, may)])
    return configure(world, secured.settings())


def reads(config: Path, *topics: str) -> None:
    """Write what the input reads into the config."""
    document = orjson.loads(config.read_bytes())
    document["inputs"]["pos"]["topics"] = topics
    config.write_bytes(orjson.dumps(document))


def delay_and_return(world: LiveWorld, running: Dispatcher) -> None:
    """Three invitations of a parked campaign go to a delay topic, and come back by a reload."""
    publish_to(world, web(world), 0, first := purchases("web", range(3)))
    world.events += first
    until("all are delayed", lambda: put_off(running) == 3)
    at_vendor(world, campaigns=KNOWN)
    running.hang_up()
    world.wait_results(3)


def worked_and_without_web(secured: SecuredBroker, world: LiveWorld) -> tuple[Path, Dispatcher]:
    """An application that took an input out of its config, and reads another one on."""
    config = prepared(secured, world)
    reads(config, world.input, web(world))
    running = world.start(config).wait_ready()
    delay_and_return(world, running)
    world.publish(purchases("store", range(3)))
    world.wait_results(6)
    reads(config, world.input)
    until("it left", lambda: len(running.lines("config_applied")) == 1)
    return config, running


def worked_and_stopped(secured: SecuredBroker, world: LiveWorld) -> tuple[Path, dt.datetime]:
    """One that stops while three invitations are delayed; when others came back early before."""
    config = prepared(secured, world)
    reads(config, web(world))
    running = world.start(config).wait_ready()
    delay_and_return(world, running)
    at_vendor(world, campaigns=UNKNOWN_EMAIL)
    publish_to(world, web(world), 0, later := purchases("web", range(10, 13)))
    world.events += later
    until("these are delayed too", lambda: put_off(running) == 6)
    assert running.terminate() == 0
    at_vendor(world, campaigns=KNOWN)
    (retried,) = running.lines("delayed_retried")
    return config, dt.datetime.fromisoformat(retried["timestamp"])


def assert_the_refusal_is_told(world: LiveWorld, running: Dispatcher) -> None:
    (said,) = running.lines("records_not_deleted")
    assert said["topic"] == delayed(world)
    assert "TOPIC_AUTHORIZATION_FAILED" in said["why"]
    assert "grant Delete" in said["hint"]
    assert running.metrics().total("deletions_refused_total", topic=delayed(world)) >= 1
    with Consumer({"bootstrap.servers": world.bootstrap, "group.id": "looks"}) as client:
        place = TopicPartition(delayed(world), 0)
        assert client.get_watermark_offsets(place, timeout=10)[0] == 0, "all of it is there still"


def web_stands_still_until_told(world: LiveWorld, config: Path, running: Dispatcher) -> None:
    """The input comes back: by a reload, then by a restart, it is not read from its start."""
    reads(config, world.input, web(world))
    stops(running)
    publish_to(world, web(world), 0, late := purchases("web", range(100, 103)))
    world.publish(purchases("store", range(100, 103)))
    world.wait_results(9)
    assert running.terminate() == 0

    again = world.start(config, begin="earliest").wait_ready()
    (said,) = stops(again)
    assert (said["topic"], said["reason"]) == (web(world), "forgotten")
    operate(config, "inputs", "resume", web(world), "--from", "3", "--yes")
    world.wait_results(12)
    assert again.terminate() == 0
    world.events += late
    world.check()


def the_delay_stage_stands_still_until_told(
    world: LiveWorld, config: Path, at: dt.datetime
) -> None:
    """Its topic holds what came back and what did not; the operator goes by the message."""
    again = world.start(config, begin="latest")
    said = {str(stop["topic"]): stop for stop in stops(again, 2)}
    assert {each["reason"] for each in said.values()} == {"forgotten"}
    assert said[delayed(world)]["group"] == f"{world.name}.ladder"
    why = str(said[delayed(world)]["why"])
    assert f"survey-dispatcher inputs resume {delayed(world)} --from T" in why
    assert "of the last `delayed_retried`" in why
    assert operate(config, "inputs", "resume", web(world), "--from", "latest", "--yes")
    publish_to(world, web(world), 0, more := purchases("web", range(200, 203)))
    world.wait_results(6)
    assert max(world.accepted().values()) == 1
    assert f"{delayed(world)} 0 none" in " ".join(operate(config, "inputs", "list").split())

    resumed = ("inputs", "resume", delayed(world), "--from", at.isoformat(), "--yes")
    assert "done" in operate(config, *resumed), again.log.read_text()[-3000:]
    world.wait_results(9)
    assert again.terminate() == 0
    world.events += more
    world.check()


def offset_of(world: LiveWorld, stage: str, topic: str) -> int:
    """A group's offset of a topic's first partition; negative: none."""
    client = AdminClient({"bootstrap.servers": world.bootstrap})
    asked = ConsumerGroupTopicPartitions(f"{world.name}.{stage}", [TopicPartition(topic, 0)])
    (future,) = client.list_consumer_group_offsets([asked]).values()
    return int(future.result(10).topic_partitions[0].offset)
