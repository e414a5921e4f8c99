"""Exemplars: values of a histogram with the traces that they come from.

    call_duration_seconds_bucket{lane="a",le="0.5"} 7 # {trace_id="4bf9…"} 0.31 1795435200.0
                                                    │       trace         value    time

Each bucket shows its newest one, in the format OpenMetrics alone: the plain one has none. A trace
is that of a sampled event, for no backend has the others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec
from prometheus_client.samples import Exemplar as ShownExemplar


class Exemplar(msgspec.Struct, frozen=True, gc=False):
    """A value of a histogram, the trace of its event, and when it was observed (epoch seconds)."""

    value: float
    trace_id: str
    at: float

    def shown(self) -> ShownExemplar:
        """Return what a scrape shows; a value below 0 is counted and shown as 0."""
        return ShownExemplar({"trace_id": self.trace_id}, max(self.value, 0.0), self.at)


Exemplars = dict[int, Exemplar]
"""Number of a bucket → its exemplar."""


def by_bucket(exemplars: Iterable[Exemplar], bounds: Sequence[float]) -> Exemplars:
    """Return the first exemplar of each bucket."""
    found: Exemplars = {}
    for exemplar in exemplars:
        found.setdefault(bisect_left(bounds, exemplar.value), exemplar)
    return found


def newest(parts: Iterable[Exemplars]) -> Exemplars:
    """Return the newest exemplar of each bucket that several processes have."""
    found: Exemplars = {}
    for part in parts:
        for bucket, exemplar in part.items():
            found[bucket] = max(found.get(bucket, exemplar), exemplar, key=lambda each: each.at)
    return found
