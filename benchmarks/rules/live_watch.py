"""Reads what became of the events: invitations that wait, and results as they become visible.

This is all that the driver knows about the dispatchers. `settled` tells when it may let the machine
sleep.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


class _Place(NamedTuple):
    """Where an invitation was seen: a later place is greater. `until`: when its delay topic's step
    ends; 0 in the lane's topic, to which it returns with as many `delays`."""

    delays: int
    returned: bool
    until: float


@dataclass(slots=True)
class LiveWatch:
    """Everything that was read so far. `results`: event → its results; one each is right."""

    bootstrap: str
    topics: Topics
    results: dict[str, list[Ended]] = field(default_factory=dict)
    _routed: set[str] = field(default_factory=set)
    _waiting: list[tuple[float, str]] = field(default_factory=list)
    _due: set[str] = field(default_factory=set)
    _places: dict[str, _Place] = field(default_factory=dict)
    _steps: list[tuple[float, str]] = field(default_factory=list)
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
        until = 0.0 if step is None else at + step
        place = _Place(invitation.get("delays", 0), step is None, until)
        self._places[event] = max(place, self._places.get(event, place))
        if step is not None:
            heapq.heappush(self._steps, (until, event))

    def settled(self, produced: int, moment: float) -> bool:
        """Return whether all events are routed, and nothing more happens at `moment`: each
        invitation due by then has ended or waits on a delay topic (for the morning, perhaps), and
        these have passed on what they held until then. A machine that sleeps in the midst of that
        delays it by another step."""
        waiting, steps = self._waiting, self._steps
        while waiting and waiting[0][0] <= moment:
            self._due.add(heapq.heappop(waiting)[1])
        self._due -= self.results.keys()
        while steps and self._passed(*steps[0]):
            heapq.heappop(steps)
        if len(self._routed) < produced or (steps and steps[0][0] <= moment):
            return False
        return all(self._places[event].until > moment for event in self._due)

    def _passed(self, until: float, event: str) -> bool:
        return event in self.results or self._places[event].until != until

    @property
    def ended(self) -> int:
        """How many events have a result."""
        return len(self.results)

    def describe(self) -> str:
        """Return how far everything is, for a run that does not go on."""
        late = {event: self._places[event] for event in self._due}
        return f"{len(self._routed)} routed, {self.ended} ended, late: {late}"

    def close(self) -> None:
        """Read no more."""
        self._client.close()
