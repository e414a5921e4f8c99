"""What a process takes while it works: memory and CPU four times a second, its own metrics."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Self

import httpx

from benchmarks.programs import ProcessTree, looking
from tests.support.dispatcher import Dispatcher

METRICS_EVERY = 5.0
GAUGES = (
    "buffered_invitations",
    "spilled_invitations",
    "span_offsets",
    "lane_lag_records",
    "lane_paused",
)


class Sample(NamedTuple):
    """`at`: seconds of the wall clock; `memory`: MB; `cpu`: seconds so far."""

    at: float
    memory: float
    cpu: float


class Watch:
    """Samples a dispatcher until the block ends."""

    def __init__(self, dispatcher: Dispatcher, lane: str = "pisano") -> None:
        self.samples: list[Sample] = []
        self.gauges: list[tuple[float, Mapping[str, float]]] = []
        """When, and the lane's gauges then; the backlog as the program shows it."""
        self._dispatcher, self._lane = dispatcher, lane
        self._next_scrape = 0.0
        self._looking = looking(self._look)

    def __enter__(self) -> Self:
        self._looking.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._looking.__exit__(None, None, None)

    def peak(self) -> float:
        """The most memory that a sample has seen, MB: of all processes, shared pages once."""
        return max((sample.memory for sample in self.samples), default=0.0)

    def between(self, begin: float, end: float) -> dict[str, float]:
        """Memory and CPU in a stretch, its halves compared; MB, and CPU seconds a second."""
        found = [sample for sample in self.samples if begin <= sample.at <= end]
        middle = (begin + end) / 2
        first = [each.memory for each in found if each.at < middle]
        second = [each.memory for each in found if each.at >= middle]
        if not (first and second):
            return {}
        spent = found[-1].cpu - found[0].cpu
        return {
            "seconds": round(end - begin, 1),
            "memory_max_first_half": round(max(first), 1),
            "memory_max_second_half": round(max(second), 1),
            "memory_last": round(found[-1].memory, 1),
            "cpu_share": round(spent / max(found[-1].at - found[0].at, 1e-9), 3),
        }

    def gauge_max(self, name: str, begin: float = 0.0) -> float:
        """The largest value of one of `GAUGES` since."""
        return max((gauges[name] for at, gauges in self.gauges if at >= begin), default=0.0)

    def _look(self) -> None:
        with suppress(OSError, IndexError):  # it ended meanwhile
            self._sample()
        if time.monotonic() >= self._next_scrape:
            self._next_scrape = time.monotonic() + METRICS_EVERY
            with suppress(httpx.HTTPError):
                self._scrape()

    def _sample(self) -> None:
        tree = ProcessTree(self._dispatcher.pid)
        if memory := tree.memory():
            self.samples.append(Sample(time.time(), memory, tree.cpu()))

    def _scrape(self) -> None:
        metrics = self._dispatcher.metrics()
        values = {name: metrics.total(name, lane=self._lane) for name in GAUGES}
        self.gauges.append((time.time(), values))


def load() -> list[float]:
    """The machine's load averages."""
    return [round(each, 1) for each in os.getloadavg()]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Number, median, 99th percentile and maximum."""
    if not seconds:
        return {"number": 0}
    ordered = sorted(seconds)
    return {
        "number": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "max": round(ordered[-1], 3),
    }
