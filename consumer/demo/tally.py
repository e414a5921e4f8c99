"""Counts the results of the demo by status and reason; each invitation must have exactly one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer

from consumer.records.result import Reason, Result, ResultReader, Status


@dataclass(slots=True)
class Tally:
    """Results by id; `repeated` counts ids that came more than once: there must be none.

    `held_back`: by reason and contact rule. `asked`: invitations that were sent, by recipient.
    """

    by_status: Counter[Status] = field(default_factory=Counter)
    held_back: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
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
    """Reads the results topic from its beginning, in a thread of its own."""

    def __init__(self, settings: Mapping[str, str], topic: str) -> None:
        self.tally = Tally()
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                **settings,
                "group.id": "demo-results",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        self._consumer.subscribe([topic])
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
                if message.error() is None and value is not None:
                    self.tally.add(ResultReader.validate_json(value))
