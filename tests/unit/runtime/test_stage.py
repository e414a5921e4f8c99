"""A stage that waits for Kafka is alive, and gives up in time when it is stopped."""

from __future__ import annotations

import gc
import weakref
from typing import Any, cast

from consumer.clock import Clock
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError
from consumer.kafka.clients import KafkaClients
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.stage import MAX_SILENCE, ConfigInUse, StageRun, StageServices

ATTEMPT = 5.0
"""Seconds that one attempt at Kafka takes."""


class Time(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1000.0
        super().__init__(lambda: self.at, lambda: self.at)


def services(clock: Time, clients: object = None, **others: Any) -> StageServices:
    config = ConfigInUse("v1", ["pisano"])
    made = cast("KafkaClients", clients)
    health = Health(clock.now)
    return StageServices(Topics("surveys"), config, made, clock, Metrics(), health, **others)


def stage_run(clock: Time, name: str = "pisano", clients: object = None) -> StageRun:
    run = StageRun(services(clock, clients), name)
    run.services.health.register(name, MAX_SILENCE)
    return run


def test_an_hour_without_kafka_is_no_reason_to_be_restarted() -> None:
    clock = Time()
    running = stage_run(clock)
    give_up = running.waiting()
    for _ in range(int(3600 / ATTEMPT)):
        clock.at += ATTEMPT
        assert not give_up()
        assert running.services.health.alive() == []


def test_a_stop_ends_the_wait_at_once_or_after_its_grace() -> None:
    clock = Time()
    running = stage_run(clock)
    at_once, later = running.waiting(), running.waiting(10.0)
    assert (at_once(), later()) == (False, False)
    running.services.stop.set()
    assert (at_once(), later()) == (True, False)
    clock.at += 9.9
    assert not later()
    clock.at += 0.2
    assert later()


def test_a_session_that_ended_keeps_no_client() -> None:
    """A reference to its error would keep them, with a client's threads and connections."""

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

    stage_run(Time()).keep_running(session)
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

    stage_run(Time()).keep_running(session)
    assert sessions == [False, True]
