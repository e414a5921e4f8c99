"""A lane's thread: its group membership, takeovers, and the loop that turns the owner.

The group only elects who owns the lane; what makes ownership exclusive is the transactional id.
One thread alone touches the consumer and the producer, rebalance callbacks included.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.adapters import kafka
from consumer.adapters.beginnings import Beginning
from consumer.errors import KafkaTrouble
from consumer.lane.settings import LATE_ARRIVAL_GRACE, LaneSettings
from consumer.runtime.calls import Calls
from consumer.runtime.lane_owner import LaneOwner
from consumer.runtime.stage import Stage
from consumer.runtime.takeover import Takeover

POLL_RECORDS = 5_000
POLL_SECONDS = 0.05
DRAIN_AT_MOST = 200.0
"""Seconds: a drain inside a revocation must end well before the group drops a member that does not
poll (`max.poll.interval.ms`)."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneLoop:
    """Runs sessions until the stage stops."""

    settings: LaneSettings
    stage: Stage
    calls: Calls
    begin: Beginning
    limits: tuple[str, ...]
    rng: random.Random = field(default_factory=random.SystemRandom)
    owner: LaneOwner | None = None
    _consumer: Consumer | None = None

    @property
    def name(self) -> str:
        """The stage's name in logs, metrics and health."""
        return self.settings.name

    @property
    def topic(self) -> str:
        """The lane's invitations."""
        return self.stage.topics.invitations(self.settings.name)

    def session(self) -> None:
        """One membership in the group. Raises KafkaTrouble, StartUnclear."""
        group = f"{self.stage.topics.application_id}.lane.{self.settings.name}"
        consumer = self._consumer = self.stage.consumer(self.settings.name, group)
        try:
            with kafka.trouble("subscribe"):
                consumer.subscribe(
                    [self.topic],
                    on_assign=self._assigned,
                    on_revoke=self._revoked,
                    on_lost=self._lost,
                )
            while not self.stage.stop.is_set():
                self._turn(consumer)
            if self.owner is not None:
                self._drain(self.owner)
        finally:
            self._drop()
            self.stage.left(self.name)
            self._consumer = None
            self.stage.clients.close(consumer)

    def _turn(self, consumer: Consumer) -> None:
        self.stage.joined(self.name, consumer)
        before = self.owner
        with kafka.trouble("consume"):
            messages = self._poll(consumer)
        if self.owner is not None and before is not None and self.owner is not before:
            # What was read for the former ownership would settle what this one has not read.
            raise KafkaTrouble("the lane went and came back while it was being read")
        records = [
            each for each in messages if each.error() is None or self.stage.usable(self.name, each)
        ]
        if self.owner is not None:
            self.owner.read(records)
            for end in _ends(messages):
                self.owner.lane.ledger.end_of_log(end)
            self.owner.step()

    def _poll(self, consumer: Consumer) -> list[Message]:
        """Records, and callbacks of the group; of a saturated lane just enough to stay a member."""
        if self.owner is not None and self.owner.lane.saturated:
            self.owner.wait_for_answer()
            return consumer.consume(1, 0.0)
        return consumer.consume(POLL_RECORDS, self._patience())

    def _patience(self) -> float:
        """How long a poll may wait: not beyond the lane's next own decision."""
        if self.owner is None:
            return POLL_SECONDS
        until = self.owner.lane.wake_at - self.stage.clock.now()
        return min(POLL_SECONDS, max(0.001, until))

    # -- ownership ----------------------------------------------------------------------------

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not any(each.partition == 0 for each in partitions) or self.stage.stop.is_set():
            return
        self.owner = self._take_over(consumer)
        own = self.owner.partition
        own.offset = self.owner.lane.ledger.base
        with kafka.trouble("assign"):
            consumer.incremental_assign([own])
            consumer.resume([own])

    def _take_over(self, consumer: Consumer) -> LaneOwner:
        takeover = Takeover(self.settings, self.stage, self.begin, self.rng)
        machine, producer = takeover.run(consumer)
        return LaneOwner(
            machine, self.stage, producer, consumer, self.calls, self.limits, self.calls.inbox()
        )

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:  # of a session that is over
            return
        if self.owner is not None and any(each.partition == 0 for each in partitions):
            self._drain(self.owner)
            own = self.owner.partition
            self._drop()
            with kafka.trouble("unassign"):
                consumer.incremental_unassign([own])

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Somebody else may own the lane already: nothing is finished, nothing is committed."""
        if consumer is not self._consumer:  # of a session that is over
            return
        log.warning("lane_lost", lane=self.settings.name)
        self._drop()
        with kafka.trouble("unassign"):
            consumer.incremental_unassign([each for each in partitions if each.partition == 0])

    def _drain(self, owner: LaneOwner) -> None:
        patience = min(self.settings.call_timeout + LATE_ARRIVAL_GRACE, DRAIN_AT_MOST)
        clean = owner.drain(self.stage.clock.now() + patience)
        log.info("lane_drained", lane=self.settings.name, clean=clean)

    def _drop(self) -> None:
        if self.owner is not None:
            self.owner.close()
            self.owner = None


def _ends(messages: list[Message]) -> list[int]:
    """Offsets at which the log ended, to be told after the records that came with them."""
    return [
        kafka.place_of(message)[2]
        for message in messages
        if message.partition() == 0
        and (error := message.error()) is not None
        and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - public by use
    ]
