"""Partitions that nothing says where to read from, on a real Kafka: they stand still, alone, until
an operator says where to go on, whether processes run or not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.config.topic_names import Topics
from consumer.kafka.records.delayed import Delayed
from tests.integration.test_operations import operate
from tests.integration.test_state_loss import (
    forget_group_offsets,
    recreate_topic,
    stopped_after_work,
)
from tests.support import local_http
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def publish_to(world: LiveWorld, topic: str, partition: int, events: Sequence[Event]) -> None:
    producer = Producer({"bootstrap.servers": world.bootstrap})
    for event in events:
        producer.produce(topic, event.value, event.id, partition)
    assert producer.flush(10) == 0


def delete_before(world: LiveWorld, topic: str, partition: int, before: int) -> None:
    client = AdminClient({"bootstrap.servers": world.bootstrap})
    for future in client.delete_records([TopicPartition(topic, partition, before)]).values():
        future.result(10)


def stops(dispatcher: Dispatcher, number: int = 1) -> list[dict[str, object]]:
    """What the log says of the partitions that stand still, once there are so many."""
    until(f"{number} stand still", lambda: len(dispatcher.lines("input_stopped")) >= number)
    return dispatcher.lines("input_stopped")


def overrun(world: LiveWorld) -> tuple[Path, list[Event]]:
    """An application that was down while records of one partition were deleted; what is left."""
    config = stopped_after_work(world)
    (stood, *_) = world.committed()
    missed = purchases("store", range(1000, 1010))
    publish_to(world, world.input, 0, missed)
    delete_before(world, world.input, 0, stood + 4)
    return config, missed[4:]


def test_a_partition_out_of_range_stands_still_alone_and_goes_on_by_command(
    world: LiveWorld,
) -> None:
    config, left = overrun(world)
    dispatcher = world.start(config, begin=None).wait_ready()
    (said,) = stops(dispatcher)
    assert said["group"] == f"{world.name}.router"
    assert (said["topic"], said["partition"]) == (world.input, 0)
    assert (said["reason"], said["log_begins"]) == ("out_of_range", int(str(said["offset"])) + 4)
    assert f"inputs resume {world.input}:0 --from" in str(said["mend"])

    others = purchases("store", range(2000, 2010))
    publish_to(world, world.input, 1, others)
    world.wait_results(130)
    stopped = dispatcher.metrics().total("input_stopped", topic=world.input, partition="0")
    assert stopped == 1
    notes = local_http.get(f"http://127.0.0.1:{dispatcher.port}/status.json").json()["notes"]
    assert any(note["where"] == world.input and "inputs resume" in note["what"] for note in notes)

    assert "out_of_range" in operate(config, "inputs", "list")
    shown = operate(config, "inputs", "resume", f"{world.input}:0", "--from", "earliest", "--yes")
    assert "done" in shown, dispatcher.log.read_text()[-3000:]
    world.wait_results(136)
    until("no partition stands", lambda: not dispatcher.metrics().total("input_stopped"))
    assert dispatcher.terminate() == 0
    world.events += [*others, *left]
    world.check()
    again = world.start(config, begin=None).wait_ready()  # the command is still on its topic
    publish_to(world, world.input, 0, more := purchases("store", range(3000, 3005)))
    world.wait_results(141)
    assert again.terminate() == 0
    world.events += more
    world.check()


def test_a_partition_goes_on_where_it_is_told_while_no_process_runs(world: LiveWorld) -> None:
    config, _ = overrun(world)
    shown = operate(config, "inputs", "resume", f"{world.input}:0", "--from", "latest", "--yes")
    assert "done" in shown
    dispatcher = world.start(config, begin=None).wait_ready()
    publish_to(world, world.input, 0, more := purchases("store", range(3000, 3005)))
    world.wait_results(125)
    assert not dispatcher.lines("input_stopped")
    assert dispatcher.terminate() == 0
    world.events += more
    world.check()


def test_an_input_whose_log_moves_away_while_it_runs_stands_still_and_the_rest_goes_on(
    world: LiveWorld,
) -> None:
    """Retention overtakes a reader that is held up, here by a frozen process."""
    config = stopped_after_work(world)
    dispatcher = world.start(config, begin=None).wait_ready()
    (stood, *_) = world.committed()
    dispatcher.pause()
    missed = purchases("store", range(1000, 1010))
    publish_to(world, world.input, 0, missed[:1])  # ends the request that is under way, if one is
    publish_to(world, world.input, 0, missed[1:])
    delete_before(world, world.input, 0, stood + len(missed))
    publish_to(world, world.input, 1, others := purchases("store", range(2000, 2010)))
    dispatcher.resume()
    assert stops(dispatcher)
    world.wait_results(120 + len(others))
    assert dispatcher.terminate() == 0
    known = {result["event_id"] for result in world.results()}
    fetched = [event for event in missed if event.id in known]
    assert fetched == missed[: len(fetched)] != missed, "a part that was fetched before the freeze"
    world.events += [*fetched, *others]
    world.check()


def test_a_whole_input_goes_on_as_a_whole(world: LiveWorld) -> None:
    """One partition alone would make the others pass for partitions that were added."""
    config = stopped_after_work(world)
    forget_group_offsets(world, "router")
    dispatcher = world.start(config, begin="earliest").wait_ready()
    assert {stop["reason"] for stop in stops(dispatcher, 3)} == {"forgotten"}
    refused = operate(config, "inputs", "resume", f"{world.input}:0", "--from", "latest")
    assert "goes on as a whole" in refused

    shown = operate(config, "inputs", "resume", world.input, "--from", "latest", "--yes")
    assert "done" in shown, dispatcher.log.read_text()[-3000:]
    for partition in range(3):
        more = purchases("store", range(3000 + partition, 3001 + partition))
        publish_to(world, world.input, partition, more)
        world.events += more
    world.wait_results(123)
    assert dispatcher.terminate() == 0
    world.check()


def test_two_replicas_go_on_with_each_their_own_partitions(world: LiveWorld) -> None:
    config = stopped_after_work(world)
    forget_group_offsets(world, "router")
    replicas = [world.start(config, str(number), begin="earliest") for number in range(2)]
    until(
        "all stand still",
        lambda: (
            sum(
                replica.metrics().total("input_stopped") if replica.probe("/livez")[0] else 0
                for replica in replicas
            )
            == 3
        ),
    )
    shown = operate(config, "inputs", "resume", world.input, "--from", "latest", "--yes")
    assert "done" in shown
    for partition in range(3):
        more = purchases("store", range(3000 + partition, 3001 + partition))
        publish_to(world, world.input, partition, more)
        world.events += more
    world.wait_results(123)
    for replica in replicas:
        assert replica.terminate() == 0
    world.check()


@pytest.mark.parametrize("begin", ["earliest", None])
def test_one_input_recreated_leaves_the_others_alone(world: LiveWorld, begin: str | None) -> None:
    config = stopped_after_work(world)
    second = f"second-{world.input}"
    create_topics(world.bootstrap, second)
    document = orjson.loads(config.read_bytes())
    document["inputs"]["pos"]["topics"] = [world.input, second]
    config.write_bytes(orjson.dumps(document))
    dispatcher = world.start(config, begin="earliest").wait_ready()
    publish_to(world, second, 0, first := purchases("store", range(1000, 1010)))
    world.wait_results(130)
    assert dispatcher.terminate() == 0
    recreate_topic(world, second)
    publish_to(world, second, 0, recreated := purchases("store", range(2000, 2010)))

    dispatcher = world.start(config, begin=begin).wait_ready()
    (said,) = stops(dispatcher)
    assert (said["topic"], said["reason"]) == (second, "recreated")
    publish_to(world, world.input, 0, others := purchases("store", range(3000, 3010)))
    world.wait_results(140)
    assert "done" in operate(config, "inputs", "resume", second, "--from", "earliest", "--yes")
    world.wait_results(150)
    assert dispatcher.terminate() == 0
    world.events += [*first, *recreated, *others]
    found = sorted(result["event_id"] for result in world.results())
    assert found == sorted(event.id for event in world.events)


def test_what_does_not_stand_still_is_not_moved(world: LiveWorld) -> None:
    config = stopped_after_work(world)
    refused = operate(config, "inputs", "resume", world.input, "--from", "earliest")
    assert "does not stand still" in refused
    assert "is no input" in operate(config, "inputs", "resume", "other", "--from", "earliest")
    assert "read" in operate(config, "inputs", "list")


# -- delay topics ---------------------------------------------------------------------------------


def delay(world: LiveWorld, numbers: range) -> str:
    """Invitations that are due in hours, on a delay topic; its name."""
    topic = Topics(world.name).delayed("10m")
    client, now = Producer({"bootstrap.servers": world.bootstrap}), time.time()
    for number in numbers:
        body = orjson.dumps({"n": number, "campaign": "visit"})
        Delayed("radar", now, now + 7200, f"k{number}", body).put(client, topic, now)
    assert client.flush(10) == 0
    return topic


def test_a_delay_topic_that_stands_still_goes_on_by_the_command_for_inputs(
    world: LiveWorld,
) -> None:
    """R3: another hand deleted records of it; and later the group forgot its offset."""
    config = stopped_after_work(world)
    topic = delay(world, range(3))
    delete_before(world, topic, 0, 2)
    dispatcher = world.start(config, begin=None).wait_ready()
    (said,) = stops(dispatcher)
    assert (said["group"], said["topic"]) == (f"{world.name}.ladder", topic)
    assert f"inputs resume {topic}:0 --from" in str(said["mend"])
    until("it shows", lambda: dispatcher.metrics().total("input_stopped", topic=topic) == 1)
    assert f"{topic}" in operate(config, "inputs", "list")
    shown = operate(config, "inputs", "resume", f"{topic}:0", "--from", "earliest", "--yes")
    assert "done" in shown, dispatcher.log.read_text()[-3000:]
    until("none stands still", lambda: not dispatcher.metrics().total("input_stopped"))
    assert topic not in operate(config, "inputs", "list")
    refused = operate(config, "inputs", "resume", topic, "--from", "earliest", "--yes")
    assert "does not stand still" in refused
    assert dispatcher.terminate() == 0

    forget_group_offsets(world, "ladder")
    shown = operate(config, "inputs", "resume", topic, "--from", "latest", "--yes")
    assert "done" in shown
    again = world.start(config, begin=None).wait_ready()
    assert not again.lines("input_stopped")
    assert again.terminate() == 0
    world.check()
