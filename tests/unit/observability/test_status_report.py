"""The picture of a running process: the board, the counters and the health in one."""

from __future__ import annotations

import threading
from dataclasses import replace

from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.board import CALLS_KEPT, StatusBoard
from consumer.observability.status.report import StatusReport
from consumer.observability.status.status import (
    CallStatus,
    ContactStoreStatus,
    LaneStatus,
    StageStatus,
    dump,
    load,
)
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason

CALL = CallStatus(1.0, "cloud", "pisano", "cloud.1.1", "sms", 5, "200", "accepted", 0.4)


class Running:
    """A process of which only the report is looked at."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lanes = ["cloud", "radar"]
        self.board = StatusBoard()
        self.metrics = Metrics(campaigns=["sms"])
        self.health = Health(lambda: self.now)
        self.health.set_ready("config", ok=True)
        self.report = StatusReport(
            self.board, self.metrics, self.health, lambda: self.now, self.config, "dispatcher-0"
        )

    def config(self) -> tuple[str, list[str]]:
        return "3f9a", self.lanes


# -- the board ------------------------------------------------------------------------------------


def test_the_last_calls_are_kept_the_newest_first() -> None:
    board = StatusBoard()
    for number in range(CALLS_KEPT + 5):
        board.called(replace(CALL, batch=f"b{number}"))
    calls, doubtful = board.calls()
    assert [call.batch for call in calls] == [f"b{number}" for number in range(24, 4, -1)]
    assert not doubtful


def test_a_call_in_doubt_is_kept_however_many_follow() -> None:
    board = StatusBoard()
    board.called(replace(CALL, batch="doubt", verdict="in_doubt"))
    for _ in range(CALLS_KEPT):
        board.called(CALL)
    calls, doubtful = board.calls()
    assert "doubt" not in [call.batch for call in calls]
    assert [call.batch for call in doubtful] == ["doubt"]


def test_many_threads_may_write_while_others_read() -> None:
    board, stop = StatusBoard(), threading.Event()

    def write(name: str) -> None:
        while not stop.is_set():
            board.lane(LaneStatus(name))
            board.called(CALL)
            board.clear_lane(name)

    writers = [threading.Thread(target=write, args=(f"lane-{n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(2000):
            assert len(board.lanes()) <= 4
            assert len(board.calls()[0]) <= CALLS_KEPT
    finally:
        stop.set()
        for writer in writers:
            writer.join()


# -- the report -----------------------------------------------------------------------------------


def test_every_lane_of_the_config_is_shown_owned_or_not() -> None:
    """And one that left the config, while this process still ends its calls."""
    run = Running()
    run.board.lane(LaneStatus("cloud", "here", waiting=7))
    run.board.lane(LaneStatus("former", "here"))
    lanes = run.report.snapshot().lanes
    assert [(lane.name, lane.owner, lane.waiting) for lane in lanes] == [
        ("cloud", "here", 7),
        ("radar", None, 0),
        ("former", "here", 0),
    ]


def test_results_and_dead_letters_are_counted_over_all_lanes_and_inputs() -> None:
    run = Running()
    run.metrics.lane("cloud").start()
    run.metrics.router.start_inputs(["pos", "web"])
    run.metrics.lane("cloud").results({Reason.ACCEPTED: 5000})
    run.metrics.lane("radar").results({Reason.ACCEPTED: 10})
    run.metrics.router.results({Reason.TOO_OLD: 3})
    run.metrics.router.events("pos", "dead_letter", DeadLetterReason.NO_TIME, 2)
    run.metrics.router.events("web", "dead_letter", DeadLetterReason.NO_TIME, 1)
    run.metrics.router.events("web", "routed", n=9)
    now = run.report.snapshot()
    assert now.results == {
        "accepted": {"accepted": 5010},
        "rejected": {},
        "suppressed": {},
        "expired": {"too_old": 3},
        "failed": {},
        "unknown": {},
    }
    assert now.dead_letters == {"no_time": 3}


def test_the_contact_store_and_what_its_rules_held_back_are_shown() -> None:
    run = Running()
    assert run.report.snapshot().contacts is None
    run.metrics.contacts.set_rules(["everyone", "nps"])
    run.metrics.contacts.held_back("cloud", {("everyone", Reason.CONTACT_LIMIT): 4})
    run.metrics.contacts.held_back("radar", {("everyone", Reason.CONTACT_LIMIT): 1})
    run.metrics.contacts.held_back("radar", {("nps", Reason.COOLDOWN): 2})
    run.report.contacts = lambda: ContactStoreStatus("reading", "it reads results", ["radar"])
    now = run.report.snapshot()
    assert now.held_back == {"everyone": {"contact_limit": 5}, "nps": {"cooldown": 2}}
    assert now.contacts == ContactStoreStatus("reading", "it reads results", ["radar"], 0)
    assert load(dump(now)).contacts == now.contacts


def test_lag_delays_orphans_and_doubts_are_shown() -> None:
    run = Running()
    run.metrics.router.inputs({("pos", 0): (9, 4), ("pos", 1): (9, 3)})
    run.metrics.stage("delay").delayed_invitations({"10m": 12})
    run.metrics.process.orphaned({"old": 6})
    run.metrics.lane("cloud").in_doubt(2)
    now = run.report.snapshot()
    assert now.router_lag == {"pos": 7}
    assert now.delayed == {"10m": 12}
    assert now.orphans == {"old": 6}
    assert now.in_doubt == {"cloud": 2}


def test_a_loop_shows_how_long_ago_it_went_round_and_whether_it_stopped() -> None:
    run = Running()
    run.metrics.stage("router").heartbeat(990.0)
    run.metrics.stage("cloud").heartbeat(1000.0)
    run.metrics.lane("cloud").stopped()
    assert run.report.snapshot().stages == [
        StageStatus("cloud", 0.0, stopped=True),
        StageStatus("router", 10.0),
    ]


def test_the_process_shows_its_identity_and_its_last_reload() -> None:
    run = Running()
    run.now = 1060.0
    run.board.reloaded("refused", 1050.0)
    process = run.report.snapshot().process
    assert process is not None
    assert (process.instance, process.config_version) == ("dispatcher-0", "3f9a")
    assert process.started_at == 1000.0
    assert (process.reload, process.reload_at) == ("refused", 1050.0)


def test_what_is_unready_is_a_note() -> None:
    run = Running()
    run.health.set_ready("broker", ok=False, why="not reached")
    run.health.register("router", 5.0)
    run.now = 1010.0
    said = [note.what for note in run.report.snapshot().notes]
    assert said == ["router: silent for 10 s, 5 s are allowed", "broker: not reached"]


def test_many_requests_at_once_cost_as_much_as_one() -> None:
    """And no answer is older than half a second."""
    run = Running()
    first = run.report.json()
    run.metrics.process.orphaned({"old": 6})
    assert run.report.json() is first
    run.now += 0.5
    assert load(run.report.json()).orphans == {"old": 6}
