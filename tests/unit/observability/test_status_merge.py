"""The status of two processes as that of one."""

from __future__ import annotations

from dataclasses import replace

from consumer.observability.status.merge import merged
from consumer.observability.status.status import (
    COMMAND,
    CONFIG,
    CallStatus,
    ContactStoreStatus,
    LaneStatus,
    PauseStatus,
    ProcessStatus,
    StageStatus,
    StatusSnapshot,
)

PROCESS = ProcessStatus("dispatcher-0", "1", 100.0, "3f9a")
CALL = CallStatus(1.0, "eu", "pisano", "eu.1.1", "sms", 5, "200", "accepted", 0.4)
BY_CONFIG = PauseStatus("route", "shop", CONFIG)
BY_COMMAND = PauseStatus("campaign", "sms", COMMAND, 1.0)
ROUTER = StatusSnapshot(
    10.0,
    PROCESS,
    problems=["broker: no answer"],
    stages=[StageStatus("delay", 0.1), StageStatus("router", 0.2)],
    lanes=[LaneStatus("eu"), LaneStatus("us")],
    results={"rejected": {"expired": 2}, "accepted": {}},
    dead_letters={"bad_json": 1},
    router_lag={"pos": 6},
    delayed={"1m": 3},
    stopped_inputs={"pos": 1},
    waiting_inputs={"web": 2},
    pauses=[BY_CONFIG],
)
SENDER = StatusSnapshot(
    11.0,
    replace(PROCESS, started_at=101.0),
    problems=["broker: no answer", "group:eu: not a member"],
    stages=[StageStatus("eu", 0.3)],
    lanes=[LaneStatus("eu", "here", waiting=7), LaneStatus("us"), LaneStatus("left", "here")],
    calls=[replace(CALL, at=3.0), CALL],
    in_doubt={"eu": 1},
    pauses=[BY_COMMAND, BY_CONFIG],
    results={"rejected": {"expired": 1, "unfit": 4}, "unknown": {"owner_lost": 1}},
)
NEVER = None, None


def test_each_process_shows_what_it_knows() -> None:
    one = merged([ROUTER, SENDER], NEVER)
    assert one.process == PROCESS
    assert list(one.pauses) == [BY_CONFIG, BY_COMMAND]
    assert list(one.problems) == ["broker: no answer", "group:eu: not a member"]
    assert [stage.name for stage in one.stages] == ["delay", "eu", "router"]
    assert [(lane.name, lane.owner, lane.waiting) for lane in one.lanes] == [
        ("eu", "here", 7),
        ("us", None, 0),
        ("left", "here", 0),
    ]
    assert [call.at for call in one.calls] == [3.0, 1.0]
    assert (one.router_lag, one.delayed, one.stopped_inputs) == ({"pos": 6}, {"1m": 3}, {"pos": 1})
    assert one.waiting_inputs == {"web": 2}


def test_results_are_summed() -> None:
    assert merged([ROUTER, SENDER], NEVER).results == {
        "accepted": {},
        "rejected": {"expired": 3, "unfit": 4},
        "unknown": {"owner_lost": 1},
    }


def test_the_contact_store_is_the_senders_and_what_rules_held_back_is_summed() -> None:
    store = ContactStoreStatus("ready")
    one = replace(ROUTER, held_back={"everyone": {"contact_limit": 2}})
    other = replace(SENDER, held_back={"everyone": {"contact_limit": 1}}, contacts=store)
    found = merged([one, other], NEVER)
    assert found.held_back == {"everyone": {"contact_limit": 3}}
    assert found.contacts == store


def test_notes_are_those_of_the_whole() -> None:
    one = merged([ROUTER, SENDER], ("refused", 9.0))
    assert one.process is not None
    assert (one.process.reload, one.process.reload_at) == ("refused", 9.0)
    assert {note.where for note in one.notes} >= {"process", "config", "pos"}
    assert len([note for note in one.notes if "broker" in note.what]) == 1
