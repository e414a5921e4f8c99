"""What a lane that left the config still holds: each of it is settled once."""

from __future__ import annotations

from consumer.lane.offsets.bitmap import pack, unpack
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import EndedInvitation
from consumer.operations.lanes.drain_plan import (
    ASSUMED_TIMEOUT,
    STAYS,
    Forward,
    LaneDrainPlan,
    kind_of,
)
from consumer.records.checkpoint import Checkpoint, InFlight, Tried
from consumer.records.invitation import recount
from tests.support.lanes import NOW, campaign, held

HOMES = {"a": ("new", campaign("a"))}


def left(*, close: bool = False) -> LaneDrainPlan:
    """Base 10: 11 is done, 12 in doubt by batch b1, 13 was tried twice, 14 waits."""
    checkpoint = Checkpoint(
        lane="old",
        topic_id=None,
        base=10,
        done=pack([11], 10),
        in_flight=[
            InFlight(
                batch_id="b1",
                campaign="a",
                attempt=2,
                sealed_at=NOW,
                first=12,
                offsets=pack([12], 12),
            )
        ],
        permit_log=[NOW - 5],
        config_version="c1",
        tried=[Tried(attempt=2, first=13, offsets=pack([13, 17], 13))],
    )
    return LaneDrainPlan(checkpoint, HOMES, close)


def read(
    remains: LaneDrainPlan, offset: int, campaign: str = "a"
) -> tuple[object, PendingInvitation]:
    """Deliver one and ask for its fate; what has one is settled."""
    assert remains.deliver(offset)
    found = held(offset, f"p{offset}", campaign)
    fate = remains.fate_of(found)
    if fate is not None:
        remains.settled.settle(offset)
    return fate, found


def test_each_goes_on_in_the_lane_that_has_its_campaign() -> None:
    """Byte for byte; but what was tried takes the number of its calls along."""
    remains = left()
    fate, found = read(remains, 10)
    assert fate == Forward("new", "p10", found.value)
    assert not remains.deliver(11)
    read(remains, 12)
    fate, found = read(remains, 13)
    assert fate == Forward("new", "p13", recount(found.value, 2))


def test_what_is_in_doubt_is_unknown_and_never_sent_on() -> None:
    for remains in (left(), left(close=True)):
        fate, _ = read(remains, 12)
        assert isinstance(fate, EndedInvitation)
        assert (fate.reason, fate.facts.batch, fate.attempt) == ("owner_lost", "b1", 2)


def test_a_closed_lane_ends_all_of_it() -> None:
    remains = left(close=True)
    for offset, name, vendor in ((13, "a", "pisano"), (14, "gone", None)):
        fate, found = read(remains, offset, name)
        assert isinstance(fate, EndedInvitation)
        assert (fate.pending, fate.reason) == (found, "lane_closed")
        assert (fate.rules and fate.rules.vendor) == vendor


def test_without_a_lane_for_its_campaign_it_stays() -> None:
    remains = left()
    assert read(remains, 10, "gone")[0] is None
    for offset in (12, 13, 14):
        read(remains, offset)
    remains.settled.end_of_log(20)
    state = remains.state(NOW)
    assert state.base == 10
    assert set(range(11, 20)) <= set(unpack(state.done, 10))


def test_the_checkpoint_goes_with_what_is_settled() -> None:
    remains = left()
    read(remains, 10)
    halfway = remains.state(NOW)
    assert halfway.base == 11
    assert [each.batch_id for each in halfway.in_flight] == ["b1"]
    assert halfway.permit_log == (NOW - 5,)
    assert list(unpack(halfway.tried[0].offsets, halfway.tried[0].first)) == [13, 17]

    read(remains, 12)
    read(remains, 13)
    later = remains.state(NOW)
    assert later.base == 14
    assert not later.in_flight
    assert later.permit_log == (NOW - 5, NOW + ASSUMED_TIMEOUT)
    assert list(unpack(later.tried[0].offsets, later.tried[0].first)) == [17]
    assert LaneDrainPlan(later, HOMES, close=False).settled.base == 14

    remains.settled.end_of_log(18)
    assert not remains.state(NOW).tried


def test_a_record_that_is_no_invitation_is_settled_too() -> None:
    remains = left()
    read(remains, 10)
    assert remains.deliver(12)
    remains.unreadable(12)
    assert remains.state(NOW).base == 13
    assert not remains.state(NOW).in_flight


def test_fates_are_counted_in_words() -> None:
    remains = left()
    told = [
        kind_of(remains.fate_of(found), found.campaign)
        for found in (held(10, "p"), held(12, "p"), held(14, "p", "z"))
    ]
    assert told == [
        ("a", "goes on in lane new"),
        ("a", "ends unknown (owner_lost)"),
        ("z", STAYS),
    ]
