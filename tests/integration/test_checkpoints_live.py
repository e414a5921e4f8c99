"""Checkpoints on a real Kafka: at their bounds, of other clocks, and of limits of a day."""

from __future__ import annotations

import base64
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer

from consumer.clock import Clock
from consumer.kafka import transactions
from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.checkpoints import claim, newest
from consumer.kafka.records.messages import appended_at
from consumer.kafka.topics import CHECKPOINT_MAX_BYTES, own_topics
from consumer.kafka.transactions import measure_broker_clock
from consumer.lane.offsets.bitmap import DONE_BYTES, IN_FLIGHT_BYTES, TRIED_BYTES, OffsetBitmap
from consumer.lane.quota.clock_shift import shift_between
from consumer.records.checkpoint import Checkpoint, InFlight, Tried
from tests.support.dispatcher import LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics, unique
from tests.unit.config.support import VALID, load_text

pytestmark = pytest.mark.kafka
LANE = "pisano-cloud"


class Topic:
    """A checkpoint topic as `topics --create` makes it, and clients for it."""

    def __init__(self, broker: KafkaBroker, folder: Path) -> None:
        specs = own_topics(load_text(VALID, folder))
        (spec,) = (each for each in specs if each.name.endswith(f".checkpoints.{LANE}"))
        self.name = unique("checkpoints")
        create_topics(broker.bootstrap, self.name, config=spec.settings)
        self._clients = KafkaClients({"bootstrap.servers": broker.bootstrap})

    def owner(self) -> Producer:
        """The only one that may commit."""
        producer = self._clients.producer(f"{self.name}.owner", lambda _error: None)
        transactions.fence(producer, lambda: False)
        return producer

    def reader(self) -> Consumer:
        """Of no group that matters."""
        return self._clients.consumer(f"{self.name}.reader", lambda _error: None)

    def write(self, owner: Producer, checkpoint: Checkpoint) -> int:
        """Commit it; how long its text is."""
        value = checkpoint.model_dump_json().encode()
        with transactions.transaction(owner, lambda: False):
            transactions.produce(owner, self.name, value, key=LANE, partition=0)
        return len(value)


@pytest.fixture
def topic(kafka: KafkaBroker, tmp_path: Path) -> Topic:
    """A topic of its own on the session's broker."""
    return Topic(kafka, tmp_path)


def noise(characters: int) -> str:
    """A bitmap that takes so much text: nothing compresses it."""
    raw = random.Random(1).randbytes(characters * 3 // 4 - 4_000)
    return base64.b64encode(zlib.compress(raw, 1)).decode()


def scattered(number: int, *, among: int) -> str:
    """A bitmap of offsets that lie anywhere."""
    bits = bytearray(among // 8)
    for offset in random.Random(1).sample(range(among), number):
        bits[offset >> 3] |= 1 << (offset & 7)
    found = OffsetBitmap(0)
    found._bits = bits
    return found.packed(0)


def checkpoint(**more: object) -> Checkpoint:
    """One of a lane at its beginning."""
    parts: dict[str, object] = {
        "lane": LANE,
        "topic_id": None,
        "base": 0,
        "done": noise(8_000),
        "in_flight": (),
        "permit_log": (),
        "config_version": "c1",
    }
    return Checkpoint.model_validate(parts | more)


def test_kafka_takes_a_checkpoint_at_all_its_bounds_and_it_is_read_again(topic: Topic) -> None:
    calls = scattered(250_000, among=8_000_000)
    tried = scattered(690_000, among=23_000_000)
    batch = InFlight(batch_id="b", campaign="a", attempt=1, sealed_at=1.0, first=0, offsets=calls)
    batches = tuple(batch.model_copy(update={"batch_id": f"b{number}"}) for number in range(5))
    large = checkpoint(
        done=noise(DONE_BYTES),
        in_flight=batches,
        tried=(Tried(attempt=2, first=0, offsets=tried),),
    )
    assert len(calls) * 5 > IN_FLIGHT_BYTES
    assert len(tried) > 0.8 * TRIED_BYTES
    owner = topic.owner()
    for _ in range(3):
        size = topic.write(owner, large)
    assert 0.8 * CHECKPOINT_MAX_BYTES < size < CHECKPOINT_MAX_BYTES
    epoch = claim(owner, topic.name, LANE, lambda: False)
    found = newest(topic.reader(), topic.name, LANE, epoch, lambda: None)
    assert found is not None
    assert (found.done, len(found.in_flight), found.tried) == (large.done, 5, large.tried)


@pytest.mark.parametrize("behind", [30.0, -10_800.0, 0.0])
def test_a_takeover_finds_how_far_the_former_owners_clock_is_away(
    topic: Topic, behind: float
) -> None:
    owner, seen = topic.owner(), list[tuple[float | None, float]]()
    topic.write(owner, checkpoint(at=time.time() - behind))

    def delivered(message: Message) -> None:
        seen.append((appended_at(message), time.time()))

    epoch = claim(owner, topic.name, LANE, lambda: False, delivered)
    found = newest(topic.reader(), topic.name, LANE, epoch, lambda: None)
    assert found is not None
    ((claimed, now),) = seen
    shift = shift_between(found, found.appended, claimed, now)
    assert behind - 0.01 <= shift <= behind + 30.0, "late by what Kafka took at most"


def test_kafka_tells_the_time_and_nothing_reads_what_it_was_asked_with(topic: Topic) -> None:
    owner, clock = topic.owner(), Clock()
    ahead = measure_broker_clock(owner, topic.name, clock.steady)
    assert ahead is not None
    assert clock.steady() + ahead == pytest.approx(clock.now(), abs=30.0)
    epoch = claim(owner, topic.name, LANE, lambda: False)
    assert newest(topic.reader(), topic.name, LANE, epoch, lambda: None) is None


def test_a_topic_with_its_writers_times_does_not_tell_kafkas(kafka: KafkaBroker) -> None:
    name = unique("created")
    create_topics(kafka.bootstrap, name, config={"message.timestamp.type": "CreateTime"})
    clients = KafkaClients({"bootstrap.servers": kafka.bootstrap})
    producer = clients.producer(f"{name}.owner", lambda _error: None)
    producer.init_transactions(30)
    assert measure_broker_clock(producer, name, Clock().steady) is None


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def test_limits_of_a_day_take_calls_and_a_restart_without_a_doubt(world: LiveWorld) -> None:
    """The first owner leaves in peace; the next one knows the calls of both."""
    world.start_vendor()
    quota = {"limits": ["200000/1d", "400/10s"], "skew": "100ms"}
    config = world.configure(quota, window={"max_batch": 5, "max_wait": "1s"})
    world.create_topics(config)
    world.publish(purchases("store", range(300)))
    first = world.start(config).wait_ready()
    world.wait_results(300)
    assert first.terminate() == 0
    size = len(world.checkpoint().model_dump_json())
    world.publish(purchases("store", range(300, 600)))
    second = world.start(config, begin=None).wait_ready()
    world.wait_results(600)
    assert second.terminate() == 0
    until("its checkpoint is there", lambda: bool(world.checkpoint().quota))
    (day, _) = world.checkpoint().quota or ()
    assert sum((day.cells or ())[1::2]) == world.vendor()["accepted_calls"]
    assert size < 20_000
    world.check()
