"""Group consumer: one membership of a stage in its consumer group, and the rebalance protocol.

Theory of operation. Kafka divides the partitions of a stage's topics among the members of its
consumer group. A rebalance moves some of them to other members; the cooperative protocol leaves
all others alone. The client runs its callbacks inside `poll` and `close`, in the stage's thread:

    subscribe ─► no partitions ─── assign ───► reading ─── out of range ──► stopped
                       ▲                          │                            │
                       └───── revoke or lost ─────┴────────────────────────────┘

    callback   partitions are     the stage may (`GroupMember`)          afterwards
    assign     this member's now  take over, commit start offsets        they are read, not paused
    revoke     still its own      finish its work and commit             they are not read
    lost       other members'     only forget: it may neither commit     they are not read
                                  nor publish

Invariants:

1. No record of a partition that was revoked during a poll reaches the stage: librdkafka may
   return records that it had fetched before, and another member reads them by now.
2. A partition revoked and reassigned during one poll ends the session: its records could have been
   fetched before or after.
3. A callback that comes after the membership ended does not reach the stage: it reads nothing new
   and gives back what is read. The client has left the group before it is closed (`leave_group`).
4. Only partitions that the stage chose are assigned, and only assigned ones unassigned, for
   librdkafka refuses the others. A stopped partition stays this member's, and is not read until the
   stage rejoins.

Positions, from which the lag is counted, and the offsets to commit are here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, Self

import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka.errors import describe, is_out_of_range, is_partition_end, translate_errors
from consumer.kafka.queries import Partition
from consumer.kafka.records.messages import position_of
from consumer.runtime.stage import StageRun

GHOST_AT_MOST = 12.0
"""Longest wait, in seconds, for the session of a predecessor to end."""

LOOK_EVERY = 0.5

SETTLED_WITHIN = 3.0
"""Seconds in which the other members reassign a ghost's partitions: their next heartbeat tells
them of the rebalance. A replica that joins earlier may get these partitions itself."""

_FATAL = (KafkaError._FATAL, KafkaError._MAX_POLL_EXCEEDED)  # noqa: SLF001 - public by use
"""Errors that a consumer reports once before it goes silent, though their `fatal()` is false."""

log = structlog.get_logger(__name__)


class GroupMember(Protocol):
    """A stage, as its group consumer calls it; each method may raise KafkaSessionError."""

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """Return the partitions to read of the assigned ones, each with its start offset."""

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """Finish the work on these partitions; only drop it if another member may own them."""

    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """Handle a partition whose log does not hold the position that was to be read."""


@dataclass(slots=True)
class GroupConsumer:
    """One membership of a stage in its group, and its client; a context that leaves the group.

    `reached`: lower bound of each partition's position, from its start offset and the ends of the
    log that the client has reported.
    """

    run: StageRun
    group: str
    member: GroupMember
    consumer: Consumer = field(init=False)
    reached: dict[Partition, int] = field(default_factory=dict)
    _revoked_during_poll: set[Partition] = field(default_factory=set)
    _ended: bool = False

    def __post_init__(self) -> None:
        self.consumer = self.run.consumer(self.group)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self.run.end_membership()
        self.run.services.clients.close(self.consumer)

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group to read these topics. Raises KafkaSessionError."""
        with translate_errors("subscribe"):
            self.consumer.subscribe(
                list(topics),
                on_assign=self._on_assign,
                on_revoke=partial(self._on_revoke, lost=False),
                on_lost=partial(self._on_revoke, lost=True),
            )

    def poll(self, records: int, seconds: float) -> tuple[list[Message], dict[Partition, int]]:
        """Return the records of one poll, and the ends of the logs that it reached.

        Runs the rebalance callbacks. Raises KafkaSessionError, and what a callback raises.
        """
        self._revoked_during_poll.clear()
        with translate_errors("consume"):
            polled = self.consumer.consume(records, seconds)
        if self._revoked_during_poll:
            revoked = self._revoked_during_poll
            polled = [one for one in polled if (one.topic(), one.partition()) not in revoked]
        ends: dict[Partition, int] = {}
        for message in polled:
            if message.error() is not None:
                self._handle_event(message, ends)
        self.reached.update(ends)
        return [message for message in polled if message.error() is None], ends

    def unassign(self, partition: TopicPartition) -> None:
        """Read a partition no more, though it stays this member's. Raises KafkaSessionError."""
        with translate_errors("unassign"):
            self.consumer.incremental_unassign([partition])

    def leave(self, place: Partition) -> None:
        """Read a partition no more until `read_again`, though it stays this member's; nothing for
        one that is left already. Raises KafkaSessionError."""
        if place in places_of(self.consumer.assignment()):
            self.unassign(TopicPartition(*place))

    def read_again(self, places: Sequence[TopicPartition]) -> None:
        """Read partitions that were left from these offsets on. Raises KafkaSessionError."""
        self.reached.update({(start.topic, start.partition): start.offset for start in places})
        with translate_errors("assign"):
            self.consumer.incremental_assign(list(places))

    def metadata(self) -> object:
        """Return the group metadata to commit offsets with in a transaction.

        Raises KafkaSessionError if the group has dropped this member. A process that was frozen for
        longer than its session loses its partitions before it learns of it. Its client then has no
        member id, and Kafka accepts offsets without a member id from any client.
        """
        # Before the check: Kafka refuses a membership that is lost later.
        metadata = self.consumer.consumer_group_metadata()
        if not self.consumer.memberid():
            raise KafkaSessionError("the group dropped this member while it was working")
        return metadata

    def positions(self) -> dict[Partition, tuple[int, int]]:
        """Return partition → offset of the next record to read, and end of the log, where known.

        The client's own position is one past the last record that it returned: it is missing before
        the first record, and does not cover transaction markers and aborted records at the end of
        the log. The end is the high watermark, so records of an open transaction count as lag.
        """
        found = {}
        for position in self.consumer.position(self.consumer.assignment()):
            place = position.topic, position.partition
            at = max(position.offset, self.reached.get(place, -1))
            _, high = self.consumer.get_watermark_offsets(position, cached=True)
            if high >= 0 and at >= 0:
                found[place] = at, max(at, high)
        return found

    def lags_of_left(self, left: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return the lag of partitions that are left at these offsets, which `positions` lacks. The
        end of the log is that of the last time they were read, half a minute ago at most."""
        found = {}
        for place, at in left.items():
            _, high = self.consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            found[place] = max(1, high - at)
        return found

    # -- callbacks ----------------------------------------------------------------------------

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        if self._ended:
            self.consumer.incremental_assign([])
            return
        if self._revoked_during_poll & places_of(partitions):
            raise KafkaSessionError("partition was revoked and reassigned during one poll")
        to_read = list(self.member.assign(partitions))
        self.reached.update({(start.topic, start.partition): start.offset for start in to_read})
        with translate_errors("assign"):
            self.consumer.incremental_assign(to_read)
            self.consumer.resume(to_read)  # a pause survives losing and regaining a partition

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition], *, lost: bool) -> None:
        if not self._ended:
            self._revoked_during_poll |= places_of(partitions)
            self.member.revoke(partitions, lost=lost)
        with translate_errors("unassign"):
            read = places_of(self.consumer.assignment())
            self.consumer.incremental_unassign(
                [one for one in partitions if (one.topic, one.partition) in read]
            )

    def _handle_event(self, message: Message, ends: dict[Partition, int]) -> None:
        """Handle a polled error. Raises KafkaSessionError if it ends the session."""
        error = message.error()
        if error is None or is_partition_end(error):
            topic, partition, offset = position_of(message)
            ends[topic, partition] = offset
        elif is_out_of_range(error):
            place = TopicPartition(str(message.topic()), int(message.partition() or 0))
            self.member.stop_reading(place, describe(error))
        elif error.fatal() or error.code() in _FATAL:
            raise KafkaSessionError(describe(error))
        else:
            log.warning("consume_error", stage=self.run.name, error=describe(error))


def wait_for_former_life(
    run: StageRun, group: str, stays: Callable[[], bool] | None = None
) -> None:
    """Wait for the session of a killed predecessor to end before a stage first joins its group.

    At every rebalance the group waits for such a ghost member until its session ends (8 s). A
    replica that joins beside its own ghost delays the other members: a lane had no owner for 39 to
    67 s (measured: two replicas, a kill every 5 s, sooner than a ghost's session ends). After this
    wait another replica gets the ghost's partitions when its session ends: 8 to 9 s without a call.

    A predecessor is recognised by the client id that brokers show for each member, which contains
    the group and the replica's name. A `client.id` in the config hides it; then the replica joins
    at once. `stays`: whether to keep waiting; by default until the stage stops. Raises
    KafkaSessionError.
    """
    if run.joined_before:
        return
    run.joined_before = True
    clients, clock, stop = run.services.clients, run.services.clock, run.services.stop
    goes_on = stays or (lambda: not stop.is_set())
    until, lingered = clock.now() + GHOST_AT_MOST, False
    while clients.lingers(group) and clock.now() < until and goes_on():
        if not lingered:
            log.info("former_session_lingers", stage=run.name, group=group)
        lingered = True
        run.beat()
        stop.wait(LOOK_EVERY)
    if lingered and goes_on() and clients.has_members(group):
        run.beat()
        stop.wait(SETTLED_WITHIN)


def offsets_after(messages: Sequence[Message], metadata: Mapping[str, str]) -> list[TopicPartition]:
    """Return the offsets to commit: largest offset + 1 of each partition; `metadata` by topic.

    Never `position()`: that may cover records which are not among these messages.
    """
    highest: dict[Partition, int] = {}
    for message in messages:
        topic, part, offset = position_of(message)
        highest[topic, part] = max(offset, highest.get((topic, part), 0))
    return [
        TopicPartition(topic, part, offset + 1, metadata.get(topic, ""))
        for (topic, part), offset in highest.items()
    ]


def partition_names(partitions: Sequence[TopicPartition]) -> list[str]:
    """Return `topic[partition]` of each, for the log."""
    return [f"{partition.topic}[{partition.partition}]" for partition in partitions]


def places_of(partitions: Sequence[TopicPartition]) -> set[Partition]:
    """Return topic and partition of each."""
    return {(partition.topic, partition.partition) for partition in partitions}
