"""Shared by benchmarks of the running program: its processes, their CPU and memory, topics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from confluent_kafka import Consumer, TopicPartition

TICK = os.sysconf("SC_CLK_TCK")
SPEED = 20
"""How much faster than life the limited scenes run."""

LIMITS = ((20, 5.0), (40, 25.0), (80, 125.0), (160, 625.0))
"""Pisano's published limits: calls, seconds."""


def cpu(pids: Sequence[int]) -> float:
    """CPU seconds so far, user and system."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def peak(pids: Sequence[int]) -> float:
    """Sum of the peak resident sets, MB."""
    lines = [
        line
        for pid in pids
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return sum(int(line.split()[1]) for line in lines) / 1024


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
