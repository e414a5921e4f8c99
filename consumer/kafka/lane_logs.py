"""Read a lane without claiming it: for `lanes list`, and for lanes without an owner.

The data may be a moment old; only a takeover reads the final state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from consumer.config.topic_names import Topics
from consumer.errors import UnreadableRecord
from consumer.kafka.log_scan import LogScan, count_records
from consumer.kafka.queries import end_offsets, low_offsets, topic_names
from consumer.kafka.records.checkpoints import newest_of
from consumer.kafka.records.messages import position_of
from consumer.lane.offsets.bitmap import OffsetBitmap
from consumer.records.checkpoint import Checkpoint, Owner


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane's logs. `waiting`: unsettled records from `base` to `end` (an estimate if there are
    many).

    `base` is None if the newest checkpoint cannot be read: a newer version wrote it. `checkpoint`
    is None in that case, and if there is none.
    """

    name: str
    base: int | None
    end: int
    waiting: int
    in_flight: int = 0
    owner: Owner | None = None
    config_version: str = ""
    checkpoint: Checkpoint | None = None


def lane_names(client: AdminClient, topics: Topics) -> list[str]:
    """Return every lane that has a topic, in the config or not."""
    prefix = topics.invitations("")
    return [name.removeprefix(prefix) for name in topic_names(client, prefix)]


def orphans(client: AdminClient, topics: Topics, lanes: Sequence[str]) -> list[str]:
    """Return the lanes that have a topic and are not among `lanes`."""
    return [name for name in lane_names(client, topics) if name not in lanes]


def read_lane(client: AdminClient, reader: Consumer, topics: Topics, lane: str) -> LaneView:
    """Return the lane as its newest committed checkpoint and its topic show it."""
    topic = topics.invitations(lane)
    low, end = low_offsets(client, [topic])[topic, 0], end_offsets(client, [topic])[topic, 0]
    ends = end_offsets(client, [topic], committed=True)
    try:
        found, readable = _newest(client, reader, topics.checkpoints(lane), lane), True
    except UnreadableRecord:
        found, readable = None, False
    base = low if found is None else found.base
    settled = OffsetBitmap(base, found.done if found else None)
    begin = {(topic, 0): max(low, base)}
    waiting = count_records(reader, begin, ends, lambda each: position_of(each)[2] not in settled)
    return LaneView(
        lane,
        base if readable else None,
        end,
        waiting[topic, 0],
        len(found.in_flight) if found else 0,
        found.owners[-1] if found and found.owners else None,
        found.config_version if found else "",
        found,
    )


def _newest(client: AdminClient, reader: Consumer, topic: str, lane: str) -> Checkpoint | None:
    if topic not in topic_names(client):
        return None
    return newest_of(LogScan(reader, end_offsets(client, [topic], committed=True)), lane)
