"""CPU, memory and files of several processes that are one program, as if they were one.

CPU is added up. Memory is each process's share of its pages (PSS), added up: a page that the
processes have in common since their fork counts once. Of files, the process that has the most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from consumer.observability.metrics.names import NAMESPACE

PREFIX = f"{NAMESPACE}_process_"
RESIDENT = f"{PREFIX}resident_memory_bytes"

MERGE: Mapping[str, Callable[[Sequence[float]], float]] = {
    f"{PREFIX}start_time_seconds": min,
    f"{PREFIX}open_fds": max,
    f"{PREFIX}max_fds": min,
}
"""Metric → what the processes make together; all others are summed."""


class ProcessTree(Collector):
    """Metrics of these processes; one that has ended is left out."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Family]:
        """Yield the metrics that `ProcessCollector` has of one process."""
        families: dict[str, Family] = {}
        values: dict[str, list[float]] = {}
        for pid in self._pids:
            for family in _families(pid):
                families.setdefault(family.name, family)
                values.setdefault(family.name, []).append(family.samples[0].value)
        for name, family in families.items():
            together = MERGE.get(name, sum)(values[name])
            family.samples = [family.samples[0]._replace(value=together)]
            yield family


def _families(pid: int) -> Iterator[Family]:
    for family in ProcessCollector(NAMESPACE, pid=lambda: pid, registry=None).collect():
        share = proportional_bytes(pid) if family.name == RESIDENT else None
        if share is not None:
            family.samples = [family.samples[0]._replace(value=share)]
        yield family


def proportional_bytes(pid: int) -> float | None:
    """Return the process's share of its pages in bytes (PSS); None where the system does not
    tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    return None
