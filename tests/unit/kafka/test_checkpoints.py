"""A checkpoint that cannot be read stops its lane: bitmaps made to harm, and offsets to come."""

from __future__ import annotations

import base64
import random
import zlib

import orjson
import pytest

from consumer.errors import StartPositionError, UnreadableRecord
from consumer.kafka.lane_logs import LaneLogState
from consumer.kafka.records.checkpoints import end_of, parse
from consumer.lane.lane import Lane
from consumer.lane.offsets.bitmap import LARGEST, pack
from tests.support.lanes import NOW, settings
from tests.unit.records.test_readers import CHECKPOINT, IN_FLIGHT

BOMB = base64.b64encode(zlib.compress(bytes(LARGEST + 1))).decode()
HALF = base64.b64encode(zlib.compress(b"\1" + bytes(LARGEST // 2) + b"\1")).decode()
FULL = base64.b64encode(zlib.compress(b"\xff" * 700_000)).decode()
WHOLE = base64.b64decode(pack(range(100), 0))


def raw(**changes: object) -> bytes:
    return orjson.dumps({**CHECKPOINT, **changes})


def in_flight(offsets: str, first: int = 7) -> list[dict[str, object]]:
    return [{**IN_FLIGHT, "offsets": offsets, "first": first}]


@pytest.mark.parametrize(
    "packed",
    [
        "?", "ÿ", "AAAA", "eJwDAAAAAAE", "", BOMB,
        base64.b64encode(WHOLE[:-3]).decode(), base64.b64encode(WHOLE + b"x").decode(),
    ],
    ids=["text", "unicode", "no zlib", "cut", "empty", "bomb", "short", "behind"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["done", "in_flight", "tried"])
def test_a_bitmap_that_is_none_is_refused(key: str, packed: str) -> None:
    values: dict[str, object] = {
        "done": packed,
        "in_flight": in_flight(packed),
        "tried": [{"attempt": 1, "first": 7, "offsets": packed}],
    }
    with pytest.raises(UnreadableRecord, match=key):
        parse(raw(**{key: values[key]}))


def test_many_bitmaps_share_one_bound() -> None:
    parse(raw(done=HALF))
    with pytest.raises(UnreadableRecord, match="in_flight: more offsets"):
        parse(raw(done=HALF, in_flight=in_flight(HALF)))
    with pytest.raises(UnreadableRecord, match="in_flight: more offsets"):
        parse(raw(in_flight=in_flight(FULL)))


@pytest.mark.parametrize("value", [None, b"", b"{}", b"null", b"{", b"\xff"])
def test_a_record_that_is_no_checkpoint_is_refused(value: bytes | None) -> None:
    with pytest.raises(UnreadableRecord):
        parse(value)


def test_what_passes_is_what_a_lane_goes_on_from() -> None:
    found = parse(raw(done=pack([7, 9], 7), in_flight=in_flight(pack([8, 30], 8), 8)))
    lane = Lane(settings(), random.Random(1), NOW, checkpoint=found)
    assert (lane.settled.settled(9), lane.settled.settled(8)) == (True, False)


def test_offsets_that_the_log_does_not_have_yet_stop_the_lane() -> None:
    """What is written there later would pass for settled, and no customer would be asked."""
    found = parse(raw(done=pack([7, 9], 7), in_flight=in_flight(pack([8, 30], 8), 8)))
    assert end_of(found) == 31
    topics = "app.invitations.x", "app.checkpoints.x", "app.lane.x"
    assert LaneLogState(*topics, 0, 31).start_offset(found, None) == 7
    with pytest.raises(StartPositionError, match=r"ends at 30, .* names .* up to 30"):
        LaneLogState(*topics, 0, 30).start_offset(found, None)
