"""Whether each purchase has one result, and no customer was asked twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.support.dispatcher import LiveWorld


def judge(world: LiveWorld, written: Iterable[str]) -> list[str]:
    """What is wrong, in words; nothing is where the list is empty."""
    results = Counter(result["event_id"] for result in world.results())
    events = set(written)
    asked: Counter[str] = Counter()
    for (_, recipient), times in world.accepted().items():
        asked[recipient] += times
    found = {
        "purchases without a result": len(events - results.keys()),
        "purchases with several": sum(results[event] > 1 for event in events),
        "customers asked twice": sum(times > 1 for times in asked.values()),
    }
    return [f"{number} {what}" for what, number in found.items() if number]
