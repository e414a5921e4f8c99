"""A stage that waits for Kafka is alive, and gives up in time when it is stopped."""

from __future__ import annotations

import gc
import weakref
from typing import cast

from consumer.clock import Clock
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError
from consumer.kafka.clients import Clients
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.stage import MAX_SILENCE, StageServices

ATTEMPT = 5.0
"""Seconds that one attempt at Kafka takes."""


class Time(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1000.0
        super().__init__(lambda: self.at, lambda: self.at)


def stage(clock: Time) -> StageServices:
    health = Health(clock.now)
    health.register("pisano", MAX_SILENCE)
    topics = cast("Topics", None)
    return StageServices(topics, ["pisano"], "v1", cast("Clients", None), clock, Metrics(), health)


def test_an_hour_without_kafka_is_no_reason_to_be_restarted() -> None:
    clock = Time()
    running = stage(clock)
    give_up = running.waiting("pisano")
    for _ in range(int(3600 / ATTEMPT)):
        clock.at += ATTEMPT
        assert not give_up()
        assert running.health.alive() == []


def test_a_stop_ends_the_wait_at_once_or_after_its_grace() -> None:
    clock = Time()
    running = stage(clock)
    at_once, later = running.waiting("pisano"), running.waiting("pisano", 10.0)
    assert (at_once(), later()) == (False, False)
    running.stop.set()
    assert (at_once(), later()) == (True, False)
    clock.at += 9.9
    assert not later()
    clock.at += 0.2
    assert later()


def test_a_session_that_ended_keeps_no_client() -> None:
    """Whoever holds on to its error: a client's threads and connections are not small."""

    class Client:
        """Something with threads."""

    errors: list[KafkaSessionError] = []
    clients: list[weakref.ref[Client]] = []

    def session() -> None:
        if errors:
            return
        client = Client()
        clients.append(weakref.ref(client))
        errors.append(KafkaSessionError("fenced"))
        raise errors[0]

    stage(Time()).keep_running("pisano", session)
    gc.collect()
    assert [client() for client in clients] == [None]


def test_a_session_that_ended_by_a_ring_of_errors_is_followed_by_another() -> None:
    """A fenced claim left one, and its stage went round in it for ever."""
    error = KafkaSessionError("fenced")
    error.__context__ = KafkaSessionError("its cause")
    error.__context__.__context__ = error
    coming = iter([error])
    sessions: list[bool] = []

    def session() -> None:
        trouble = next(coming, None)
        sessions.append(trouble is None)
        if trouble is not None:
            raise trouble

    stage(Time()).keep_running("pisano", session)
    assert sessions == [False, True]
