"""Takeover of a lane: fencing of the previous owner (perhaps a zombie), claim, restore, checks."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from confluent_kafka import Consumer, Message, Producer

from consumer.clock import Clock
from consumer.errors import KafkaSessionError, StartPositionError, UnreadableRecord
from consumer.kafka import transactions
from consumer.kafka.lane_logs import LaneLogState
from consumer.kafka.records.checkpoints import claim, newest
from consumer.kafka.records.messages import appended_at
from consumer.kafka.start_offsets import StartFrom
from consumer.lane.lane import Lane
from consumer.lane.quota.clock_shift import in_our_time, shift_between
from consumer.lane.state.owners import contested, next_owners
from consumer.lane.state.settings import LaneSettings
from consumer.records.checkpoint import Checkpoint, Owner
from consumer.runtime.stage import StageRun

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Claimed:
    """When Kafka appended this owner's claim, by its clock and, a moment later, by this clock."""

    clock: Clock
    appended: float | None = None
    at: float = 0.0

    def seen(self, claim: Message) -> None:
        """Record the delivery of the claim."""
        self.appended, self.at = appended_at(claim), self.clock.now()


@dataclass(slots=True)
class Takeover:
    """Takeover of a lane by this process; `begin`: where the lane's first owner starts to read."""

    settings: LaneSettings
    run: StageRun
    begin: StartFrom
    rng: random.Random

    @property
    def topic(self) -> str:
        """Topic of the lane's invitations."""
        return self.run.services.topics.invitations(self.settings.name)

    def take_over(self, consumer: Consumer) -> tuple[Lane, Producer]:
        """Return the restored lane, and the only producer that may commit for it.

        `consumer` reads the log's watermarks and the group's offset. Raises KafkaSessionError,
        StartPositionError.
        """
        lane, stage = self.settings.name, self.run.services
        checkpoints = stage.topics.checkpoints(lane)
        producer = self.run.producer(stage.topics.lane_group(lane))
        waiting = self.run.waiting()
        stage.clients.connect(producer, checkpoints)
        transactions.fence(producer, waiting)
        claimed = _Claimed(stage.clock)
        epoch = claim(producer, checkpoints, lane, waiting, claimed.seen)
        reader = self.run.consumer(f"{stage.topics.application_id}.checkpoint-reader")
        try:
            stage.clients.connect(reader, checkpoints)
            found = newest(reader, checkpoints, lane, epoch, self._still_here)
        except UnreadableRecord as error:
            raise self._read_log(consumer).unreadable(str(error)) from None
        finally:
            stage.clients.close(reader)
        topic_id = stage.clients.topic_id(self.topic)
        self.run.expect_topics({self.topic: topic_id})
        log_now = self._read_log(consumer)
        now = stage.clock.now()
        try:
            base = log_now.start_offset(found, topic_id, self.begin)
        except StartPositionError:
            # A process that was frozen and lost the lane meanwhile compares an old checkpoint with
            # the present log. Claim again: only a process that still may reports the mismatch.
            claim(producer, checkpoints, lane, waiting)
            raise
        owners = next_owners(
            found.owners if found else (), stage.instance, self.settings.config_version, now
        )
        self._warn(owners)
        machine = Lane(
            self._settings(found, log_now),
            self.rng,
            now,
            base=base,
            epoch=epoch,
            topic_id=topic_id,
            checkpoint=found and self._in_our_time(found, claimed, now),
            owners=owners,
        )
        self._tell_clock(claimed)
        in_doubt = len(found.in_flight) if found else 0
        metrics = stage.metrics.lane(lane)
        metrics.start()
        metrics.takeover(in_doubt)
        log.info("lane_taken_over", lane=lane, epoch=epoch, base=base, in_doubt=in_doubt)
        return machine, producer

    def _in_our_time(self, found: Checkpoint, claimed: _Claimed, now: float) -> Checkpoint:
        shift = shift_between(found, found.appended, claimed.appended, claimed.at)
        if shift:
            lane = self.settings.name
            log.warning("former_owners_clock", lane=lane, behind_seconds=round(shift, 3))
        return in_our_time(found, shift, now, math.inf)

    def _tell_clock(self, claimed: _Claimed) -> None:
        if claimed.appended is not None:
            self.run.services.metrics.process.clock_ahead(claimed.at - claimed.appended)

    def _still_here(self) -> None:
        self.run.beat()
        if self.run.services.stop.is_set():
            raise KafkaSessionError("stopped while taking over")

    def _read_log(self, consumer: Consumer) -> LaneLogState:
        return LaneLogState.read(consumer, self.run.services.topics, self.settings.name)

    def _settings(self, found: Checkpoint | None, log_now: LaneLogState) -> LaneSettings:
        """Return the settings; without a checkpoint, a lane whose log was trimmed may have called
        before, so its quota counts as used up."""
        if found is None and log_now.low > 0:
            return replace(self.settings, first_start_full=True)
        return self.settings

    def _warn(self, owners: Sequence[Owner]) -> None:
        why = contested(owners)
        if why:
            log.error("lane_contested", lane=self.settings.name, why=why)
            self.run.services.metrics.lane(self.settings.name).contested()
