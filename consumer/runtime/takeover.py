"""Taking a lane over: fence the former owner, claim, restore, and see that the log fits."""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.adapters import kafka
from consumer.adapters.beginnings import Beginning
from consumer.adapters.checkpoints import claim, newest
from consumer.errors import KafkaTrouble, StartUnclear
from consumer.lane.lane import Lane
from consumer.lane.settings import LaneSettings
from consumer.model import Checkpoint
from consumer.runtime.stage import Stage

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Takeover:
    """How a lane comes to its owner; `begin` says where a first one starts to read."""

    settings: LaneSettings
    stage: Stage
    begin: Beginning
    rng: random.Random

    @property
    def topic(self) -> str:
        """The lane's invitations."""
        return self.stage.topics.invitations(self.settings.name)

    def run(self, consumer: Consumer) -> tuple[Lane, Producer]:
        """The restored machine, and the only producer that may commit for it.

        `consumer` is asked for the log's ends. Raises KafkaTrouble, StartUnclear.
        """
        lane, stage = self.settings.name, self.stage
        checkpoints = stage.topics.checkpoints(lane)
        producer = stage.producer(lane, f"{stage.topics.application_id}.lane.{lane}")
        waiting = stage.waiting(lane)
        kafka.fence(producer, waiting)
        epoch = claim(producer, checkpoints, lane, waiting)
        reader = stage.consumer(lane, f"{stage.topics.application_id}.checkpoint-reader")
        try:
            found = newest(reader, checkpoints, lane, epoch, self._still_here)
        finally:
            stage.clients.close(reader)
        topic_id = stage.clients.topic_id(self.topic)
        base = self._check_log(consumer, found, topic_id)
        machine = Lane(
            self.settings,
            self.rng,
            stage.clock.now(),
            base=base,
            epoch=epoch,
            topic_id=topic_id,
            checkpoint=found,
        )
        in_doubt = len(found.in_flight) if found else 0
        stage.metrics.start_lane(lane)
        stage.metrics.takeover(lane, in_doubt)
        log.info("lane_taken_over", lane=lane, epoch=epoch, base=base, in_doubt=in_doubt)
        return machine, producer

    def _still_here(self) -> None:
        self.stage.health.beat(self.settings.name)
        if self.stage.stop.is_set():
            raise KafkaTrouble("stopped while taking over")

    def _check_log(self, consumer: Consumer, found: Checkpoint | None, topic_id: str | None) -> int:
        """Where to read from. Raises StartUnclear if log and checkpoint do not fit together."""
        with kafka.trouble("reading the log's ends"):
            low, high = consumer.get_watermark_offsets(TopicPartition(self.topic, 0), timeout=10.0)
        if found is None:
            if low > 0 and self.begin is None:
                raise StartUnclear(
                    f"{self.topic} begins at {low}, and there is no checkpoint: say --from "
                    "earliest (or latest) once to begin there"
                )
            return int(high if self.begin == "latest" and low > 0 else low)
        if topic_id and found.topic_id and found.topic_id != topic_id:
            raise StartUnclear(
                f"{self.topic} was deleted and created anew: its checkpoint is of another topic"
            )
        if not low <= found.base <= high:
            raise StartUnclear(
                f"{self.topic} holds {low} to {high}, but the checkpoint's base is {found.base}: "
                "records were deleted before they were settled"
            )
        return found.base
