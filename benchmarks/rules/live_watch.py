"""Reads what became of the events: invitations that wait, and results as they become visible.

This is all that the driver knows about the dispatchers. `settled` tells when it may let the machine
sleep: every produced event was routed, and what was due at a moment has its result.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from benchmarks.rules.live_scene import LANE
from consumer.config.topic_names import Topics
from consumer.lane.state.delay_steps import STEPS
from consumer.records.result import Result

PATIENCE = 60.0


@dataclass(slots=True)
class Ended:
    """A result, and when it was written (epoch seconds)."""

    at: float
    result: Result


@dataclass(slots=True)
class LiveWatch:
    """Everything that was read so far. `results`: event → its results; one each is right."""

    bootstrap: str
    topics: Topics
    results: dict[str, list[Ended]] = field(default_factory=dict)
    _routed: set[str] = field(default_factory=set)
    _returned: set[str] = field(default_factory=set)
    _delayed: dict[str, float] = field(default_factory=dict)  # event → when its step ends
    _steps: list[tuple[float, str]] = field(default_factory=list)
    _waiting: list[tuple[float, str]] = field(default_factory=list)
    _client: Consumer = field(init=False)
    _step_of: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self._client = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "live-watch",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        places = []
        self._step_of = {self.topics.delayed(name): step for name, step in STEPS.items()}
        for topic in (self.topics.invitations(LANE), *self._step_of, self.topics.results):
            found = self._client.list_topics(topic, timeout=PATIENCE).topics[topic]
            places += [TopicPartition(topic, part, OFFSET_BEGINNING) for part in found.partitions]
        self._client.assign(places)

    def read(self, wait: float = 0.02) -> None:
        """Read on for a moment."""
        for message in self._client.consume(5_000, wait):
            if message.error() is not None:
                continue
            topic, at = message.topic() or "", message.timestamp()[1] / 1000
            document = orjson.loads(message.value() or b"")
            if topic == self.topics.results:
                self._ended(document, at)
            else:
                self._waits(document, self._step_of.get(topic), at)

    def _ended(self, result: Result, at: float) -> None:
        self.results.setdefault(result["event_id"], []).append(Ended(at, result))
        self._routed.add(result["event_id"])

    def _waits(self, invitation: Mapping[str, Any], step: float | None, at: float) -> None:
        event = invitation["result"]["event_id"]
        if event not in self._routed:
            self._routed.add(event)
            heapq.heappush(self._waiting, (invitation["eligible_from"], event))
        if step is None:
            self._returned.add(event)
        else:
            self._delayed[event] = max(at + step, self._delayed.get(event, 0.0))
            heapq.heappush(self._steps, (at + step, event))

    def settled(self, produced: int, moment: float, *, quiet: bool) -> bool:
        """Return whether all events are routed, the delay topics have passed on what they held
        until `moment` (a machine that sleeps in the midst of that delays it by another step), and
        all invitations due by then have ended: in quiet hours they wait for the morning."""
        waiting, steps = self._waiting, self._steps
        while waiting and waiting[0][1] in self.results:
            heapq.heappop(waiting)
        while steps and self._passed(*steps[0]):
            heapq.heappop(steps)
        if len(self._routed) < produced or (steps and steps[0][0] <= moment):
            return False
        return quiet or not waiting or waiting[0][0] > moment

    def _passed(self, until: float, event: str) -> bool:
        later = self._delayed[event] > until
        return later or event in self._returned or event in self.results

    @property
    def ended(self) -> int:
        """How many events have a result."""
        return len(self.results)

    def describe(self) -> str:
        """Return how far everything is, for a run that does not go on."""
        waiting = [(event, datetime.fromtimestamp(due, UTC)) for due, event in self._waiting[:1]]
        steps = [(event, datetime.fromtimestamp(due, UTC)) for due, event in self._steps[:1]]
        return (
            f"{len(self._routed)} routed, {self.ended} ended, waits first: {waiting}, on a delay "
            f"topic first: {steps}"
        )

    def close(self) -> None:
        """Read no more."""
        self._client.close()
