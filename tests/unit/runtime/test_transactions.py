"""What a transaction took decides how much the next one carries, and is said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from structlog.testing import capture_logs

from consumer.errors import KafkaSessionError
from consumer.kafka.client_settings import TRANSACTION_TIMEOUT
from consumer.kafka.transaction_size import RECORDS
from consumer.runtime.stage import StageRun
from tests.unit.runtime.test_stage import Time, services

FENCED = KafkaException(KafkaError(KafkaError._FENCED, "another epoch", fatal=True))


class Slow:
    """A producer whose commit takes so long, by the clock that it moves, and may fail then."""

    def __init__(self, clock: Time, seconds: float, failure: Exception | None = None) -> None:
        self._clock, self._seconds, self._failure = clock, seconds, failure

    def begin_transaction(self) -> None:
        """It can."""

    def commit_transaction(self, _timeout: float) -> None:
        self._clock.at += self._seconds
        if self._failure is not None:
            raise self._failure


class Made:
    """Clients that note with which timeout a producer is made."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def producer(self, *asked: Any) -> None:
        self.timeouts.append(asked[-1])


class Immediate(threading.Event):
    """Nothing waits between two sessions."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as it is
        return self.is_set()


class Running:
    """A stage with a clock of its own."""

    def __init__(self) -> None:
        self.clock, self.made = Time(), Made()
        self.stop = Immediate()
        self.run = StageRun(services(self.clock, self.made, stop=self.stop), "router")
        self.metrics = self.run.services.metrics

    def transact(self, carried: int, seconds: float, failure: Exception | None = None) -> None:
        producer = cast("Producer", Slow(self.clock, seconds, failure))
        with self.run.transaction(producer, carried):
            pass

    @property
    def records(self) -> int:
        return self.run.size.records

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            f"survey_dispatcher_{name}", {"stage": "router"}
        )


def test_slow_transaction_is_said_with_what_follows_and_what_to_do() -> None:
    running = Running()
    with capture_logs() as lines:
        running.transact(1_000, 0.1)
        assert lines == []
        running.transact(1_000, 7.0)
    (line,) = lines
    assert line["event"] == "transaction_slow"
    assert line["why"] == (
        "1000 records took 7.0 s: the next transaction carries 500 at most, and may take 10 s"
    )
    assert "KafkaThrottles" in line["hint"]
    assert running.records == running.value("transaction_records_limit") == 500
    assert running.value("transaction_duration_seconds_count") == 2


def test_transaction_that_kafka_aborts_makes_the_next_one_smaller_and_then_longer() -> None:
    running = Running()
    for carried in (4, 2, 1, 1):
        with pytest.raises(KafkaSessionError):
            running.transact(carried, 10.0, FENCED)
    running.run.producer("surveys.router.0")
    assert running.records == 1
    assert running.made.timeouts == [2 * TRANSACTION_TIMEOUT]


def run_sessions(running: Running, session: Callable[[], None], times: int) -> list[str]:
    """Events of the log, of so many sessions in turn."""
    ran = list[int]()

    def once() -> None:
        ran.append(1)
        if len(ran) == times:
            running.stop.set()
        session()

    running.run.producer("surveys.router.0")
    with capture_logs() as lines, pytest.raises(KafkaSessionError):
        running.run.keep_running(once)
    return [line["event"] for line in lines]


def test_transaction_that_outlasted_its_timeout_is_no_rivals_work() -> None:
    """Kafka aborts it with a new epoch, which looks like another process with the same id."""
    running = Running()

    def session() -> None:
        running.run.producer("surveys.router.0")
        running.transact(1, running.run.timeout + 2.0, FENCED)

    events = run_sessions(running, session, 6)
    assert events.count("session_ended") == 5
    assert "transactional_id_contested" not in events


def test_rival_is_still_said() -> None:
    running = Running()
    events = run_sessions(running, lambda: running.transact(1, 1.0, FENCED), 6)
    assert "transactional_id_contested" in events
    assert running.records == RECORDS


class Event:
    """As librdkafka's: a quota holds a client back for so many seconds, or no more."""

    def __init__(self, seconds: float) -> None:
        self.throttle_time = seconds


def test_quota_of_kafka_that_holds_a_client_back_is_counted_and_said() -> None:
    running = Running()
    with capture_logs() as lines:
        for seconds in (2.5, 0.02, 0.0):
            running.run._count_throttle(cast("Any", Event(seconds)))
    assert running.value("kafka_throttle_seconds_total") == 2.52
    assert [line["why"] for line in lines] == ["for 2500 ms", "for 20 ms"]
    assert all("quota" in line["hint"] for line in lines)
