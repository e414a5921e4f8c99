"""Liveness and readiness, on a clock that the tests set."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from consumer.observability.health import Health


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_process_without_loops_is_alive() -> None:
    assert Health(Clock()).alive() == []


def test_a_loop_is_alive_up_to_its_allowed_silence_and_not_beyond() -> None:
    clock = Clock()
    health = Health(clock)
    health.register("router", 30.0)
    clock.now += 30.0
    assert health.alive() == []
    clock.now += 1.0
    assert health.alive() == ["router: silent for 31 s, 30 s are allowed"]


def test_a_beat_ends_the_silence_of_its_own_loop_only() -> None:
    clock = Clock()
    health = Health(clock)
    health.register("router", 10.0)
    health.register("pisano-cloud", 10.0)
    clock.now += 20.0
    health.beat("router")
    assert health.alive() == ["pisano-cloud: silent for 20 s, 10 s are allowed"]


def test_a_loop_that_ended_on_purpose_is_no_problem_even_if_it_beats_once_more() -> None:
    clock = Clock()
    health = Health(clock)
    health.register("pisano-cloud", 10.0)
    health.unregister("pisano-cloud")
    health.beat("pisano-cloud")
    clock.now += 100.0
    assert health.alive() == []


def test_a_loop_that_comes_back_is_watched_from_then_on() -> None:
    clock = Clock()
    health = Health(clock)
    health.register("radar", 10.0)
    health.unregister("radar")
    clock.now += 100.0
    health.register("radar", 10.0)
    assert health.alive() == []
    clock.now += 11.0
    assert len(health.alive()) == 1


def test_to_know_nothing_is_not_ready() -> None:
    assert Health(Clock()).ready() == ["nothing has reported yet"]


def test_an_expected_condition_is_unready_until_it_is_reported() -> None:
    health = Health(Clock(), conditions=["config", "broker"])
    health.set_ready("config", ok=True)
    assert health.ready() == ["broker: not reported yet"]
    health.set_ready("broker", ok=True)
    assert health.ready() == []


def test_a_lost_condition_is_unready_with_its_reason_until_it_holds_again() -> None:
    health = Health(Clock())
    health.set_ready("broker", ok=False, why="no broker answers")
    assert health.ready() == ["broker: no broker answers"]
    health.set_ready("broker", ok=False)
    assert health.ready() == ["broker: not ready"]
    health.set_ready("broker", ok=True, why="ignored")
    assert health.ready() == []


def test_a_dropped_condition_is_not_asked_for_any_more() -> None:
    health = Health(Clock())
    health.set_ready("config", ok=True)
    health.set_ready("group:pos", ok=False, why="not joined")
    health.drop_condition("group:pos")
    assert health.ready() == []


def test_no_lane_assigned_is_ready() -> None:
    """Lanes are loops, not conditions: taking and losing all of them changes no readiness."""
    health = Health(Clock(), conditions=["broker"])
    health.set_ready("broker", ok=True)
    health.register("pisano-cloud", 10.0)
    health.unregister("pisano-cloud")
    assert health.ready() == []


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns every few bytecodes, so that a race shows within a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
def test_loops_that_come_and_go_in_threads_never_disturb_a_reader() -> None:
    """Lane threads register, beat and unregister while the probes read."""
    health = Health(Clock(), conditions=["broker"])
    failures: list[BaseException] = []

    def lane(name: str) -> None:
        try:
            for turn in range(20_000):
                health.register(f"{name}-{turn % 7}", 10.0)
                health.beat(f"{name}-{turn % 7}")
                health.set_ready(f"group:{name}-{turn % 5}", ok=True)
                health.drop_condition(f"group:{name}-{turn % 5}")
                health.unregister(f"{name}-{turn % 7}")
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=lane, args=(f"lane{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert health.alive() == []
        assert health.ready() == ["broker: not reported yet"]
    assert failures == []
