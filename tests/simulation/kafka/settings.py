"""How slow and how unkind the broker is."""

from __future__ import annotations

import random
from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Times in seconds, drawn evenly from a range; chances from 0 to 1 for each request.

    `commit_lost`: a commit times out at the client; `late_effect`: such a commit (or init) took
    effect all the same, or does so later if the process lives. `abortable`: a commit is refused
    and the transaction stays open. `late_marker`: a transaction's marker reaches one partition
    later than the coordinator's word. `unknown_offset`: an idempotent retry hides where a record
    went.

    `outlives_revocation`: what a poll fetched of a partition is handed out by that poll although a
    callback in it has given the partition up. `lingers`: a poll that has records waits on for
    `linger`, as librdkafka's does until its batch is full, and serves callbacks meanwhile.
    `stale_after_seek`: what was fetched before a seek is handed out once more after it.

    `record_seconds`: a quota makes the broker take so long for each record of a transaction.

    `keeps_records`: there is no right to delete any.
    """

    session_timeout: float = 10.0
    heartbeat: float = 3.0
    max_poll: float = 300.0
    latency: Range = (0.0005, 0.005)
    rebalance_delay: Range = (0.01, 3.0)
    fetch_delay: Range = (0.0005, 0.02)
    eof_delay: Range = (0.0, 0.1)
    marker_delay: Range = (0.0, 0.05)
    late_marker: float = 0.2
    commit_lost: float = 0.0
    init_lost: float = 0.0
    late_effect: float = 0.5
    abortable: float = 0.0
    unknown_offset: float = 0.0
    short_read: float = 0.3
    outlives_revocation: float = 0.0
    lingers: float = 0.0
    linger: Range = (0.0, 6.0)
    stale_after_seek: float = 0.0
    record_seconds: float = 0.0
    keeps_records: bool = False


def draw(rng: random.Random, bounds: Range) -> float:
    """A time from a range."""
    low, high = bounds
    return low + (high - low) * rng.random()
