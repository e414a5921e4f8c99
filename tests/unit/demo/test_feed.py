"""Feeding: everything arrives, at the recorded pace times a factor, or it is said what did not.

librdkafka's mock broker stands in for Kafka: what is under test is the feed, not the broker.
"""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from consumer.demo import feed as module
from consumer.demo.events import TimedEvent
from consumer.demo.feed import NAP, Pace, feed, with_progress
from consumer.errors import DispatcherError
from consumer.kafka.clients import EmbeddedBroker

TOPIC = "pos.transaction-completed"
CANARY = b'{"phone": "+12015550100"}'


class FakeTime:
    """A clock that only sleeping moves; `sleeps` is how long each was."""

    def __init__(self) -> None:
        self.now = 50.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def broker() -> EmbeddedBroker:
    found = EmbeddedBroker()
    found.create([TOPIC])
    return found


def settings(broker: EmbeddedBroker, **more: str) -> dict[str, str]:
    named = {name.replace("_", "."): value for name, value in more.items()}
    return {"bootstrap.servers": broker.bootstrap, **named}


def burst(count: int, *, every: float = 0.0) -> list[TimedEvent]:
    return [(n * every, b"k%d" % (n % 7), b"%d" % n) for n in range(count)]


def ignore(_done: int) -> None:
    """A progress without a display."""


def on_topic(broker: EmbeddedBroker, count: int) -> list[Message]:
    client = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test", "log_level": 0})
    client.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in range(4)])
    found: list[Message] = []
    while len(found) < count:
        batch = client.consume(count, timeout=10.0)
        assert batch, f"only {len(found)} of {count} arrived"
        found += batch
    client.close()
    return found


def test_all_events_arrive_with_their_keys_in_order_and_are_counted(broker: EmbeddedBroker) -> None:
    seen: list[int] = []
    fed = feed(settings(broker), TOPIC, burst(1_000), speed=None, progress=seen.append)
    assert fed == 1_000
    assert seen == sorted(seen)
    assert seen[-1] == 1_000
    arrived: dict[bytes, list[int]] = {}
    for message in on_topic(broker, 1_000):
        arrived.setdefault(bytes(message.key() or b""), []).append(int(message.value() or b""))
    assert arrived == {b"k%d" % n: list(range(n, 1_000, 7)) for n in range(7)}


@pytest.mark.parametrize(("speed", "passed"), [(1.0, 9.0), (3.0, 3.0), (None, 0.0)])
def test_events_go_at_the_recorded_pace_times_the_factor(
    broker: EmbeddedBroker, speed: float | None, passed: float
) -> None:
    time = FakeTime()
    left: list[float] = []

    def watched() -> Iterator[TimedEvent]:
        for event in burst(4, every=3.0):
            yield event
            left.append(time.now - 50.0)

    feed(
        settings(broker),
        TOPIC,
        watched(),
        speed=speed,
        progress=ignore,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert left == pytest.approx([passed * n / 3 for n in range(4)])
    assert max(time.sleeps, default=0.0) <= NAP


def test_a_full_queue_is_waited_for(broker: EmbeddedBroker) -> None:
    tight = settings(broker) | {"queue.buffering.max.messages": "10"}
    assert feed(tight, TOPIC, burst(200), speed=None, progress=ignore) == 200


def test_nothing_to_feed_is_no_error(broker: EmbeddedBroker) -> None:
    assert feed(settings(broker), TOPIC, [], speed=None, progress=ignore) == 0


def test_a_missing_topic_is_said_before_anything_is_sent(broker: EmbeddedBroker) -> None:
    with pytest.raises(DispatcherError, match=r"^topic no\.such: UNKNOWN_TOPIC_OR_PART"):
        feed(settings(broker), "no.such", burst(1), speed=None, progress=ignore)


def test_a_kafka_that_does_not_answer_is_said_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "METADATA_WAIT", 0.3)
    nowhere = {"bootstrap.servers": "127.0.0.1:1"}
    with pytest.raises(DispatcherError, match=r"Kafka does not answer: .*refused"):
        feed(nowhere, TOPIC, burst(1), speed=None, progress=ignore)


def test_a_setting_that_librdkafka_refuses_is_a_readable_error() -> None:
    with pytest.raises(DispatcherError, match=r"no\.such\.setting"):
        feed({"no.such.setting": "1"}, TOPIC, burst(1), speed=None, progress=ignore)


def test_a_record_that_cannot_be_sent_ends_the_feed_and_is_counted_without_its_content(
    broker: EmbeddedBroker,
) -> None:
    events = [(0.0, b"k", b"small"), (0.0, b"k", CANARY * 200), (0.0, b"k", b"never sent")]
    with pytest.raises(DispatcherError, match=r"of 2 records were delivered.*TOO_LARGE") as caught:
        feed(settings(broker, message_max_bytes="1000"), TOPIC, events, speed=None, progress=ignore)
    assert "5550100" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_kafka_that_dies_ends_the_feed_long_before_all_is_due() -> None:
    alive = [EmbeddedBroker()]
    alive[0].create([TOPIC])
    brief = settings(alive[0], message_timeout_ms="200")
    time = FakeTime()

    def dying() -> Iterator[TimedEvent]:
        alive.clear()
        gc.collect()  # a process that ran in this one has slowed the collector down
        yield 0.0, b"k", b"lost"
        yield 1e12, b"k", b"due in thirty thousand years"

    with pytest.raises(DispatcherError, match=r"^0 of 1 records were delivered, 1 not: _MSG_TIMED"):
        feed(
            brief,
            TOPIC,
            dying(),
            speed=1.0,
            progress=ignore,
            clock=time.clock,
            sleep=time.sleep,
        )


def test_once_a_record_failed_the_queued_ones_are_given_up_at_once() -> None:
    """Without, this would take five minutes: librdkafka's patience with a broker that is gone."""
    alive = [EmbeddedBroker()]
    alive[0].create([TOPIC])
    small = settings(alive[0], message_max_bytes="1000")

    def dying() -> Iterator[TimedEvent]:
        alive.clear()
        yield from burst(50)
        yield 0.0, b"k", CANARY * 200

    with pytest.raises(DispatcherError, match=r"^0 of 51 records were delivered, 51 not: .*LARGE"):
        feed(small, TOPIC, dying(), speed=None, progress=ignore)


@given(
    st.floats(0, 1e9),
    st.floats(1e-3, 1e6),
    st.floats(0, 1e8),
    st.floats(0, 1e9),
)
def test_an_event_waits_until_its_due_time_by_the_factor_and_never_longer(
    started: float, speed: float, due: float, now: float
) -> None:
    wait = Pace(started, speed).wait(due, now)
    assert wait >= 0
    if wait:
        assert (now + wait - started) * speed == pytest.approx(due, rel=1e-6, abs=1e-6 * speed + 1)
    else:
        assert (now - started) * speed >= due * (1 - 1e-6) - 1e-6 * speed - 1e-6


def test_as_fast_as_possible_never_waits() -> None:
    assert Pace(0.0, None).wait(1e9, 0.0) == 0


@pytest.mark.parametrize("speed", [0.0, -2.0, float("nan")])
def test_a_speed_is_above_0(speed: float) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        Pace(0.0, speed)


def test_the_bar_shows_how_many_of_how_many() -> None:
    out = io.StringIO()
    with with_progress(40, Console(file=out, force_terminal=True, width=100)) as progress:
        progress(10)
        progress(40)
    assert "40/40" in out.getvalue()
    assert "100%" in out.getvalue()
