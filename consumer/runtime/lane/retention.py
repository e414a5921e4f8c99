"""Retention: deletes a lane's settled records from its topic once they are older than `keep`.

A record holds an address, so it must not stay on the log longer than an operator needs to look it
up. Kafka's own retention does not know which records are settled.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumer.runtime.stage import StageRun

DELETE_EVERY = 600.0
WAIT_FOR_OFFSETS = 5.0


@dataclass(slots=True)
class Retention:
    """Deletions of one ownership of a lane, the first one `DELETE_EVERY` seconds after its
    beginning."""

    run: StageRun
    consumer: Consumer
    topic: str
    _due_at: float = math.inf

    def delete_settled(self, now: float, keep: float, committed_base: int) -> None:
        """Delete the records that are older than `keep`, if it is time.

        `committed_base` is that of the last checkpoint on the log, where the next owner starts; the
        lane's present base may be above it.
        """
        due = now >= self._due_at
        if due or self._due_at is math.inf:
            self._due_at = now + DELETE_EVERY
        if not due:
            return
        since = TopicPartition(self.topic, 0, int((now - keep) * 1000))
        with suppress(KafkaException):
            (found,) = self.consumer.offsets_for_times([since], timeout=WAIT_FOR_OFFSETS)
            before = min(committed_base, found.offset if found.offset >= 0 else math.inf)
            self.run.delete_records(self.topic, int(before))
