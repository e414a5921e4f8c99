"""What the engineer on call should look at first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.observability.status.notes import DOUBT_SHOWN, PAUSES_SHOWN, notes
from consumer.observability.status.status import (
    COMMAND,
    CONFIG,
    AccountStatus,
    CallStatus,
    CampaignStatus,
    ContactStoreStatus,
    LaneStatus,
    Level,
    PauseStatus,
    ProcessStatus,
    StageStatus,
    StatusSnapshot,
)

NOW = 10_000.0
WELL = StatusSnapshot(
    at=NOW,
    process=ProcessStatus("dispatcher-0", "0.1.0", 1.0, "3f9a", "applied", 5.0),
    stages=[StageStatus("router", 0.1)],
    lanes=[
        LaneStatus(
            "cloud",
            owner="here",
            waiting=3,
            campaigns=[CampaignStatus("sms", 3, 1.5)],
            held_back_by="20/5s",
            accounts=[AccountStatus("pisano")],
        )
    ],
    orphans={"old": 0},
)
DOUBT = CallStatus(NOW - 5, "cloud", "pisano", "b", "sms", 1200, "timeout", "in_doubt", 30.0)


def lane(**changes: object) -> StatusSnapshot:
    """All is well but for this lane."""
    return replace(WELL, lanes=[replace(WELL.lanes[0], **changes)])  # type: ignore[arg-type]


def test_a_healthy_status_has_no_notes() -> None:
    assert notes(WELL) == []
    assert notes(replace(WELL, contacts=ContactStoreStatus("ready", waiting=3))) == []


CASES = {
    "unready": (replace(WELL, problems=["broker: away"]), Level.BAD, "process", "broker: away"),
    "config": (
        replace(WELL, process=ProcessStatus("d", "1", 1.0, "3f9a", "refused", 5.0)),
        Level.BAD,
        "config",
        "3f9a stays in use",
    ),
    "waiting": (
        replace(WELL, waiting_inputs={"pos": 1}),
        Level.WARN,
        "pos",
        "1 partition waits for a schema: the log's `registry_unreachable` says why",
    ),
    "waiting partitions": (
        replace(WELL, waiting_inputs={"pos": 2}),
        Level.WARN,
        "pos",
        "2 partitions wait for a schema",
    ),
    "stopped": (
        replace(WELL, stages=[StageStatus("cloud", 9.0, stopped=True)]),
        Level.BAD,
        "cloud",
        "stage_stopped",
    ),
    "store": (
        replace(WELL, contacts=ContactStoreStatus("ready", "the contact store refuses: OOM")),
        Level.BAD,
        "contact store",
        "refuses: OOM: no survey is sent meanwhile",
    ),
    "store starts": (
        replace(WELL, contacts=ContactStoreStatus("waiting", "it is new", ["radar", "cloud"])),
        Level.WARN,
        "contact store",
        "it is new, lanes cloud, radar have not reported: no survey",
    ),
    "doubt": (replace(WELL, doubtful=[DOUBT]), Level.WARN, "cloud", "1,200 customers"),
    "orphan": (replace(WELL, orphans={"old": 7}), Level.WARN, "old", "`lanes drain old`"),
    "refused": (
        lane(
            accounts=[
                AccountStatus(
                    "pisano",
                    credentials_refused=True,
                    since=NOW,
                    why="HTTP 401: token not accepted",
                    tries_at=NOW + 60,
                )
            ]
        ),
        Level.BAD,
        "cloud",
        "refused by the vendor since 1970-01-01T02:46:40.000Z (HTTP 401: token not accepted), next",
    ),
    "ill": (
        lane(accounts=[AccountStatus("pisano", circuit_open=True)]),
        Level.BAD,
        "cloud",
        "circuit of account pisano open",
    ),
    "parked": (
        lane(campaigns=[CampaignStatus("sms", 3, 1.5, parked=True)]),
        Level.WARN,
        "cloud",
        "campaign sms is parked",
    ),
    "circuit": (
        lane(campaigns=[CampaignStatus("sms", 3, 1.5, circuit_open=True)]),
        Level.WARN,
        "cloud",
        "one customer at a time is tried: mend it at the vendor, then `campaigns retry`",
    ),
    "429": (lane(held_back_by="429"), Level.WARN, "cloud", "answered 429"),
    "limits": (lane(limits_in_use=0.7), Level.WARN, "cloud", "70% of its limits"),
    "paused": (lane(paused=True), Level.WARN, "cloud", "reads nothing more"),
    "drain": (lane(drain=None), Level.WARN, "cloud", "never ends"),
    "pause": (
        replace(lane(), pauses=[PauseStatus("campaign", "sms", COMMAND, NOW, "wrong text")]),
        Level.WARN,
        "campaign sms",
        "(wrong text): `resume campaign sms` ends it",
    ),
    "pause of everything": (
        replace(lane(), pauses=[PauseStatus("everything", "", COMMAND, NOW)]),
        Level.WARN,
        "everything",
        ": `resume everything` ends it",
    ),
    "pause of the config": (
        replace(lane(), pauses=[PauseStatus("route", "shop", CONFIG)]),
        Level.WARN,
        "route shop",
        "paused by the config",
    ),
}


@pytest.mark.parametrize(("now", "level", "where", "what"), CASES.values(), ids=CASES)
def test_what_is_not_as_it_should_be_is_said_once(
    now: StatusSnapshot, level: Level, where: str, what: str
) -> None:
    (note,) = notes(now)
    assert (note.level, note.where) == (level, where)
    assert what in note.what


def test_the_worst_comes_first() -> None:
    now = replace(lane(paused=True), problems=["broker: away"])
    assert [note.level for note in notes(now)] == [Level.BAD, Level.WARN]


def test_of_many_pauses_some_are_named() -> None:
    many = [PauseStatus("route", f"r{number}", CONFIG) for number in range(PAUSES_SHOWN + 2)]
    *named, last = notes(replace(lane(), pauses=many))
    assert len(named) == PAUSES_SHOWN
    assert last.what == "2 more: `pause --list` has all"


def test_a_doubt_is_no_news_after_an_hour() -> None:
    old = replace(DOUBT, at=NOW - DOUBT_SHOWN)
    assert notes(replace(WELL, doubtful=[old])) == []


def test_a_drained_lane_needs_no_forecast() -> None:
    assert notes(lane(drain=None, waiting=0)) == []


def test_many_lanes_in_doubt_are_not_all_named() -> None:
    many = [replace(DOUBT, lane=f"lane-{n}") for n in range(7)]
    (note,) = notes(replace(WELL, doubtful=many))
    assert note.where == "lane-0, lane-1, lane-2 and 4 more"
