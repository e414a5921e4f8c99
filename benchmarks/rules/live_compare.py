"""Compares the year on real Kafka with the virtual clock, household by household.

The virtual clock decides each invitation when it is due, the sleeping clock up to three hours and
more later. A household for which that changes an outcome has a cause; one without a cause is wrong.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from benchmarks.rules.year import CONFIG, DAY
from consumer.config import load
from consumer.config.models import Config
from consumer.demo.baskets import Basket, event_of
from consumer.records.input_record import InputRecord
from consumer.records.result import EncodedResult, Result
from consumer.simulate.rules_play import RulesPlay

WINDOW = 30 * DAY
DELAY = 7200.0
LATE = 3.25 * 3600
"""Seconds by which two clocks may decide apart: the longest sleep of a day."""

NIGHT = 12 * 3600.0
ASKED = {"accepted", "unknown"}


@dataclass(slots=True)
class Decided:
    """What became of a household's event: `at`: when it was called, or decided."""

    event: str
    due: float
    at: float
    outcome: str
    asked: bool


class _RecordedPlay(RulesPlay):
    """A play on the virtual clock that keeps each event's result."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ends: dict[str, tuple[float, Result]] = {}

    def _ended(self, encoded: EncodedResult) -> None:
        super()._ended(encoded)
        self.ends[encoded.event_id] = self.now, orjson.loads(encoded.value)


def play_virtually(events: Sequence[Basket]) -> dict[str, tuple[float, Result]]:
    """Return event → when it ended on the virtual clock, and its result."""
    records = (
        (basket.time, InputRecord("pos.baskets", 0, offset, event_of(basket, 0.0)))
        for offset, basket in enumerate(events)
    )
    play = _RecordedPlay(load(json.dumps(CONFIG)))
    play.run(records)
    return play.ends


def by_household(
    events: Sequence[Basket], results: Mapping[str, tuple[float, Result]]
) -> dict[int, list[Decided]]:
    """Return household → what became of its events, in their order."""
    households: dict[int, list[Decided]] = defaultdict(list)
    for basket in events:
        name = f"basket-{basket.id}"
        if name not in results:
            continue
        at, result = results[name]
        sent_at = result["sent_at"]
        at = datetime.fromisoformat(sent_at).timestamp() if sent_at else at
        due_at = result.get("due_at")
        due = datetime.fromisoformat(due_at).timestamp() if due_at else basket.time + DELAY
        outcome = f"{result['status']}/{result['reason']}"
        asked = result["status"] in ASKED
        households[basket.household].append(Decided(name, due, at, outcome, asked))
    return households


def cause_of(first: Decided, live: Sequence[Decided], there: Mapping[str, Decided]) -> str | None:
    """Return why a household's first different outcome differs; None if nothing tells.

    `in doubt`: a kill made it unknown. `at once`: another one was decided within the same hours.
    `bound`: on one clock it was decided before a window's end, and on the other after it.
    """
    virtual = there[first.event]
    if first.asked and virtual.asked:
        return "in doubt"
    late = _late(first, virtual)
    for one in live:
        other = there[one.event]
        for asked in (one, other):
            if asked.asked and asked.event != first.event:
                since = [first.at - asked.at, virtual.at - asked.at]
                if min(map(abs, since)) <= late:
                    return "at once"
                if min(abs(passed - WINDOW) for passed in since) <= late + _late(one, other):
                    return "bound"
    return None


def _late(one: Decided, other: Decided) -> float:
    """Return how far apart two clocks may decide: a call that misses the evening waits a night."""
    return LATE + min(NIGHT, abs(one.at - other.at))
