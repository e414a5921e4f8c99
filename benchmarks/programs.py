"""Shared by benchmarks of the running program: its processes, their CPU and memory, topics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
from confluent_kafka import Consumer, TopicPartition

from consumer.observability.metrics.process_tree import proportional_bytes

TICK = os.sysconf("SC_CLK_TCK")
SPEED = 20
"""How much faster than life the limited scenes run."""

LIMITS = ((20, 5.0), (40, 25.0), (80, 125.0), (160, 625.0))
"""Pisano's published limits: calls, seconds."""


class ProcessTree:
    """A process and all that it started: CPU and memory, as the kernel accounts for them.

    A member is a descendant, or in the session of the root (which holds orphans, where the root
    leads a session). A child that has ended counts by what its parent inherited in waiting for it.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._most = 0.0

    def cpu(self) -> float:
        """CPU seconds so far, user and system; 0 after the end of all."""
        return sum(stat.ticks for stat in self._members()) / TICK

    def pids(self) -> list[int]:
        """Its processes that live."""
        return [stat.pid for stat in self._members()]

    def memory(self) -> float:
        """MB now: proportional set sizes, so that a shared page counts once."""
        now = sum(proportional_bytes(pid) or 0 for pid in self.pids()) / 2**20
        self._most = max(self._most, now)
        return now

    def peak(self) -> float:
        """The most that `memory` has seen, MB."""
        return self._most

    def _members(self) -> list[_Stat]:
        stats = [stat for stat in map(_stat, Path("/proc").glob("[0-9]*/stat")) if stat]
        known, before = {self._root}, 0
        while len(known) > before:
            before = len(known)
            known |= {stat.pid for stat in stats if known & {stat.parent, stat.session}}
        return [stat for stat in stats if stat.pid in known]


class _Stat(NamedTuple):
    """What `/proc/PID/stat` says; `ticks` with those of children that were waited for."""

    pid: int
    parent: int
    session: int
    ticks: int


def _stat(path: Path) -> _Stat | None:
    try:
        pid, rest = path.read_text().split(" ", 1)
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = rest.rsplit(") ", 1)[1].split()
    return _Stat(int(pid), int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])))


@contextmanager
def looking(look: Callable[[], object]) -> Iterator[None]:
    """Call `look` four times a second, on a thread of its own, until the block ends."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(0.25):
            look()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def compressed() -> list[str]:
    """The published limits, twenty times as fast."""
    return [f"{calls}/{period / SPEED * 1000:.0f}ms" for calls, period in LIMITS]


@contextmanager
def sandbox(folder: Path, port: int, **settings: Any) -> Iterator[str]:
    """The vendors' double as a process of its own; its address."""
    path = folder / "sandbox.json"
    path.write_text(json.dumps({"port": port, **settings}))
    command = [sys.executable, "-m", "consumer", "sandbox", "--settings", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            client.get(f"{url}/_sandbox/summary").raise_for_status()
        yield url
    finally:
        process.kill()
        process.wait()


@contextmanager
def dispatcher(config: Path) -> Iterator[None]:
    """The program, until a clean end: an exit code other than 0 is a failure."""
    command = [sys.executable, "-m", "consumer"]
    subprocess.run(
        [*command, "topics", "--create", "-c", str(config)], check=True, stdout=subprocess.DEVNULL
    )
    process = subprocess.Popen(
        [*command, "run", "-c", str(config), "--from", "earliest", "--log-level", "warning"]
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        if code := process.wait(90):
            raise SystemExit(f"the dispatcher ended with {code}")


def records(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """All committed records of a topic."""
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "benchmark",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, 0) for number in partitions])
    found, ends = [], 0
    while ends < len(partitions):
        for message in reader.consume(10_000, 1.0):
            if message.error() is not None:
                ends += 1
            else:
                found.append(orjson.loads(message.value() or b""))
    reader.close()
    return found
