"""The delay ladder on a real Kafka, with steps of seconds instead of minutes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import orjson
import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient

from consumer.adapters.clients import KafkaClients
from consumer.adapters.clock import Clock
from consumer.adapters.delayed import Delayed
from consumer.adapters.health import Health
from consumer.adapters.metrics import Metrics
from consumer.config.topics import Topics
from consumer.lane.ladder import STEPS, step_for
from consumer.runtime.ladder_loop import LadderLoop
from consumer.runtime.ladder_watch import LadderWatch
from consumer.runtime.stage import Stage
from tests.support.dispatcher import until
from tests.support.kafka import KafkaBroker, create_topics, read_topic, unique

pytestmark = pytest.mark.kafka
SECONDS = {"1m": 1.0, "10m": 3.0}


class Ladder:
    """A ladder's loop in a thread, and topics for it."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.bootstrap = broker.bootstrap
        self.topics = Topics(unique("surveys"))
        self.clock = Clock()
        create_topics(
            self.bootstrap,
            *(self.topics.delayed(step) for step in STEPS),
            config={"message.timestamp.type": "LogAppendTime"},
        )
        create_topics(self.bootstrap, self.topics.invitations("cloud"), self.topics.dead_letters)
        self._client = Producer({"bootstrap.servers": self.bootstrap})
        self._running: tuple[Stage, threading.Thread] | None = None
        self.metrics = Metrics()

    def start(self) -> Stage:
        health = Health(self.clock.now)
        clients = KafkaClients({"bootstrap.servers": self.bootstrap})
        stage = Stage(self.topics, ["cloud"], "v1", clients, self.clock, self.metrics, health)
        loop = LadderLoop(stage, "0")
        thread = threading.Thread(target=stage.keep_running, args=("ladder", loop.session))
        thread.start()
        self._running = stage, thread
        return stage

    def stop(self) -> None:
        if self._running is not None:
            stage, thread = self._running
            stage.stop.set()
            thread.join(30)
            assert not thread.is_alive()
            self._running = None

    def put(self, number: int, seconds: float, lane: str = "cloud") -> float:
        """One invitation that is due in so many seconds; when that is."""
        now = self.clock.now()
        due = now + seconds
        record = Delayed(lane, 1_700_000_000.25, due, f"k{number}", orjson.dumps({"n": number}))
        record.put(self._client, self.topics.delayed(step_for(seconds)))
        assert self._client.flush(10) == 0
        return due

    def write(self, value: bytes) -> None:
        """A record on the ladder that no lane put there."""
        self._client.produce(self.topics.delayed("1m"), value, b"k")
        assert self._client.flush(10) == 0

    def shown(self) -> dict[str, float]:
        """Step → what its gauge shows."""
        (family,) = self.metrics.ladder_waiting.collect()
        return {each.labels["step"]: each.value for each in family.samples}

    def dead(self) -> float | None:
        """How many dead letters were counted."""
        return self.metrics.registry.get_sample_value(
            "survey_dispatcher_dead_letters_total", {"stage": "ladder", "reason": "bad_invitation"}
        )

    def back(self) -> list[Message]:
        return read_topic(self.bootstrap, self.topics.invitations("cloud"))

    def numbers(self) -> list[int]:
        return [orjson.loads(each.value() or b"")["n"] for each in self.back()]


@pytest.fixture
def ladder(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ladder]:
    for step, seconds in SECONDS.items():
        monkeypatch.setitem(STEPS, step, seconds)
    ladder = Ladder(kafka)
    yield ladder
    ladder.stop()


def test_who_is_put_off_comes_back_when_due_once_and_as_it_was(ladder: Ladder) -> None:
    """Several steps at once, hops between them, a restart in the middle."""
    due = {number: ladder.put(number, 1.0 + number % 5) for number in range(200)}
    ladder.start()
    until("the first are back", lambda: len(ladder.back()) > 20)
    ladder.stop()
    ladder.start()
    until("all are back", lambda: len(ladder.back()) >= 200)
    back = ladder.back()
    assert sorted(ladder.numbers()) == sorted(due)
    assert {each.timestamp()[1] for each in back} == {1_700_000_000_250}
    assert {each.key() for each in back} == {f"k{number}".encode() for number in due}
    assert ladder.clock.now() >= max(due.values())


def test_nobody_comes_back_before_the_time(ladder: Ladder) -> None:
    due = ladder.put(1, 2.5)
    ladder.start()
    until("it is back", lambda: bool(ladder.back()))
    assert ladder.clock.now() >= due


def test_a_step_that_waits_shows_how_many_wait(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused, it has no position, and nothing of it is fetched."""
    monkeypatch.setitem(STEPS, "10m", 600.0)
    for number in range(3):
        ladder.put(number, 700.0)
    stage = ladder.start()
    steps = [ladder.topics.delayed(step) for step in STEPS]
    watch = LadderWatch(
        AdminClient({"bootstrap.servers": ladder.bootstrap}), steps, stage.step_ends
    )
    watch.look()
    until("all three are shown", lambda: ladder.shown().get("10m") == 3)
    ladder.put(4, 700.0)
    watch.look()
    until("who comes later too", lambda: ladder.shown()["10m"] == 4)
    assert ladder.shown() == dict.fromkeys(STEPS, 0) | {"10m": 4}
    ladder.stop()
    assert ladder.shown() == {}


def test_a_step_that_everybody_left_is_empty_though_markers_are_left(ladder: Ladder) -> None:
    """Who waits for longer hops through a transaction, whose marker is the step's last record."""
    ladder.put(1, 3.5)
    ladder.start()
    until("it is back", lambda: bool(ladder.back()))
    until("all is empty", lambda: ladder.shown() == dict.fromkeys(STEPS, 0))


def test_what_no_lane_put_there_becomes_a_dead_letter(ladder: Ladder) -> None:
    ladder.write(b"?")
    ladder.put(1, 1.0)
    ladder.start()
    until("the other is back", lambda: bool(ladder.back()))
    (letter,) = read_topic(ladder.bootstrap, ladder.topics.dead_letters)
    headers = dict(letter.headers() or [])
    assert letter.value() == b"?"
    assert headers["dead_letter.reason"] == b"bad_invitation"
    until("it is counted", lambda: ladder.dead() == 1)


def test_a_lane_that_left_the_config_gets_its_own_to_be_drained(ladder: Ladder) -> None:
    former = ladder.topics.invitations("former")
    create_topics(ladder.bootstrap, former)
    ladder.put(1, 1.0, lane="former")
    ladder.start()
    until("it is on the orphan's topic", lambda: bool(read_topic(ladder.bootstrap, former)))


def test_invitations_of_a_lane_without_a_topic_stay_on_the_ladder(ladder: Ladder) -> None:
    ladder.put(1, 1.0, lane="gone")
    ladder.start()
    orphaned = ladder.topics.delayed("1h")
    until("it is on the long step", lambda: bool(read_topic(ladder.bootstrap, orphaned)))
    assert not ladder.back()
