"""A lane's logs: as `lanes list` shows them, and as a takeover checks them against the checkpoint.

`read_lane` claims nothing, so its data may be a moment old; only a takeover reads the final state.
A takeover compares the newest checkpoint with the log's low and high watermark and refuses to start
where they contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.config.topic_names import Topics
from consumer.errors import StartPositionError, UnreadableRecord
from consumer.kafka.log_scan import LogScan, count_records
from consumer.kafka.queries import (
    end_offsets,
    group_offset,
    log_range,
    low_offsets,
    topic_names,
)
from consumer.kafka.records.checkpoints import end_of, newest_of
from consumer.kafka.records.messages import position_of
from consumer.kafka.start_offsets import StartFrom
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


START_AFRESH = (
    "To start afresh: stop all processes; delete from {topic} what must not be sent again "
    "(kafka-delete-records.sh); delete the topic {checkpoints} and create it again "
    "(`survey-dispatcher topics --create`); delete the group's offset (`kafka-consumer-groups.sh "
    '--bootstrap-server "$BOOTSTRAP" --group {group} --topic {topic} --delete-offsets`); start '
    "with --from earliest"
)


@dataclass(frozen=True, slots=True)
class LaneLogState:
    """State of a lane's topics and group at a takeover.

    The invitations' log holds offsets `low` (inclusive) to `high`; `shown` is the group's offset,
    which the previous owner committed for display (negative: none).
    """

    topic: str
    checkpoints: str
    group: str
    low: int
    high: int
    shown: int = -1

    @classmethod
    def read(cls, consumer: Consumer, topics: Topics, lane: str) -> Self:
        """Return the state now; `consumer` can read the offsets of the lane's group."""
        topic, group = topics.invitations(lane), topics.lane_group(lane)
        low, high = log_range(consumer, topic, 0)
        shown = group_offset(consumer, TopicPartition(topic, 0)).offset
        return cls(topic, topics.checkpoints(lane), group, low, high, shown)

    def start_offset(
        self, found: Checkpoint | None, topic_id: str | None, begin: StartFrom = None
    ) -> int:
        """Return the offset to read from. Raises StartPositionError if log and checkpoint
        contradict each other."""
        if found is None:
            return self._first_offset(begin)
        if topic_id and found.topic_id and found.topic_id != topic_id:
            raise self._refusal(
                f"{self.topic} was deleted and recreated (its id is {topic_id}, the checkpoint is "
                f"of {found.topic_id}): what it held and was not settled is lost"
            )
        if found.base < self.low:
            raise self._refusal(
                f"{self.topic} begins at {self.low}, but the checkpoint's base is {found.base}: up "
                f"to {self.low - found.base} invitations were deleted before they were settled. "
                "Find out what deletes records there"
            )
        if found.base > self.high:
            raise self._refusal(
                f"{self.topic} ends at {self.high}, but the checkpoint's base is {found.base}: the "
                "log was truncated (an unclean leader election?) or recreated"
            )
        if (end := end_of(found)) > self.high:
            raise self._refusal(
                f"{self.topic} ends at {self.high}, but the checkpoint names offsets up to "
                f"{end - 1}: what is written there from now on would pass for settled. The log was "
                "truncated (an unclean leader election?), or another program wrote the checkpoint"
            )
        return found.base

    def _first_offset(self, begin: StartFrom) -> int:
        """Return the start offset of a lane without a checkpoint.

        This is a first start, or the whole checkpoint topic was lost. The group's offset tells them
        apart, because an owner commits one only after its first checkpoint.
        """
        if self.shown > 0:
            raise self._refusal(
                f"{self.checkpoints} has no checkpoint, but this lane has worked: the group "
                f"{self.group} stands at {self.shown} of {self.topic}. The topic was deleted, "
                "emptied or recreated; restore it, for --from would send surveys again or skip some"
            )
        if self.low > 0 and begin is None:
            raise StartPositionError(
                f"{self.topic} begins at {self.low}, and {self.checkpoints} has no checkpoint: say "
                "--from earliest (or latest) once to begin there"
            )
        return self.high if begin == "latest" and self.low > 0 else self.low

    def unreadable(self, why: str) -> StartPositionError:
        """Return the error for a checkpoint that this version cannot read."""
        return self._refusal(
            f"{self.checkpoints}: the newest checkpoint cannot be read ({why}). If a newer version "
            "of the program wrote it, run that one. Else another program wrote it: find it by the "
            "cluster's ACLs"
        )

    def _refusal(self, why: str) -> StartPositionError:
        afresh = START_AFRESH.format(
            topic=self.topic, checkpoints=self.checkpoints, group=self.group
        )
        return StartPositionError(f"{why}. {afresh}")
