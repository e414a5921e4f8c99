"""Records on the delay ladder: an invitation, its lane, since when it waits and until when.

The ladder's topics stamp records with times of their own, so an invitation's own time travels in a
header and stands again in the record that comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from confluent_kafka import Message, Producer

from consumer.adapters import kafka

LANE, ARRIVED, DUE = "lane", "arrived", "due_at"


@dataclass(frozen=True, slots=True)
class Delayed:
    """`arrived` and `due_at` are epoch seconds; `key` and `value` are the lane's record."""

    lane: str
    arrived: float
    due_at: float
    key: str
    value: bytes

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """What a message of a ladder's topic says; None if nobody of us wrote it."""
        headers = dict(kafka.headers_of(message))
        key = message.key() or b""
        try:
            lane = (headers[LANE] or b"").decode()
            arrived, due_at = float(headers[ARRIVED] or b""), float(headers[DUE] or b"")
            return cls(lane, arrived, due_at, bytes(key).decode(), message.value() or b"")
        except (KeyError, ValueError):
            return None

    def put(self, client: Producer, step: str) -> None:
        """On a step of the ladder; `step` is its topic."""
        headers: kafka.Headers = {
            LANE: self.lane.encode(),
            ARRIVED: repr(self.arrived).encode(),
            DUE: repr(self.due_at).encode(),
        }
        kafka.produce(client, step, self.value, key=self.key, partition=0, headers=headers)

    def give_back(self, client: Producer, invitations: str) -> None:
        """To the lane's own topic, with the time since when it waits."""
        since = int(self.arrived * 1000)
        kafka.produce(client, invitations, self.value, key=self.key, partition=0, timestamp=since)
