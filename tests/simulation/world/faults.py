"""What goes wrong in a world: at crash points and at times, drawn from its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a fault does."""

    KILL = "kill"
    FREEZE = "freeze"
    TERMINATE = "terminate"
    MOVE = "move"
    OUTAGE = "outage"
    STRAY = "stray"
    COMPACT = "compact"


POINTS = {
    "produce": 600,
    "consume.before": 600,
    "consume.after": 140,
    "begin": 180,
    "commit.before": 180,
    "commit.after": 180,
    "offsets.before": 30,
    "offsets.after": 30,
    "abort.before": 1,
    "abort.after": 1,
    "send": 80,
    "login": 4,
    "call.begins": 80,
    "call.leaves": 80,
    "call.left": 80,
    "call.answered": 80,
    "subscribe": 12,
    "assign.before": 25,
    "assign.after": 25,
    "revoke.before": 6,
    "revoke.after": 6,
    "lost.before": 1,
    "lost.after": 1,
    "close.before": 8,
    "close.after": 8,
    "init.before": 10,
    "init.after": 10,
    "flush.before": 5,
    "flush.after": 5,
    "assign": 5,
    "watermarks": 8,
    "committed": 8,
    "topic_id": 5,
    "list_topics": 40,
    "seek": 30,
    "trim": 25,
    "offsets_for_times": 25,
    "unassign": 4,
    "taken over": 5,
    "drain": 2,
}
"""Every crash point that matters → how often a world passes it, about. Coverage is complete when a
process was killed and another frozen at each."""


@dataclass(frozen=True, slots=True)
class AtPoint:
    """Kill or freeze the process that passes this point for the `count`-th time in the world."""

    label: str
    count: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class AtTime:
    """Something happens at a moment (true time)."""

    at: float
    kind: Kind


def at_points(rng: random.Random) -> list[AtPoint]:
    """One to three, as far as their points are ever passed."""
    labels = rng.sample(list(POINTS), rng.choice([1, 1, 2, 2, 3]))
    return [
        AtPoint(
            label,
            1 + int(POINTS[label] * rng.random() ** 2 * 0.7),
            rng.choice([Kind.KILL, Kind.FREEZE]),
        )
        for label in labels
    ]


def at_times(rng: random.Random, start: float, length: float) -> list[AtTime]:
    """Up to five, while there is traffic."""
    kinds, weights = zip(
        (Kind.KILL, 3),
        (Kind.FREEZE, 3),
        (Kind.TERMINATE, 3),
        (Kind.MOVE, 4),
        (Kind.OUTAGE, 1),
        (Kind.STRAY, 2),
        (Kind.COMPACT, 1),
        strict=True,
    )
    return [
        AtTime(start + rng.uniform(0.1, 1.0) * length, kind)
        for kind in rng.choices(kinds, weights, k=rng.randint(1, 5))
    ]
