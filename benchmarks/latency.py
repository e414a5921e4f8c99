"""Start-up and idle latency on a real Kafka: `python -m benchmarks.latency`.

- `--help`: seconds and CPU of the command.
- start: seconds from exec to `/readyz` = 200, to the router's partitions, to the lane's takeover;
  CPU and memory of all processes then. The first start has no offsets; the others are restarts.
- idle: from the producer's `produce` to the vendor's first byte, one event at a time at random
  moments, with an unlimited quota and `linger: 0s`. The idle CPU is that without events.

Three figures are least, median and most.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from benchmarks.programs import ProcessTree
from benchmarks.throughput import config, sink, workload
from tests.support.dispatcher import Dispatcher, command, until
from tests.support.kafka import broker_factory, create_topics, free_ports, unique

IDLE_SECONDS = 5.0
POLL = 0.01
"""Seconds between two looks at a program that starts: half of it is the error of a figure."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, and a JSON line for each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--helps", type=int, default=5)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--events", type=int, default=300)
    given = parser.parse_args(arguments)
    parts: list[tuple[str, Mapping[str, Any]]] = []
    if given.helps:
        parts.append(("--help", spread([helped() for _ in range(given.helps)])))
    if given.starts or given.events:
        with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder)) as start:
            world = IdleWorld(start().bootstrap, Path(folder))
            with listening(world.port) as count:
                starts = [asdict(world.start_and_stop()) for _ in range(given.starts)]
                if starts:
                    parts.append(("first start", spread(starts[:1])))
                if starts[1:]:
                    parts.append(("restart", spread(starts[1:])))
                if given.events:
                    parts.append(("idle event to call", world.idle(given.events, count)))
    table = Table("what", "figure", "value")
    for what, figures in parts:
        print(json.dumps({"what": what, **figures}))
        for name, value in figures.items():
            shown = " / ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(what, name, shown)
    Console(width=100).print(table)


def helped() -> dict[str, float]:
    """Run `--help` once."""
    began = time.monotonic()
    process = subprocess.Popen(command("--help"), stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def spread(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Least, median and most of each column."""
    columns = {name: sorted(row[name] for row in rows) for name in rows[0]}
    return {
        name: [round(each, 2) for each in (values[0], statistics.median(values), values[-1])]
        for name, values in columns.items()
    }


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from exec, and the account when all of them were over."""

    readyz: float
    router_assigned: float
    lane_taken_over: float
    cpu_seconds: float
    memory_mb: float
    stop_seconds: float


class IdleWorld:
    """An application with one lane and nothing to do."""

    def __init__(self, bootstrap: str, home: Path) -> None:
        self.port, self._admin = free_ports(2)
        self._bootstrap, self._home = bootstrap, home
        name = unique("idle")
        self._input = f"{name}-input"
        create_topics(bootstrap, self._input, partitions=workload.PARTITIONS)
        made = config.document(name, bootstrap, f"http://127.0.0.1:{self.port}", self._input)
        made["quotas"]["sink"]["linger"] = "0s"
        self._config = config.write(home, made)
        config.create_topics(self._config)

    def start_and_stop(self) -> Start:
        """Measure one start."""
        dispatcher, start = self._start()
        began = time.monotonic()
        dispatcher.terminate()
        return Start(*start, time.monotonic() - began)

    def _start(self) -> tuple[Dispatcher, tuple[float, float, float, float, float]]:
        began = time.monotonic()
        log = self._home / f"{unique('log')}.log"
        dispatcher = Dispatcher(self._config, log, self._admin, "--from", "earliest")
        moments: dict[str, float] = {}
        while len(moments) < 3:
            time.sleep(POLL)
            assert dispatcher.ended() is None, log.read_text()[-3000:]
            if "readyz" not in moments and dispatcher.probe("/readyz")[0] == 200:
                moments["readyz"] = time.monotonic() - began
            for event in ("router_assigned", "lane_taken_over"):
                if event not in moments and dispatcher.lines(event):
                    moments[event] = time.monotonic() - began
        tree = ProcessTree(dispatcher.pid)
        account = (tree.cpu(), tree.memory())
        taken = (moments["readyz"], moments["router_assigned"], moments["lane_taken_over"])
        return dispatcher, (*taken, *account)

    def idle(self, events: int, count: sink.Count) -> dict[str, float]:
        """Send events one by one; return percentiles of the milliseconds, and the idle CPU."""
        dispatcher, _ = self._start()
        try:
            tree = ProcessTree(dispatcher.pid)
            time.sleep(2.0)
            before = tree.cpu()
            time.sleep(IDLE_SECONDS)
            idle_cpu = (tree.cpu() - before) / IDLE_SECONDS
            waits = sorted(self._waits(events, count))
        finally:
            dispatcher.terminate()
        return {
            "events": events,
            "p50_ms": round(waits[len(waits) // 2] * 1000, 1),
            "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
            "max_ms": round(waits[-1] * 1000, 1),
            "idle_cpu_share": round(idle_cpu, 4),
        }

    def _waits(self, events: int, count: sink.Count) -> Iterator[float]:
        producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 0})
        producer.list_topics(self._input, timeout=10)
        for number, value in enumerate(workload.events(events)):
            time.sleep(random.uniform(0.1, 0.3))
            calls, began = count.calls, time.monotonic()
            producer.produce(self._input, value, partition=number % workload.PARTITIONS)
            producer.poll(0)
            until("the call", lambda calls=calls: count.calls > calls)  # type: ignore[misc]
            yield count.began[calls] - began
        producer.flush()


@contextmanager
def listening(port: int) -> Iterator[sink.Count]:
    """A sink in a thread of this process, so that both ends have one clock."""
    count, loop = sink.Count(), asyncio.new_event_loop()

    def run() -> None:
        task = loop.create_task(sink.serve(port, count))
        loop.call_soon(begun.set)
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    begun = threading.Event()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    begun.wait(10)
    try:
        yield count
    finally:
        for task in asyncio.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


if __name__ == "__main__":
    main()
