"""Where a lane begins, and when its log and its checkpoint do not fit together."""

from __future__ import annotations

import pytest

from consumer.errors import StartPositionError
from consumer.kafka.lane_logs import LaneLogState
from consumer.kafka.start_offsets import StartFrom
from consumer.lane.offsets.bitmap import pack
from consumer.records.checkpoint import Checkpoint


def log(low: int, high: int, shown: int = -1001) -> LaneLogState:
    return LaneLogState("app.invitations.x", "app.checkpoints.x", "app.lane.x", low, high, shown)


def checkpoint(base: int, topic_id: str | None = "id1") -> Checkpoint:
    return Checkpoint(
        lane="x",
        topic_id=topic_id,
        base=base,
        done=pack((), base),
        in_flight=(),
        permit_log=(),
        config_version="v",
    )


@pytest.mark.parametrize("base", [3, 5, 9])
@pytest.mark.parametrize(("was", "now"), [("id1", "id1"), (None, "id1"), ("id1", None)])
def test_a_lane_goes_on_at_its_base(base: int, was: str | None, now: str | None) -> None:
    """Whatever `--from` says; a broker that knows no ids cannot contradict."""
    assert log(3, 9, 7).start_offset(checkpoint(base, was), now, "latest") == base


@pytest.mark.parametrize(
    ("base", "topic_id", "told"),
    [
        (2, "id1", "begins at 3, but the checkpoint's base is 2: up to 1 invitations"),
        (10, "id1", "ends at 9, but the checkpoint's base is 10"),
        (5, "id2", r"was deleted and recreated \(its id is id2, the checkpoint is of id1\)"),
    ],
)
def test_a_log_that_does_not_fit_stops_the_lane(base: int, topic_id: str, told: str) -> None:
    with pytest.raises(StartPositionError, match=told) as raised:
        log(3, 9).start_offset(checkpoint(base), topic_id, "earliest")
    assert "app.invitations.x" in str(raised.value)
    assert "delete the topic app.checkpoints.x" in str(raised.value)


@pytest.mark.parametrize("begin", [None, "earliest", "latest", 1_700_000_000.0])
def test_a_first_start_reads_what_the_router_has_made(begin: StartFrom) -> None:
    """`--from` is about events: what has become an invitation is never skipped."""
    assert log(0, 9).start_offset(None, "id1", begin) == 0
    assert log(0, 9, 0).start_offset(None, "id1", begin) == 0


@pytest.mark.parametrize(("begin", "offset"), [("earliest", 3), (5.0, 3), ("latest", 9)])
def test_a_log_whose_start_is_gone_begins_where_it_was_told(begin: StartFrom, offset: int) -> None:
    assert log(3, 9).start_offset(None, "id1", begin) == offset


def test_a_log_whose_start_is_gone_is_not_guessed_at() -> None:
    with pytest.raises(StartPositionError, match=r"begins at 3, and app\.checkpoints\.x has no"):
        log(3, 9).start_offset(None, "id1", None)


@pytest.mark.parametrize("begin", [None, "earliest", "latest"])
@pytest.mark.parametrize("low", [0, 3])
def test_a_group_with_an_offset_had_a_checkpoint(begin: StartFrom, low: int) -> None:
    """A `--from` that was left in a deployment must not send everything again."""
    with pytest.raises(StartPositionError, match=r"stands at 4 of app\.invitations\.x"):
        log(low, 9, 4).start_offset(None, "id1", begin)
