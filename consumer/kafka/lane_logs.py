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
from consumer.kafka.log_scan import LogScan, end_offsets, low_offsets, topic_names
from consumer.kafka.record_counts import count_records
from consumer.kafka.records.checkpoints import parse
from consumer.kafka.records.messages import key_of, value_of
from consumer.kafka.transactions import position_of
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
    """Return every lane that has a topic, in the config or not. Raises KafkaSessionError."""
    prefix = topics.invitations("")
    return [name[len(prefix) :] for name in topic_names(client) if name.startswith(prefix)]


def orphans(client: AdminClient, topics: Topics, lanes: Sequence[str]) -> list[str]:
    """Return the lanes that have a topic and are not among `lanes`. Raises KafkaSessionError."""
    return [name for name in lane_names(client, topics) if name not in lanes]


def look(client: AdminClient, reader: Consumer, topics: Topics, lane: str) -> LaneView:
    """Return the lane as its newest committed checkpoint and its topic show it. Raises
    KafkaSessionError."""
    topic = topics.invitations(lane)
    end, low = (
        found[topic, 0] for found in (end_offsets(client, [topic]), low_offsets(client, [topic]))
    )
    begin, ends = {(topic, 0): low}, end_offsets(client, [topic], committed=True)
    try:
        found = _newest(client, reader, topics.checkpoints(lane), lane)
    except UnreadableRecord:
        return LaneView(lane, None, end, count_records(reader, begin, ends)[topic, 0])
    if found is None:
        return LaneView(lane, low, end, count_records(reader, begin, ends)[topic, 0])
    done = OffsetBitmap(found.base, found.done)
    begin = {(topic, 0): max(low, found.base)}
    waiting = count_records(reader, begin, ends, lambda each: position_of(each)[2] not in done)
    return LaneView(
        lane,
        found.base,
        end,
        waiting[topic, 0],
        len(found.in_flight),
        found.owners[-1] if found.owners else None,
        found.config_version,
        found,
    )


def _newest(client: AdminClient, reader: Consumer, topic: str, lane: str) -> Checkpoint | None:
    if topic not in topic_names(client):
        return None
    value = None
    for record in LogScan(reader, end_offsets(client, [topic], committed=True)):
        if key_of(record) == lane.encode():
            value = value_of(record)
    return parse(value) if value else None
