"""Measures a run from outside: time by what a read_committed reader sees, the rest by /proc.

- `first_to_last`: seconds from the first visible result to the last; `total`: from the start.
- `cpu`: CPU seconds of all processes from the start to the last visible result; `work`: without
  what the same command takes to start on an empty topic; `cpu_exit`: to the end of all.
- `peak_mb`: the most memory of all processes together (proportional set sizes, sampled).
- `records`, `distinct`, `wrong`: what a reading of all results found.

A run ends when there are as many results as events and none came for `QUIET` seconds, or when the
command has ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from benchmarks.programs import ProcessTree, looking
from benchmarks.throughput.scene import PARTITIONS, Scene
from benchmarks.throughput.sink import calls_and_bytes
from benchmarks.throughput.systems import Job, Prepare
from tests.support.kafka import create_topics, unique

TIMEOUT, QUIET, LOOK = 600.0, 2.0, 0.05
STOP_WITHIN = 90.0
SETTLED = 0.1
"""CPU seconds a second, below which a program that starts has started."""


@dataclass(frozen=True, slots=True)
class Run:
    """Figures of one run; see the module."""

    system: str
    events: int
    first_to_last: float
    total: float
    cpu: float
    work: float
    cpu_exit: float
    peak_mb: float
    calls: int
    mb: float
    records: int
    distinct: int
    wrong: int

    @property
    def is_right(self) -> bool:
        """Whether each event has one result."""
        return (self.records, self.distinct, self.wrong) == (self.events, self.events, 0)


class Ends:
    """The end of a topic as a read_committed reader sees it: open transactions do not count."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        found = self._admin.list_topics(topic, timeout=30).topics[topic].partitions
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        self._latest = {TopicPartition(topic, number): latest for number in found}

    def sum(self) -> int:
        """Offsets of all partitions; a transaction's end takes one too."""
        futures = self._admin.list_offsets(
            self._latest, isolation_level=IsolationLevel.READ_COMMITTED
        )
        return sum(int(future.result(30).offset) for future in futures.values())


class Program:
    """A job that runs, in a session of its own, with what it printed in a file."""

    def __init__(self, scene: Scene, job: Job) -> None:
        self.began = time.monotonic()
        self.log = scene.folder / f"{unique('log')}.txt"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                job.command,
                env={**os.environ, **job.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.tree = ProcessTree(self._process.pid)

    def has_ended(self) -> bool:
        """Whether it has; it is not waited for, so that its account stays."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, how) is not None

    def stop(self) -> float:
        """SIGTERM; the CPU seconds of all processes to their end."""
        if not self.has_ended():
            self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(LOOK)
        if not self.has_ended():
            os.killpg(self._process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime


def measure(
    name: str, prepare: Prepare, scene: Scene, source: str, events: int, *, started: float = 0.0
) -> Run:
    """Run once. `started`: CPU seconds that `startup` found. Raises SystemExit without results."""
    job = prepare(scene, source, events)
    ends = Ends(scene.bootstrap, job.results)
    calls, size = calls_and_bytes(scene.sink)
    program = Program(scene, job)
    first = last = program.began
    cpu, seen = 0.0, 0
    with looking(program.tree.memory):
        while time.monotonic() - program.began < TIMEOUT:
            time.sleep(LOOK)
            found, now = ends.sum(), time.monotonic()
            if found > seen:
                first, last = first if seen else now, now
                cpu, seen = program.tree.cpu(), found
            elif now - last > QUIET and (seen >= events or program.has_ended()):
                break
    to_exit = program.stop()
    if not seen:
        raise SystemExit(f"{name}: no results; it printed\n{program.log.read_text()[-3000:]}")
    calls_now, size_now = calls_and_bytes(scene.sink)
    return Run(
        system=name,
        events=events,
        first_to_last=round(last - first, 2),
        total=round(last - program.began, 2),
        cpu=round(cpu, 2),
        work=round(cpu - started, 2),
        cpu_exit=round(to_exit, 2),
        peak_mb=round(program.tree.peak()),
        calls=calls_now - calls,
        mb=round((size_now - size) / 1e6, 1),
        **(check(scene, job) if job.is_checked else {"records": 0, "distinct": 0, "wrong": 0}),
    )


def check(scene: Scene, job: Job) -> Mapping[str, int]:
    """Read all results: how many, of how many events, and how many are wrong."""
    records, wrong = 0, 0
    seen = bytearray()
    """One byte an event: ten million of their ids would not fit."""
    for value in committed_values(scene.bootstrap, job.results):
        result: dict[str, Any] = orjson.loads(value)
        records += 1
        wrong += not job.is_right(result)
        number = int(result["event_id"].removeprefix("t-"))
        seen.extend(bytes(max(0, number + 1 - len(seen))))
        seen[number] = 1
    return {"records": records, "distinct": sum(seen), "wrong": wrong}


def committed_values(bootstrap: str, topic: str) -> Iterator[bytes]:
    """Read a topic to its end, a few thousand records at a time."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": unique("check"),
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "queued.max.messages.kbytes": 16384,
    }
    with Consumer(settings) as consumer:
        unread = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in unread])
        while unread:
            for message in consumer.consume(5000, 5.0):
                error = message.error()
                if error is None:
                    yield message.value() or b""
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    unread.discard(message.partition())
                else:
                    raise KafkaException(error)


def startup(prepare: Prepare, scene: Scene) -> float:
    """CPU seconds that a system takes on an empty topic until it is at rest."""
    source = unique("empty")
    create_topics(scene.bootstrap, source, partitions=PARTITIONS)
    program = Program(scene, prepare(scene, source, 1))
    spent, rest = 0.0, 0
    while rest < 2 and not program.has_ended():
        time.sleep(1.0)
        now = program.tree.cpu()
        rest = rest + 1 if now - spent < SETTLED else 0
        spent = now
    program.stop()
    return spent
