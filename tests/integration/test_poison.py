"""A record never ends the process: poison on every topic, between good records, on a real Kafka.

Every poison has exactly one fate, every good record exactly one result, and what an operator runs
on the same topics says how much of them it could not read.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from consumer.kafka.records.delayed import Delayed
from consumer.kafka.records.messages import content_of
from consumer.lane.offsets.bitmap import LARGEST, pack
from consumer.lane.state.delay_steps import STEPS
from consumer.records.readers import read_invitation
from tests.integration.test_delay_topics import DelayTopics
from tests.integration.test_operations import change, operate
from tests.integration.with_guilty_records import READ, ROUTED, TAKEN
from tests.support import dispatcher as programs
from tests.support.dispatcher import Dispatcher, Event, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, read_topic
from tests.support.poison import (
    HUGE,
    NO_UTF_8,
    OUTSIDE,
    VALUES,
    Outside,
    bad_delays,
    bad_invitations,
)
from tests.support.raw_records import RawProducer

pytestmark = pytest.mark.kafka


UNMATCHED = 1
"""Values that pass for events, and of no route: an empty object."""


@contextmanager
def hand(broker: KafkaBroker) -> Iterator[RawProducer]:
    """Writes what no client of ours would, and as large as topics take it compressed."""
    settings = {"message.max.bytes": "100000000", "compression.type": "zstd"}
    with RawProducer(broker.bootstrap, **settings) as producer:
        yield producer


@dataclass
class Poison:
    """What was written, by the place that its dead letter must name."""

    world: LiveWorld
    dead: Counter[str] = field(default_factory=Counter)
    internal: Counter[str] = field(default_factory=Counter)
    good: list[Event] = field(default_factory=list)

    def events(self, broker: KafkaBroker) -> None:
        """Input: every value, every outside with a value that is none, all between good events."""
        topic, broken = self.world.input, b"{"
        with hand(broker) as producer:
            for name, value in VALUES.items():
                producer.produce(topic, value, name.encode())
            for outside in OUTSIDE.values():
                self.outside(producer, topic, broken, outside)
            for outside in (
                Outside(bytes(HUGE)),
                Outside(b"k", ((b"h", bytes(HUGE)),)),
                Outside(bytes(9 * 2**20), ((b"h", bytes(9 * 2**20)),)),
            ):
                self.outside(producer, topic, broken, outside)
            producer.produce(topic, bytes(HUGE), b"k")
            for number, outside in enumerate(OUTSIDE.values()):
                (event,) = purchases("store", [number])
                self.outside(producer, topic, event.value, outside)
                self.good.append(event)
        self.dead[topic] += len(VALUES) - UNMATCHED + len(OUTSIDE) + 4

    def replays(self, broker: KafkaBroker) -> None:
        """The topic of replays: places that are none, and good events without a place."""
        topic, names = f"{self.world.name}.replayed", ("topic", "partition", "offset", "timestamp")
        places = (
            (b"pos", b"0", b"1" + b"0" * 30, b"0"),
            (b"pos", b"-1", b"0", b"0"),
            (b"pos", b"0", b"NaN", b"0"),
            (b"pos", "٣".encode(), b"0", b"0"),
            (b"", b"0", b"0", b"0"),
            (NO_UTF_8, b"0", b"0", b"0"),
            (b"p" * 300_000, b"0", b"0", b"0"),
            (None, None, None, None),
        )
        with hand(broker) as producer:
            for place in places:
                headers = tuple(
                    (f"dead_letter.{name}".encode(), value)
                    for name, value in zip(names, place, strict=True)
                )
                producer.produce(topic, b"{", b"k", headers)
            claimed = (self.world.input.encode(), b"0", b"0", b"0")
            claims = tuple(
                zip((f"dead_letter.{name}".encode() for name in names), claimed, strict=True)
            )
            producer.produce(topic, b"{", b"k", ((NO_UTF_8, b"v"), *claims))
            for outside in OUTSIDE.values():
                self.outside(producer, topic, b"{}", outside)
            producer.produce(topic, None, bytes(HUGE))
        self.dead[topic] += len(places) + 2 + len(OUTSIDE)

    def invitations(self, broker: KafkaBroker, good: Mapping[str, Any]) -> None:
        """A lane: no invitations, and good ones whose outside is odd."""
        topic = f"{self.world.name}.invitations.pisano"
        bad = list(bad_invitations(good))
        with hand(broker) as producer:
            for value in (*VALUES.values(), *bad):
                producer.produce(topic, value, b"k")
            for outside in OUTSIDE.values():
                self.outside(producer, topic, b"{}", outside)
            producer.produce(topic, b"{}", bytes(HUGE))
            producer.produce(topic, b"{}", b"k", ((b"h", bytes(HUGE)),))
            for number, outside in enumerate(OUTSIDE.values()):
                self.outside(producer, topic, self.invitation(good, number), outside)
            odd = {"x": {"later": [1, None]}, "attempt": 10**9, "delays": 10**9}
            producer.produce(topic, self.invitation({**good, **odd}, 900), b"k")
            twice = self.invitation(good, 901)[:-1] + b',"delays":1,"delays":2}'
            producer.produce(topic, twice, b"k")
        self.dead[topic] += len(VALUES) + len(bad) + len(OUTSIDE) + 2

    def guilty(self, broker: KafkaBroker, good: Mapping[str, Any]) -> None:
        """Records that raise where nothing foresees it, some of them beside each other."""
        topic = f"{self.world.name}.invitations.pisano"
        with hand(broker) as producer:
            for number in range(20):
                (event,) = purchases("store", [20_000 + number])
                producer.produce(self.world.input, event.value, b"k")
                self.good.append(event)
                if number % 7 < 2:
                    producer.produce(self.world.input, event.value, ROUTED)
                    self.internal[self.world.input] += 1
            for mark in (READ, TAKEN, READ):
                value = orjson.dumps({**good, "id": mark.decode(), "address": {"phone": "+1"}})
                producer.produce(topic, value, b"k")
                self.internal[topic] += 1

    def invitation(self, good: Mapping[str, Any], number: int) -> bytes:
        """A good one, for a customer of its own; its result is expected."""
        (event,) = purchases("store", [10_000 + number])
        self.good.append(event)
        address = {"phone": event.recipient}
        name = {"id": f"i{number}", "event_id": event.id, "pseudonym": f"k1:{number}"}
        return orjson.dumps({**good, **name, "address": address})

    @staticmethod
    def outside(producer: RawProducer, topic: str, value: bytes, outside: Outside) -> None:
        producer.produce(topic, value, outside.key, outside.headers, timestamp=outside.timestamp)

    def letters(self) -> list[Message]:
        return read_topic(self.world.bootstrap, f"{self.world.name}.dead-letters", timeout=30)


def first_version(message: Message) -> dict[str, Any]:
    """The invitation as the first program would have written it."""
    written = {**read_invitation(message.value()), "version": 1}
    del written["event_at"]
    return written


@pytest.fixture
def guilty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes in which some records raise where nothing foresees it."""
    usual = programs.command

    def command(*arguments: str | Path) -> list[str]:
        python, _, _, *rest = usual(*arguments)
        return [python, "-m", "tests.integration.with_guilty_records", *rest]

    monkeypatch.setattr(programs, "command", command)


