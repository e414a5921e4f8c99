"""Counts the results of the demo by status and reason, and what is delayed beyond its end.

Each invitation must have exactly one result or wait on a delay topic.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from confluent_kafka import Consumer

from consumer.config.models import Config
from consumer.kafka.records.delayed import Delayed
from consumer.lane.state.delay_steps import STEPS
from consumer.records.readers import read_result
from consumer.records.result import Reason, Result, Status


@dataclass(slots=True)
class Tally:
    """Results by id; `repeated` counts ids that came more than once: there must be none.

    `held_back`: by reason and contact rule. `asked`: invitations that were sent, by recipient.
    `delayed`: invitations on the delay topics; none of them is due before the demo ends.
    """

    by_status: Counter[Status] = field(default_factory=Counter)
    held_back: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    delayed: int = 0
    _ids: set[str] = field(default_factory=set)

    def add(self, result: Result) -> None:
        """Count one result."""
        if result["id"] in self._ids:
            self.repeated += 1
        else:
            self._ids.add(result["id"])
            self.by_status[result["status"]] += 1
            if result["status"] == Status.SUPPRESSED:
                self.held_back[result["reason"], result.get("rule", "")] += 1
            if result["status"] in {Status.ACCEPTED, Status.UNKNOWN}:
                self.asked[result["recipient"] or ""] += 1

    @property
    def results(self) -> int:
        """Number of invitations that have their result."""
        return len(self._ids)


class ResultsReader:
    """Reads the results and the delay topics from their beginning, in a thread of its own."""

    def __init__(self, config: Config) -> None:
        self.tally = Tally()
        self._results = config.topics.results
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                **config.kafka,
                "group.id": "demo-results",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        delayed = [config.topics.delayed(step) for step in STEPS]
        self._consumer.subscribe([self._results, *delayed])
        self._thread = threading.Thread(target=self._run, name="demo-results", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading and leave the group."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(1000, 0.2):
                value = message.value()
                if message.error() is not None or value is None:
                    continue
                if message.topic() == self._results:
                    self.tally.add(read_result(value))
                elif Delayed.from_message(message, time.time()) is not None:
                    self.tally.delayed += 1
