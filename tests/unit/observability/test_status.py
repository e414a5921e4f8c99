"""The picture of a dispatcher as JSON: what is written can be read, by a later version too."""

from __future__ import annotations

import orjson
import pytest

from consumer.lane.state.snapshot import LimitSnapshot
from consumer.observability.status.status import (
    AccountStatus,
    BatchStatus,
    CallStatus,
    CampaignStatus,
    LaneStatus,
    Level,
    Note,
    ProcessStatus,
    StageStatus,
    StatusSnapshot,
    dump,
    load,
)

CALL = CallStatus(9.0, "cloud", "pisano", "cloud.1.1", "sms", 5000, "200", "accepted", 0.4, "13000")
WHOLE = StatusSnapshot(
    at=10.0,
    process=ProcessStatus("dispatcher-0", "0.1.0", 1.0, "3f9a", "applied", 5.0),
    problems=["broker: not reached"],
    notes=[Note(Level.BAD, "cloud", "what is so")],
    stages=[StageStatus("router", 0.1, stopped=True)],
    lanes=[
        LaneStatus(
            "cloud",
            owner="here",
            waiting=3,
            campaigns=[CampaignStatus("sms", 3, 1.5, parked=True)],
            campaigns_more=2,
            limits=[LimitSnapshot("20/5s", 17.25, 18)],
            limits_in_use=0.7,
            next_permit=None,
            held_back_by="20/5s",
            in_flight=[BatchStatus("cloud.1.2", "sms", 7, 0.1)],
            accounts=[AccountStatus("pisano", credentials_refused=True, circuit_open=True)],
            lag=3,
            paused=True,
            drain=None,
        )
    ],
    calls=[CALL],
    doubtful=[CALL],
    in_doubt={"cloud": 1},
    results={"accepted": {"accepted": 5000}},
    dead_letters={"no_time": 1},
    router_lag={"pos": 4},
    delayed={"10m": 5},
    orphans={"old": 6},
)


def test_what_is_written_is_read_again() -> None:
    assert dump(load(dump(WHOLE))) == dump(WHOLE)
    assert load(dump(WHOLE)).lanes[0] == load(dump(WHOLE)).lanes[0]
    assert load(dump(WHOLE)).process == WHOLE.process


def test_what_a_later_version_adds_is_passed_over() -> None:
    later = orjson.loads(dump(WHOLE)) | {"moon": "full"}
    assert dump(load(orjson.dumps(later))) == dump(WHOLE)


def test_what_does_not_fit_is_named_by_its_place_alone() -> None:
    wrong = orjson.loads(dump(WHOLE)) | {"at": "ayse@example.test"}
    with pytest.raises(ValueError, match=r"^at$") as refused:
        load(orjson.dumps(wrong))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="json_invalid"):
        load(b"<html>ayse@example.test</html>")
