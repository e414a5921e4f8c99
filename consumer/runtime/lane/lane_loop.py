"""Lane stage: consumer group membership, rebalance callbacks, takeovers and main loop of a lane.

The consumer group is a leader election: the member that has the partition owns the lane. Fencing
by the transactional id makes ownership exclusive. On revocation the lane drains its calls in
flight. Only the lane's thread uses the consumer and the producer, also in rebalance callbacks.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.http.calls import Calls
from consumer.kafka.client_settings import LANE_TRANSACTION_TIMEOUT
from consumer.kafka.errors import translate_errors
from consumer.kafka.start_offsets import StartFrom
from consumer.kafka.transaction_size import TransactionSize
from consumer.lane.state.settings import LATE_ARRIVAL_GRACE, LaneSettings
from consumer.runtime.former_life import wait_for_former_life
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_owner import RESULTS_ENOUGH, LaneOwnership
from consumer.runtime.lane.takeover import Takeover
from consumer.runtime.positions import ends
from consumer.runtime.stage import StageRun, StageServices
from consumer.wiring.build import LaneConfig

POLL_RECORDS = 5_000
POLL_SECONDS = 0.05
SATURATED_RECORDS = 500
"""Records of a poll while all calls are in flight: enough to find other campaigns behind a flood.
Further records wait in the log at no cost."""

DRAIN_AT_MOST = 140.0
"""Seconds. A drain during a revocation must end within half of `max.poll.interval.ms`; the group
drops a member that does not poll for that interval."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LaneStage:
    """A lane's sessions: one takeover and one ownership for each assignment of its partition."""

    settings: LaneSettings
    services: StageServices
    calls: Calls
    begin: StartFrom
    rng: random.Random = field(default_factory=random.SystemRandom)
    ownership: LaneOwnership | None = None
    _coming: deque[LaneConfig] = field(default_factory=deque)
    _leaving: bool = False
    _consumer: Consumer | None = None
    _rivals: ConfigRivals = field(init=False)
    run: StageRun = field(init=False)

    def __post_init__(self) -> None:
        metrics, now = self.services.metrics, self.services.clock.now()
        version = self.settings.config_version
        size = TransactionSize(RESULTS_ENOUGH, LANE_TRANSACTION_TIMEOUT)
        self.run = StageRun(self.services, self.settings.name, size)
        self._rivals = ConfigRivals(self.settings.name, metrics, version, now)

    @property
    def name(self) -> str:
        """The stage's name in logs, metrics and health."""
        return self.settings.name

    @property
    def topic(self) -> str:
        """Topic of the lane's invitations."""
        return self.services.topics.invitations(self.settings.name)

    def reconfigure(self, rules: LaneConfig) -> None:
        """Switch to another config before the next turn. May be called from any thread."""
        self._coming.append(rules)

    def leave(self) -> None:
        """Drain, leave the group and end: the lane was removed from the config. Any thread."""
        self._leaving = True

    def run_membership(self) -> None:
        """Run one membership in the group. Raises KafkaSessionError, StartPositionError."""
        if not self._stays():
            return
        self._take_rules()
        self._follow_clock()
        group = f"{self.services.topics.application_id}.lane.{self.settings.name}"
        wait_for_former_life(self.run, group, self._stays)
        consumer = self._consumer = self.run.consumer(group)
        try:
            with translate_errors("subscribe"):
                consumer.subscribe(
                    [self.topic],
                    on_assign=self._on_assign,
                    on_revoke=self._on_revoke,
                    on_lost=self._on_lost,
                )
            while self._stays():
                self._take_rules()
                self._turn(consumer)
            if self.ownership is not None:
                self._drain(self.ownership)
        finally:
            self._drop()
            self.run.end_membership()
            self._consumer = None
            self.services.clients.close(consumer)

    def _stays(self) -> bool:
        return not (self._leaving or self.services.stop.is_set())

    def _take_rules(self) -> None:
        """Apply all pending configs in order, because each may ask for logins."""
        while self._coming:
            rules = self._coming.popleft()
            self.settings, self.calls = rules.settings, rules.calls
            self._rivals.reconfigure(self.settings.config_version, self.services.clock.now())
            if self.ownership is not None:
                self.ownership.reconfigure(rules)

    def _turn(self, consumer: Consumer) -> None:
        self.run.record_turn(consumer)
        self._keep_time()
        before = self.ownership
        with translate_errors("consume"):
            messages = self._poll(consumer)
        if self.ownership is not None and before is not None and self.ownership is not before:
            # Records of the previous ownership would settle offsets that this one has not read.
            raise KafkaSessionError("the lane went and came back while it was being read")
        records = [each for each in messages if each.error() is None or self.run.usable(each)]
        if self.ownership is not None:
            self.ownership.read(records)
            for (_, partition), end in ends(messages):  # after the records that came with them
                if partition == 0:
                    self.ownership.lane.at_end(end)
            self.ownership.step()

    def _keep_time(self) -> None:
        """Drain the lane and end the session after a step of the clock, with KafkaSessionError.

        All times in the owner's state are from before the step; the next takeover shifts the
        checkpoint's times.
        """
        step = self.services.clock.stepped
        if step and self.ownership is not None:
            self.ownership.lane.request_checkpoint()
            self._drain(self.ownership)
            raise KafkaSessionError(f"the wall clock was stepped by {step:.1f} s: taken over again")

    def _follow_clock(self) -> None:
        """Follow a step of the clock. Raises KafkaSessionError while other lanes of this process
        must drain first."""
        self.services.follow_clock()
        if self.services.clock.stepped:
            raise KafkaSessionError(
                "the wall clock was stepped, and other lanes are not drained yet"
            )

    def _poll(self, consumer: Consumer) -> list[Message]:
        """Poll records and run rebalance callbacks; poll fewer records while the lane is saturated.

        One transaction must carry what the records lead to: dead letters and delayed invitations.
        """
        most = self.run.transactions.records
        if self.ownership is not None and self.ownership.lane.saturated:
            self.ownership.wait_for_answer()
            return consumer.consume(min(most, SATURATED_RECORDS), 0.0)
        return consumer.consume(min(most, POLL_RECORDS), self._patience())

    def _patience(self) -> float:
        """Return how many seconds a poll may wait: until the lane's next own decision at most."""
        if self.ownership is None:
            return POLL_SECONDS
        until = self.ownership.lane.wake_at - self.services.clock.now()
        return min(POLL_SECONDS, max(0.001, until))

    # -- ownership ----------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer or not self._stays():
            return  # callback of a session that has ended or is about to end
        if not any(each.partition == 0 for each in partitions):
            return
        self.ownership = self._take_over(consumer)
        own = self.ownership.partition
        own.offset = self.ownership.lane.settled.base
        with translate_errors("assign"):
            consumer.incremental_assign([own])
            consumer.resume([own])

    def _take_over(self, consumer: Consumer) -> LaneOwnership:
        takeover = Takeover(self.settings, self.run, self.begin, self.rng)
        self.services.clock.hold()
        try:
            machine, producer = takeover.take_over(consumer)
        except BaseException:
            self.services.clock.release()
            raise
        return LaneOwnership(
            machine,
            self.run,
            producer,
            consumer,
            self.calls,
            self.calls.inbox(),
            self._rivals,
        )

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:  # callback of an ended session
            return
        if self.ownership is not None and any(each.partition == 0 for each in partitions):
            self._drain(self.ownership)
            own = self.ownership.partition
            self._drop()
            with translate_errors("unassign"):
                consumer.incremental_unassign([own])

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Drop the lane without a drain or a commit: another process may already own it."""
        if consumer is not self._consumer:  # callback of an ended session
            return
        log.warning("lane_lost", lane=self.settings.name)
        self._drop()
        with translate_errors("unassign"):
            consumer.incremental_unassign([each for each in partitions if each.partition == 0])

    def _drain(self, owner: LaneOwnership) -> None:
        patience = min(self.settings.call_timeout + LATE_ARRIVAL_GRACE, DRAIN_AT_MOST)
        clean = owner.drain(self.services.clock.now() + patience)
        log.info("lane_drained", lane=self.settings.name, clean=clean)

    def _drop(self) -> None:
        if self.ownership is not None:
            self.ownership.close()
            self.ownership = None
            self.services.clock.release()