@pytest.mark.usefixtures("guilty")
def test_poison_on_inputs_replays_and_lanes_costs_itself_alone(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    with LiveWorld(kafka.bootstrap, tmp_path, partitions=1) as world:
        world.start_vendor()
        config = world.configure(window={"max_batch": 100})
        world.create_topics(config)
        running = world.start(config).wait_ready()
        world.publish(purchases("store", [5_000]))
        world.wait_results(1)
        (first,) = read_topic(world.bootstrap, f"{world.name}.invitations.pisano")
        poison = Poison(world)
        poison.events(kafka)
        poison.replays(kafka)
        poison.invitations(kafka, first_version(first))
        world.publish(purchases("store", range(6_000, 6_050)))
        poison.guilty(kafka, first_version(first))
        world.publish(purchases("cafe", range(7_000, 7_050)))
        world.events += poison.good
        world.wait_results(len(world.events))
        total = poison.dead.total() + poison.internal.total()
        until("all dead letters", lambda: len(poison.letters()) >= total)
        world.check()
        assert_each_has_one_letter(poison)
        assert_counted(running, poison)
        assert running.probe("/livez")[0] == 200
        assert not running.lines("stage_ended")
        assert not running.lines("stage_stopped")
        assert_operators_can_work(world, config, kafka)
        assert running.terminate() == 0


def assert_each_has_one_letter(poison: Poison) -> None:
    """The letters of a topic are as many as its poison, each of a place of its own."""
    places: Counter[tuple[str, bytes, bytes]] = Counter()
    internal: Counter[str] = Counter()
    for message in poison.letters():
        content = content_of(message)
        said = {name: value or b"" for name, value in content.headers}
        topic = said["dead_letter.topic"].decode()
        places[topic, said["dead_letter.partition"], said["dead_letter.offset"]] += 1
        if said["dead_letter.reason"] == b"internal_error":
            internal[topic] += 1
            assert re.fullmatch(rb"[A-Za-z]+Error at \w+\.py:\d+", said["dead_letter.message"])
    assert set(places.values()) == {1}
    assert internal == poison.internal
    assert Counter(topic for topic, _, _ in places) == poison.dead + poison.internal


def assert_counted(running: Dispatcher, poison: Poison) -> None:
    lane = f"{poison.world.name}.invitations.pisano"
    dead = poison.dead + poison.internal
    routed = dead.total() - dead[lane]
    total = dead.total()
    until("counted", lambda: running.metrics().total("dead_letters_total") >= total)
    metrics = running.metrics()
    assert metrics.total("dead_letters_total", stage="pisano") == dead[lane]
    internal = metrics.total("dead_letters_total", reason="internal_error")
    assert internal == poison.internal.total()
    raised = running.lines("record_raised")
    assert raised
    assert "905" not in str(raised)
    assert metrics.total("dead_letters_total", stage="router") == routed


def assert_operators_can_work(world: LiveWorld, config: Path, kafka: KafkaBroker) -> None:
    """Whatever lies on the topics that commands read: they go on, and say what they left out."""
    with hand(kafka) as producer:
        for topic in (f"{world.name}.dead-letters", f"{world.name}.results"):
            for value in VALUES.values():
                producer.produce(topic, value, b"k")
            for outside in OUTSIDE.values():
                Poison.outside(producer, topic, b"{}", outside)
        letter = (
            ("reason", b"not_json"), ("message", b"\x1b[2J"), ("topic", world.input.encode()),
            ("partition", b"0"), ("offset", b"9" * 18), ("timestamp", b"9" * 18), ("at", b"\xff"),
            ("config_version", b"\xff"),
        )  # fmt: skip
        forged = tuple((f"dead_letter.{name}".encode(), value) for name, value in letter)
        producer.produce(f"{world.name}.dead-letters", bytes(HUGE), b"k", forged)
    foreign = len(VALUES) + len(OUTSIDE)
    listed = operate(config, "dlq", "list")
    assert f"{foreign} records on the topic are no dead letters" in listed
    listed = operate(config, "dlq", "list", "--json")
    letters = orjson.loads(listed[listed.index("[") :])
    assert letters
    for each in letters[::25]:
        operate(config, "dlq", "show", each["letter"])
    assert "replay" in operate(config, "dlq", "replay", "--all", "--dry-run")
    said = operate(config, "resend", "--status", "rejected", "--dry-run")
    assert f"{foreign} results" in said
    assert "pisano" in operate(config, "lanes", "list")
    status = orjson.loads(operate(config, "status", "--json"))
    assert status["dead_letters"] == {"on the topic": len(letters)}


@pytest.fixture
def delays(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[DelayTopics]:
    """The delay topics' loop, with a first step of a second."""
    monkeypatch.setitem(STEPS, "1m", 1.0)
    delays = DelayTopics(kafka)
    yield delays
    delays.stop()


def test_poison_on_the_delay_topics_costs_itself_alone(
    delays: DelayTopics, kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, now = delays.topics.delayed("1m"), delays.clock.now()
    good = {"lane": b"cloud", "arrived": b"1700000000.25", "due_at": repr(now).encode()}
    headers = tuple((name.encode(), value) for name, value in good.items())
    bad = list(bad_delays(good))
    odd = (None, b"", NO_UTF_8, b"[" * 100_000)
    with hand(kafka) as producer:
        for number, wrong in enumerate(bad):
            producer.produce(step, orjson.dumps({"n": number}), b"k", headers)
            producer.produce(step, b"{}", b"k", wrong)
            if number % 10 == 0:
                producer.produce(step, b'"guilty"', b"k", headers)
        for outside in OUTSIDE.values():
            producer.produce(step, b"{}", outside.key, outside.headers)
        for value in odd:  # the lane says what it is
            producer.produce(step, value, b"k", headers)
        late = tuple({**dict(headers), b"arrived": b"253402300799"}.items())
        producer.produce(step, orjson.dumps({"n": -1}), b"k", late)
        producer.produce(step, b"x" * 600_000, b"k", headers)
        producer.produce(step, b"{}", bytes(HUGE), headers)
        producer.produce(step, b"{}", NO_UTF_8, headers)
        producer.produce(step, b"{}", b"k", (*headers, (b"h", bytes(HUGE))))
        for number in range(50):
            no_lane = tuple({**dict(headers), b"lane": b"no-%d" % number}.items())
            producer.produce(step, b"{}", b"k", no_lane)
    read = Delayed.from_message

    def raises(message: Message, now: float) -> Delayed | None:
        if message.value() == b'"guilty"':
            raise SystemError(message.value())
        return read(message, now)

    monkeypatch.setattr(Delayed, "from_message", staticmethod(raises))
    delays.start()
    foreign, guilty = len(bad) + len(OUTSIDE) + 3, -(-len(bad) // 10)
    dead = foreign + guilty
    letters = f"{delays.topics.application_id}.dead-letters"
    until("all dead letters", lambda: len(read_topic(kafka.bootstrap, letters)) >= dead)
    back = len(bad) + len(odd) + 2
    until("the good ones", lambda: len(delays.back()) >= back)
    until("those of no lane", lambda: stays(delays) == 50)
    assert len(delays.back()) == back
    until("counted", lambda: delays.dead() == foreign)
    assert all(each.timestamp()[1] <= delays.clock.now() * 1000 for each in delays.back())
    places = [dict(content_of(each).headers) for each in read_topic(kafka.bootstrap, letters)]
    assert len({place["dead_letter.offset"] for place in places}) == dead


def stays(delays: DelayTopics) -> int:
    return len(read_topic(delays.bootstrap, delays.topics.delayed("1h")))


BOMB = base64.b64encode(zlib.compress(bytes(LARGEST + 1), 9)).decode()
CHECKPOINTS: Mapping[str, dict[str, Any]] = {
    "no zlib": {"done": "AAAA"},
    "no base64": {"done": "?"},
    "a bomb": {"done": BOMB},
    "offsets to come": {"done": pack([2**20], 0)},
    "a negative base": {"base": -1},
    "a base to come": {"base": 10**9},
    "a time without a date": {"closed_until": 1e300},
    "a later version": {"version": 99},
}


def with_lanes(config: Path, names: list[str]) -> Path:
    """Further accounts, each with a quota and a campaign of its own."""
    document = orjson.loads(config.read_bytes())
    vendor, campaign = document["vendors"]["pisano"], document["campaigns"]["purchase-sms"]
    for name in names:
        document["quotas"][name] = {"limits": []}
        document["vendors"][name] = {**vendor, "quota": name}
        document["campaigns"][name] = {**campaign, "vendor": name}
    parts = ("quotas", "vendors", "campaigns")
    return change(config, **{part: document[part] for part in parts})


def test_a_checkpoint_that_cannot_be_read_stops_its_lane_and_no_other(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    with LiveWorld(kafka.bootstrap, tmp_path, partitions=1) as world:
        world.start_vendor()
        config = world.configure()
        names = [f"lane-{number}" for number in range(len(CHECKPOINTS) + 1)]
        config = with_lanes(config, names)
        world.create_topics(config)
        good: dict[str, object] = {
            "version": 1, "topic_id": None, "base": 0, "done": pack((), 0), "in_flight": [],
            "permit_log": [], "config_version": "c",
        }  # fmt: skip
        with hand(kafka) as producer:
            for lane, wrong in zip(names, ({}, *CHECKPOINTS.values()), strict=True):
                value = orjson.dumps({**good, "lane": lane, **wrong})
                producer.produce(f"{world.name}.checkpoints.{lane}", value, lane.encode())
        stopped = sorted(names[1:])
        running = world.start(config)
        until("lanes stop", lambda: len(running.lines("stage_stopped")) >= len(stopped))
        world.publish(purchases("store", range(20)))
        world.publish(purchases("cafe", range(20, 40)))
        world.wait_results(40)
        world.check()
        lines = running.lines("stage_stopped")
        assert sorted(line["stage"] for line in lines) == stopped
        assert all("To start afresh" in line["why"] for line in lines)
        assert running.probe("/livez")[0] == 200
        assert running.ended() is None
        assert "unreadable" in operate(config, "lanes", "list")
        assert "lane-1" in operate(config, "status")
