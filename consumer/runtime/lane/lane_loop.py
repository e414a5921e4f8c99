"""Lane stage: consumer group membership, rebalance callbacks, takeovers and main loop of a lane.

The consumer group is a leader election: the member that has the partition owns the lane. Fencing
by the transactional id makes ownership exclusive. On revocation the lane drains its calls in
flight. Only the lane's thread uses the consumer and the producer, also in rebalance callbacks.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, Message, TopicPartition

from consumer.contacts.book import Ownership
from consumer.errors import KafkaSessionError
from consumer.http.calls import Calls, Inbox
from consumer.kafka.client_settings import LANE_TRANSACTION_TIMEOUT
from consumer.kafka.queries import Partition
from consumer.kafka.start_offsets import StartFrom
from consumer.kafka.transaction_size import TransactionSize
from consumer.lane.state.settings import LATE_ARRIVAL_GRACE, LaneSettings
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.contacts.service import ContactService
from consumer.runtime.group_consumer import GroupConsumer, wait_for_former_life
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_owner import RESULTS_ENOUGH, LaneOwnership
from consumer.runtime.lane.takeover import Takeover
from consumer.runtime.stage import StageRun, StageServices
from consumer.wiring.build import LaneConfig
from consumer.wiring.contacts import ContactConfig

LOOK_EVERY = 0.1
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
    contacts: ContactConfig | None = None
    contact_service: ContactService | None = None
    ownership: LaneOwnership | None = None
    _pending_configs: deque[LaneConfig] = field(default_factory=deque)
    _leaving: bool = False
    _rivals: ConfigRivals = field(init=False)
    run: StageRun = field(init=False)
    group: GroupConsumer = field(init=False)

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

    def reconfigure(self, config: LaneConfig) -> None:
        """Switch to another config before the next turn. May be called from any thread."""
        self._pending_configs.append(config)

    def leave(self) -> None:
        """Drain, leave the group and end: the lane was removed from the config. Any thread."""
        self._leaving = True

    def run_membership(self) -> None:
        """Run one membership in the group. Raises KafkaSessionError, StartPositionError."""
        self._wait_for_pauses()
        if not self._stays():
            return
        self._take_configs()
        self._follow_clock()
        group = self.services.topics.lane_group(self.name)
        wait_for_former_life(self.run, group, self._stays)
        with GroupConsumer(self.run, group, self) as self.group:
            try:
                self.group.subscribe([self.services.topics.invitations(self.name)])
                while self._stays():
                    self._take_configs()
                    self._turn()
                if self.ownership is not None:
                    self._drain(self.ownership)
            finally:
                self._drop()

    def _wait_for_pauses(self) -> None:
        """Wait until it is known what is paused by command: before that no call may leave."""
        if self.services.pauses.known:
            return
        why = f"{self.services.topics.pauses} is not read yet: what is paused there?"
        self.services.health.set_ready(f"group:{self.name}", ok=False, why=why)
        while self._stays() and not self.services.pauses.known:
            self.run.beat()
            self.services.stop.wait(LOOK_EVERY)

    def _stays(self) -> bool:
        return not (self._leaving or self.services.stop.is_set())

    def _take_configs(self) -> None:
        """Apply all pending configs in order, because each may ask for logins."""
        while self._pending_configs:
            config = self._pending_configs.popleft()
            self.settings, self.calls = config.settings, config.calls
            self.contacts = config.contacts
            self._rivals.reconfigure(self.settings.config_version, self.services.clock.now())
            if self.ownership is not None:
                self.ownership.reconfigure(config)

    def _turn(self) -> None:
        self.run.record_turn(self.group.consumer)
        self._end_session_after_step()
        records, ends, most = self._poll()
        if self.ownership is not None:
            self.ownership.read(records)
            self.ownership.lane.polled(len(records), most, self.services.clock.now())
            for end in ends.values():  # after the records that came with it
                self.ownership.lane.at_end(end)
            self.ownership.step()

    def _end_session_after_step(self) -> None:
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

    def _poll(self) -> tuple[list[Message], dict[Partition, int], int]:
        """Poll records and run rebalance callbacks; poll fewer records while the lane is saturated.
        Return records, ends of the log, and how many records were asked for.

        One transaction must carry what the records lead to: dead letters and delayed invitations.
        """
        most, wait = POLL_RECORDS, self._longest_wait()
        if self.ownership is not None and self.ownership.lane.saturated:
            self.ownership.wait_for_answer()
            most, wait = SATURATED_RECORDS, 0.0
        most = min(self.run.size.records, most)
        return *self.group.poll(most, wait), most

    def _longest_wait(self) -> float:
        """Return how many seconds a poll may wait: until the lane's next own decision at most."""
        if self.ownership is None:
            return POLL_SECONDS
        until = self.ownership.lane.wake_at - self.services.clock.now()
        return min(POLL_SECONDS, max(0.001, until))

    # -- ownership ----------------------------------------------------------------------------

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`: take the lane over, unless this session is about to end."""
        if not self._stays() or all(partition.partition for partition in partitions):
            return []
        self.ownership = self._take_over(self.group.consumer)
        own = self.ownership.partition
        own.offset = self.ownership.lane.settled.base
        return [own]

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `GroupMember`: drain the calls in flight, unless the lane is lost."""
        if self.ownership is None or all(partition.partition for partition in partitions):
            return
        if lost:
            log.warning("lane_lost", lane=self.settings.name)
        else:
            self._drain(self.ownership)
        self._drop()

    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """See `GroupMember`: the next session compares log and checkpoint."""
        where = f"{partition.topic} [{partition.partition}]"
        raise KafkaSessionError(f"the log has moved away: {where}: {why}")

    def _take_over(self, consumer: Consumer) -> LaneOwnership:
        takeover = Takeover(self.settings, self.run, self.begin, self.rng)
        self.services.clock.hold()
        try:
            machine, producer = takeover.take_over(consumer)
        except BaseException:
            self.services.clock.release()
            raise
        inbox = self.calls.inbox()
        desk = self._desk(machine.epoch, inbox)
        return LaneOwnership(
            machine, self.run, producer, consumer, self.calls, inbox, self._rivals, desk
        )

    def _desk(self, epoch: int, inbox: Inbox) -> ContactDesk | None:
        if self.contact_service is None or self.contacts is None:
            return None
        return self.contact_service.desk(self.contacts, Ownership(self.name, epoch), inbox)

    def _drain(self, owner: LaneOwnership) -> None:
        patience = min(self.settings.call_timeout + LATE_ARRIVAL_GRACE, DRAIN_AT_MOST)
        clean = owner.drain(self.services.clock.now() + patience)
        log.info("lane_drained", lane=self.settings.name, clean=clean)

    def _drop(self) -> None:
        if self.ownership is not None:
            self.ownership.close()
            self.ownership = None
            self.services.clock.release()
