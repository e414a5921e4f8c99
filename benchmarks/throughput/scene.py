"""Where a system works: a real Kafka with the events on a topic, a sink for the calls."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.throughput import sink, workload
from tests.support.kafka import broker_factory, create_topics, unique

PARTITIONS = workload.PARTITIONS


@dataclass(frozen=True, slots=True)
class Scene:
    """Addresses, and a folder for files that end with the scene."""

    bootstrap: str
    sink: str
    folder: Path


@contextmanager
def scene() -> Iterator[Scene]:
    """Run a broker and a sink."""
    with (
        tempfile.TemporaryDirectory() as folder,
        broker_factory(Path(folder)) as start,
        sink.running() as url,
    ):
        yield Scene(start().bootstrap, url, Path(folder))


def filled(place: Scene, events: Iterable[bytes], *, partitions: int = PARTITIONS) -> str:
    """Make a topic with the events; return its name."""
    source = unique("transactions")
    create_topics(place.bootstrap, source, partitions=partitions)
    workload.fill(place.bootstrap, source, events)
    return source
