"""Records of the delay topics: an invitation, its lane, when it arrived and when it is due.

A delay topic stamps its records with append times, so an invitation's own time travels in a header
and becomes the timestamp of the record that returns to the lane. Due times are compared with
Kafka's clock only: `put_at` is the writer's clock at the write, and with it `due_at` is converted
to Kafka's time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import orjson
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from consumer.config.fields import TOPIC_SAFE
from consumer.errors import StartPositionError
from consumer.kafka import offset_metadata, transactions
from consumer.kafka.queries import log_range, offset_since, topic_names
from consumer.kafka.records.messages import content_of
from consumer.kafka.stopped_partitions import StoppedPartition, out_of_range
from consumer.records.fields import LAST_MOMENT
from consumer.records.readers import RECORD_LIMIT

LANE, ARRIVED, DUE, PUT = "lane", "arrived", "due_at", "put_at"

SKEW = 5.0
"""Seconds by which a broker's clock and a former process's clock may differ."""

LONGEST_WAIT = 100 * 86400.0
"""Seconds that a record may be due ahead: more than a policy's delay and quiet hours. A record from
another writer could stay for ever."""

LONGEST_KEY = 1024
_LANE = re.compile(TOPIC_SAFE).fullmatch
_NUMBER = re.compile(rb"[0-9]{1,12}(\.[0-9]{1,20})?").fullmatch


@dataclass(frozen=True, slots=True)
class Delayed:
    """A delayed invitation: `arrived` and `due_at` are epoch seconds; `key` and `value` are the
    lane's record.

    After a read, `due_at` is in Kafka's time.
    """

    lane: str
    arrived: float
    due_at: float
    key: str
    value: bytes

    @classmethod
    def from_message(cls, message: Message, now: float) -> Self | None:
        """Parse a message of a delay topic; None for a record that the program did not write. `now`
        is Kafka's time."""
        content = content_of(message)
        headers = dict(content.headers)
        lane, key = _text(headers.get(LANE)), _text(content.key or b"")
        arrived, due_at = _moment(headers.get(ARRIVED)), _due(headers, content.timestamp)
        if content.unreadable or lane is None or key is None or arrived is None or due_at is None:
            return None
        value = content.value or b""
        fits = len(value) <= RECORD_LIMIT and len(key) <= LONGEST_KEY
        if not fits or not _LANE(lane) or due_at > now + LONGEST_WAIT:
            return None
        return cls(lane, min(arrived, now), due_at, key, value)

    @property
    def campaign(self) -> str:
        """The invitation's campaign; empty if the value names none."""
        return campaign_of(self.value)

    @property
    def eligible_from(self) -> float:
        """The invitation's own due time, before which no lane calls it; 0 without one."""
        when = _invitation(self.value).get("eligible_from")
        return when if isinstance(when, (int, float)) else 0.0

    def put(self, client: Producer, step: str, now: float) -> None:
        """Produce the record on the delay topic `step`; `now` is by the clock of `due_at`."""
        headers: transactions.Headers = {
            LANE: self.lane.encode(),
            ARRIVED: repr(self.arrived).encode(),
            DUE: repr(self.due_at).encode(),
            PUT: repr(now).encode(),
        }
        transactions.produce(client, step, self.value, key=self.key, partition=0, headers=headers)

    def give_back(self, client: Producer, invitations: str) -> None:
        """Produce the record on its lane's own topic, with its arrival time as timestamp."""
        since = int(self.arrived * 1000)
        transactions.produce(
            client, invitations, self.value, key=self.key, partition=0, timestamp=since
        )


def campaign_of(value: bytes | None) -> str:
    """Return the campaign of a delayed record's value; empty if it names none."""
    campaign = _invitation(value).get("campaign")
    return campaign if isinstance(campaign, str) else ""


def _invitation(value: bytes | None) -> Mapping[str, object]:
    try:
        found = orjson.loads(value or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None


def _moment(raw: bytes | None) -> float | None:
    """Parse epoch seconds as `put` wrote them; None for anything that is no date."""
    when = float(raw) if raw and _NUMBER(raw) else -1.0
    return when if 0 <= when <= LAST_MOMENT else None


def _due(headers: Mapping[str, bytes | None], appended: int) -> float | None:
    """Return the due time by Kafka's clock, which appended the record at `appended` (ms)."""
    due_at = _moment(headers.get(DUE))
    if due_at is None or PUT not in headers:  # an earlier version wrote no `put_at`
        return due_at
    put_at = _moment(headers[PUT])
    return None if put_at is None else due_at + appended / 1000 - put_at


def first_offset(
    asker: Consumer, step: TopicPartition, delay: float, now: float, lanes: str
) -> int:
    """Return the first offset to read of a delay topic for which the group has no offset.

    `lanes` is the common prefix of the lanes' topics. The result is the log's start if no record
    can have been given back: the log is empty, its first record is not due yet, or no lane ever had
    a record. Otherwise records may have been given back before the offset was forgotten, and would
    be sent again.
    Raises StartPositionError.
    """
    low, high = log_range(asker, step.topic, step.partition)
    if low == high:
        return high
    found = offset_since(asker, step.topic, step.partition, now - delay + SKEW)
    waiting = high if found is None else found
    if waiting <= low or offset_metadata.holding(asker, topic_names(asker, lanes)) is None:
        return low
    topic = step.topic
    raise StartPositionError(
        f"{topic} holds {low} to {high}, and the group has no offset for it: Kafka forgets them "
        "when no process ran for `offsets.retention.minutes` (a week). What came due before the "
        "stop was given back already, and must not be sent again; from offset "
        f"{waiting} on nothing is due yet. Say where to go on, while processes run or not: "
        f"`survey-dispatcher inputs resume {topic} --from T`, T being the time of the stop less "
        f"{delay:.0f} s, or of the last `delayed_retried` in the logs where that is later (retried "
        "campaigns leave the topic early), as in 2026-01-31T08:00:00Z (--dry-run shows what that "
        "reads)"
    )


def stopped_step(
    asker: Consumer, committed: TopicPartition, delay: float, now: float, lanes: str
) -> StoppedPartition | None:
    """Return the delay topic as stopped if this offset of its group cannot be read."""
    if committed.offset >= 0:
        return out_of_range(asker, committed)
    place = TopicPartition(committed.topic, committed.partition)
    try:
        first_offset(asker, place, delay, now, lanes)
    except StartPositionError:
        return StoppedPartition.forgotten(place.topic, place.partition)
    return None
