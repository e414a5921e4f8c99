"""The reader of pauses by command: what it shows, when it may say so, and what its errors do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from structlog.testing import capture_logs

from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.pauses import PauseTable, dump
from consumer.policy.pauses import Pauses
from consumer.records.pause import Pausable, Pause, PauseKind
from consumer.runtime.watchers import pause_watch
from consumer.runtime.watchers.pause_watch import LATELY, PauseBoard, PausesNow, PauseWatch

NOW = 1_000_000.0
TOPIC = "surveys.pauses"
SMS, SHOP = Pausable(PauseKind.CAMPAIGN, "sms"), Pausable(PauseKind.ROUTE, "shop")
ALL = Pausable(PauseKind.EVERYTHING)

pytestmark = pytest.mark.timeout(60)


@dataclass
class Record:
    """A record of the topic, or (with `failure`) what the consumer reports instead."""

    key_bytes: bytes | None
    value_bytes: bytes | None
    at: int = 0
    failure: KafkaError | None = None

    def key(self) -> bytes | None:
        return self.key_bytes

    def value(self) -> bytes | None:
        return self.value_bytes

    def offset(self) -> int:
        return self.at

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def error(self) -> KafkaError | None:
        return self.failure

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_CREATE_TIME, int(NOW * 1000)


def written(thing: Pausable, *, paused: bool, at: float = NOW, why: str | None = None) -> Record:
    pause = Pause(**thing._asdict(), paused=paused, at=at, why=why)
    return Record(thing.key.encode(), dump(pause))


def table(*records: Record) -> PauseTable:
    found = PauseTable()
    for record in records:
        found.take(cast("Message", record))
    return found


# -- the table ------------------------------------------------------------------------------------


def test_the_last_record_of_each_key_is_in_force() -> None:
    found = table(
        written(SMS, paused=True, why="wrong text"),
        written(ALL, paused=True),
        written(SHOP, paused=True),
        written(ALL, paused=False),
        Record(SHOP.key.encode(), None),
    )
    assert found.pauses() == Pauses(campaigns=frozenset({"sms"}))
    assert [(pause.name, pause.at, pause.why) for pause in found.paused()] == [
        ("sms", NOW, "wrong text")
    ]


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"version": 2, "paused": false}'])
def test_a_value_that_cannot_be_read_pauses_what_its_key_names(value: bytes) -> None:
    assert table(Record(SMS.key.encode(), value)).pauses() == Pauses(campaigns=frozenset({"sms"}))


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"lane|eu", b"campaign|a b"])
def test_a_record_of_another_key_changes_nothing(key: bytes | None) -> None:
    assert not table(Record(key, b"{}")).pauses()


def test_the_key_says_what_is_paused_whatever_the_value_says() -> None:
    other = Record(SMS.key.encode(), written(ALL, paused=True).value_bytes)
    assert table(other).pauses() == Pauses(campaigns=frozenset({"sms"}))


def test_what_was_resumed_a_short_time_ago_can_be_told() -> None:
    found = table(written(SMS, paused=False, at=NOW), written(SHOP, paused=False, at=NOW - 10))
    assert found.pauses(resumed_after=NOW - 5) == Pauses(campaigns=frozenset({"sms"}))
    assert not found.pauses()


# -- the watch ------------------------------------------------------------------------------------


@dataclass
class Topic:
    """A topic and its consumer. `end`: of its log, an open transaction included; `turn` is called
    at each poll that finds nothing new."""

    records: list[Record]
    turn: Callable[[int], None]
    end: int | None = None
    refusals: list[KafkaError | Exception | None] = field(default_factory=list)
    turns: int = 0
    _at: int = 0

    def list_topics(self, topic: str, **_wait: float) -> object:
        refusal = self.refusals.pop(0) if self.refusals else None
        if isinstance(refusal, Exception):
            raise refusal
        return SimpleNamespace(topics={topic: SimpleNamespace(error=refusal)})

    def assign(self, places: Sequence[TopicPartition]) -> None:
        for place in places:
            self._at = 0 if place.offset == OFFSET_BEGINNING else place.offset

    def unassign(self) -> None:
        pass

    def consume(self, number: int, _seconds: float) -> list[Record]:
        found = self.records[self._at : self._at + number]
        for offset, record in enumerate(found, self._at):
            record.at = offset
        if not found:
            self.turns += 1
            self.turn(self.turns)
        self._at += len(found)
        ended = KafkaError(KafkaError._PARTITION_EOF)
        return found or [Record(None, None, self._at, ended)]


@dataclass
class Clients:
    """KafkaClients whose reader reads the topic."""

    topic: Topic

    @contextmanager
    def reader(self, _group: str) -> Iterator[Consumer]:
        yield cast("Consumer", self.topic)

    def log_end(self, _client: object, topic: str) -> int:
        assert topic == TOPIC
        return len(self.topic.records) if self.topic.end is None else self.topic.end


@dataclass
class Watched:
    """A watch that runs until its topic's `turn` stops it."""

    board: PauseBoard = field(default_factory=lambda: PauseBoard(known=False))
    stop: threading.Event = field(default_factory=threading.Event)
    seen: list[PausesNow] = field(default_factory=list)

    def run(self, topic: Topic) -> list[dict[str, object]]:
        """Run it; return what it logged."""
        clients = cast("KafkaClients", Clients(topic))
        watch = PauseWatch(TOPIC, clients, self.board, self.seen.append, lambda: NOW)
        with capture_logs() as logged:
            watch.start("surveys.pause-reader", self.stop).join(50)
        assert self.stop.is_set()
        return [dict(line) for line in logged]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are tried again without a wait."""
    monkeypatch.setattr(pause_watch, "TRY_AGAIN", 0.0)


def test_nothing_is_known_before_the_topic_was_read_to_its_end() -> None:
    """An open transaction at its end may hold a pause."""
    watched = Watched()

    def turn(number: int) -> None:
        if number < 3:
            assert not watched.board.known
            assert watched.seen == []
        elif number == 3:
            topic.records.append(written(SMS, paused=True))
        elif watched.board.known:
            watched.stop.set()

    topic = Topic([written(ALL, paused=True)], turn, end=2)
    watched.run(topic)
    assert watched.board.now.pauses == Pauses(everything=True, campaigns=frozenset({"sms"}))


def test_what_is_paused_and_resumed_later_is_shown_and_logged() -> None:
    watched = Watched()
    shown: list[Pauses] = []

    def turn(number: int) -> None:
        shown.append(watched.board.now.pauses)
        if number == 1:
            topic.records += [written(SHOP, paused=True)]
        elif number == 2:
            topic.records += [written(SMS, paused=False)]
        else:
            watched.stop.set()

    topic = Topic([written(SMS, paused=True)], turn)
    logged = watched.run(topic)
    both = Pauses(campaigns=frozenset({"sms"}), routes=frozenset({"shop"}))
    assert shown == [Pauses(campaigns=both.campaigns), both, Pauses(routes=both.routes)]
    assert [(line["event"], line["kind"], line["name"]) for line in logged] == [
        ("paused", "campaign", "sms"),
        ("paused", "route", "shop"),
        ("resumed", "campaign", "sms"),
    ]
    assert watched.board.now.lately == both
    assert [now.pauses for now in watched.seen] == shown


def test_a_resume_of_long_ago_is_none_of_lately() -> None:
    watched = Watched()
    old = written(SMS, paused=False, at=NOW - LATELY - 1)
    watched.run(Topic([old], lambda _: watched.stop.set()))
    assert watched.board.known
    assert not watched.board.now.lately


def test_a_missing_topic_pauses_nothing_and_is_said_once() -> None:
    watched = Watched()
    missing = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    topic = Topic([], lambda _: watched.stop.set(), refusals=[missing, missing])
    logged = watched.run(topic)
    assert [line["event"] for line in logged] == ["pauses_topic_missing"]
    assert watched.board.known


@pytest.mark.parametrize(
    "refusal",
    [
        KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED),
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        ZeroDivisionError(),
    ],
)
def test_a_topic_that_cannot_be_read_leaves_all_unknown(refusal: KafkaError | Exception) -> None:
    """It may hold a pause. It is said, and tried again."""
    watched = Watched()
    topic = Topic([], lambda _: watched.stop.set(), refusals=[refusal])
    known_before: list[bool] = []
    ask = topic.list_topics

    def asked(name: str, **wait: float) -> object:
        known_before.append(watched.board.known)
        return ask(name, **wait)

    topic.list_topics = asked  # type: ignore[method-assign, assignment]
    (line,) = watched.run(topic)
    assert line["event"] == "pauses_unreadable"
    assert known_before == [False, False]
    assert watched.board.known


def test_what_is_known_stays_in_force_while_the_topic_cannot_be_read_and_when_it_is_gone() -> None:
    watched = Watched()
    broken = Record(None, None, failure=KafkaError(KafkaError._ALL_BROKERS_DOWN))
    in_force: list[bool] = []

    def turn(number: int) -> None:
        if number == 1:
            topic.records.append(broken)

    topic = Topic([written(ALL, paused=True)], turn)
    missing = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    topic.refusals = [None, KafkaException(KafkaError(KafkaError._TRANSPORT)), missing]
    ask = topic.list_topics

    def asked(name: str, **wait: float) -> object:
        in_force.append(watched.board.now.pauses.everything)
        if not topic.refusals:
            watched.stop.set()
        return ask(name, **wait)

    topic.list_topics = asked  # type: ignore[method-assign, assignment]
    topic.end = 1
    watched.run(topic)
    assert in_force == [False, True, True, True]
