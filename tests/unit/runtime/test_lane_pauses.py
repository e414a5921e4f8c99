"""A lane and what is paused by command: before it joins its group, and while it is owned."""

from __future__ import annotations

from queue import SimpleQueue
from typing import cast

import pytest
from confluent_kafka import Consumer, Producer

from consumer.errors import KafkaSessionError
from consumer.http.calls import Calls
from consumer.policy.pauses import Pauses
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_loop import LaneStage
from consumer.runtime.lane.lane_owner import LaneOwnership
from consumer.runtime.stage import MAX_SILENCE, StageServices
from consumer.runtime.watchers.pause_watch import PauseBoard, PausesNow
from tests.support.lanes import campaign, lane, settings
from tests.unit.runtime.test_stage import Time, services, stage_run

A = Pauses(campaigns=frozenset("a"))
NONE = Pauses()


class Clients:
    """KafkaClients that a lane asks for its consumer only once it joins its group."""

    def __init__(self) -> None:
        self.asked: list[bool] = []
        self.board: PauseBoard | None = None

    def lingers(self, _group: str) -> bool:
        assert self.board is not None
        self.asked.append(self.board.known)
        raise KafkaSessionError("joined")


def waiting(known: bool) -> tuple[LaneStage, StageServices, Clients]:
    clients = Clients()
    found = services(Time(), clients, pauses=PauseBoard(known=known))
    clients.board = found.pauses
    found.health.register("cloud", MAX_SILENCE)
    return LaneStage(settings(), found, cast("Calls", None), None), found, clients


def test_a_lane_joins_its_group_only_when_it_is_known_what_is_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, found, clients = waiting(known=False)

    def look() -> None:
        assert clients.asked == []
        (problem,) = found.health.ready()
        assert "surveys.pauses is not read yet" in problem
        found.pauses.known = True

    monkeypatch.setattr(found.stop, "wait", lambda _seconds: look())
    with pytest.raises(KafkaSessionError, match="joined"):
        stage.run_membership()
    assert clients.asked == [True]


def test_a_lane_that_is_told_to_stop_does_not_wait_for_pauses() -> None:
    stage, found, clients = waiting(known=False)
    found.stop.set()
    stage.run_membership()
    stage.leave()
    assert clients.asked == []


def test_a_stop_while_it_waits_ends_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, found, clients = waiting(known=False)
    monkeypatch.setattr(found.stop, "wait", lambda _seconds: found.stop.set())
    stage.run_membership()
    assert clients.asked == []


def owned(now: PausesNow) -> tuple[LaneOwnership, list[str]]:
    """An ownership that begins when this is paused; and what it asked to be returned."""
    clock, asked = Time(), list[str]()
    run = stage_run(clock)
    run.services.pauses.now = now
    run.services.commands.return_elsewhere = asked.extend
    machine = lane(settings(campaign("a"), campaign("b")))
    rivals = ConfigRivals("cloud", run.services.metrics, "c1", clock.now())
    clients = cast("Producer", None), cast("Consumer", None), cast("Calls", None)
    return LaneOwnership(machine, run, *clients, SimpleQueue(), rivals), asked


def test_an_owner_pauses_and_resumes_between_its_turns() -> None:
    one, asked = owned(PausesNow(A, A))
    assert one.lane.settlement.hold_back.pauses == A
    one.services.pauses.now = PausesNow(Pauses(everything=True), A)
    one.read([])
    assert one.lane.settlement.hold_back.pauses.everything
    assert asked == []
    one.services.pauses.now = PausesNow(A, A)
    one.read([])
    assert asked == ["b"]
    one.read([])
    assert asked == ["b"]
    one.services.pauses.now = PausesNow(NONE, A)
    one.read([])
    assert asked == ["b", "a"]
    assert not one.lane.settlement.hold_back.pauses


def test_a_new_owner_returns_what_was_resumed_a_short_time_ago() -> None:
    """The former one may have ended before it did."""
    one, asked = owned(PausesNow(NONE, A))
    assert asked == ["a"]
    assert not one.lane.settlement.hold_back.pauses
