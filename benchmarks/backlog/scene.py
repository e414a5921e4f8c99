"""What surrounds a backlog: a real Kafka, vendors' doubles as processes, steady traffic."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.programs import compressed
from tests.support.dispatcher import LiveWorld, command, purchases, until
from tests.support.kafka import free_ports

LIMITED: Mapping[str, object] = {"limits": compressed(), "skew": "100ms"}
"""The published limits, twenty times as fast."""

COUNTED: Mapping[str, object] = {"pisano_quota": {"limits": compressed()}}
"""A double that refuses what goes beyond them."""


@dataclass(slots=True)
class Double:
    """The vendors' double as a process of its own: `start` and `stop` open and close its port."""

    home: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])
    settings: Mapping[str, object] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, or will be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def journal(self) -> Path:
        """A line for each call, with recipients."""
        return self.home / f"journal-{self.port}.jsonl"

    def start(self) -> Self:
        """Open the port, and wait until it answers."""
        path = self.home / f"double-{self.port}.json"
        settings = {"port": self.port, "journal_file": str(self.journal), **self.settings}
        path.write_text(json.dumps(settings))
        self._process = subprocess.Popen(
            command("sandbox", "--settings", path), stdout=subprocess.DEVNULL
        )
        until(f"the double at {self.url}", self._answers)
        return self

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the double at {self.url} has ended: is its port taken?")
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/_sandbox/summary").is_success
        return False

    def close(self) -> None:
        """Close the port at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def calls(self) -> int:
        """Calls so far."""
        return int(self.summary()["calls"])

    def summary(self) -> dict[str, Any]:
        """The double's own account."""
        found: dict[str, Any] = httpx.get(f"{self.url}/_sandbox/summary", timeout=30).json()
        return found


def adapt(config: Path, **changes: Mapping[str, Mapping[str, object]]) -> Path:
    """Change entries of a section, or add some: `vendors={"radar": {"base_url": …}}`."""
    document = json.loads(config.read_text())
    for section, entries in changes.items():
        for name, keys in entries.items():
            document[section][name] = document[section].get(name, {}) | dict(keys)
    config.write_text(json.dumps(document, indent=2))
    return config


def begin_router(world: LiveWorld) -> None:
    """Give the router its place, as an operator would: invitations without one look as if the
    group's offsets were forgotten, and the program refuses to begin by itself."""
    group = {"bootstrap.servers": world.bootstrap, "group.id": f"{world.name}.router"}
    places = [TopicPartition(world.input, part, 0) for part in range(world.partitions)]
    with Consumer(group) as client:
        until("the router has its place", lambda: _committed(client, places))


def _committed(client: Consumer, places: list[TopicPartition]) -> bool:
    """A broker that has just started may still be making its topic of offsets."""
    with suppress(KafkaException):
        client.commit(offsets=places, asynchronous=False)
        return True
    return False


class Traffic:
    """Events of one channel at a steady pace, from a thread, until the block ends."""

    def __init__(self, world: LiveWorld, channel: str, rate: float, first: int = 0) -> None:
        self.written = first
        self._world, self._channel, self._rate = world, channel, rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Write no more; all that was written is on Kafka then."""
        self._over.set()
        self._thread.join(60)

    def _write(self) -> None:
        producer = Producer({"bootstrap.servers": self._world.bootstrap, "linger.ms": 0})
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += 1 / self._rate
            [event] = purchases(self._channel, [self.written])
            producer.produce(self._world.input, event.value, event.id.encode())
            producer.poll(0)
            self.written += 1
        producer.flush(30)
