"""Reads results and checkpoints as they become visible, and keeps what the judge needs of them.

Checkpoint topics are compacted, so they are read while the work goes on. A claim on one says that
the lane has a new owner; the checkpoint before it says what was in flight then.
"""

from __future__ import annotations

import base64
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from tests.chaos.arena import LANES
from tests.support.dispatcher import LiveWorld
from tests.support.kafka import unique


@dataclass(frozen=True, slots=True)
class Takeover:
    """A lane's claim, when it was made (epoch seconds), and the batches that it found in flight."""

    lane: str
    epoch: int
    at: float
    in_doubt: dict[str, int]


@dataclass(slots=True)
class Seen:
    """Of a lane's events: how many results each has, and the statuses."""

    times: bytearray = field(default_factory=bytearray)
    statuses: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, status: str) -> None:
        """One result; only those that are not `accepted` are kept by number."""
        if number >= len(self.times):
            self.times.extend(bytes(number + 1 - len(self.times)))
        self.times[number] = min(self.times[number] + 1, 255)
        if status != "accepted":
            self.statuses[number] = status


class Observer:
    """A thread with a consumer. Read what it found after `stop`, counts at any time."""

    def __init__(self, world: LiveWorld, bootstrap: str) -> None:
        self.seen = {lane: Seen() for lane in LANES}
        self.statuses: Counter[tuple[str, str]] = Counter()
        self.takeovers: list[Takeover] = []
        self.unknown_batches: Counter[str] = Counter()
        self.last_at = time.monotonic()
        self._bootstrap = bootstrap
        self._results = f"{world.name}.results"
        self._checkpoints = {f"{world.name}.checkpoints.{lane}": lane for lane in LANES}
        self._newest: dict[str, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    @property
    def results(self) -> int:
        """Results that were seen so far."""
        return self.statuses.total()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        settings = {
            "bootstrap.servers": self._bootstrap,
            "group.id": unique("observer"),
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "log_level": 0,  # a broker that was killed is no news
        }
        with Consumer(settings) as client:
            known = client.list_topics(timeout=20).topics
            client.assign(
                [
                    TopicPartition(topic, partition, OFFSET_BEGINNING)
                    for topic in (self._results, *self._checkpoints)
                    for partition in known[topic].partitions
                ]
            )
            while not self._stop.is_set():
                for message in client.consume(5000, 0.2):
                    if message.error() is None:
                        self._take(message)

    def _take(self, message: Message) -> None:
        topic, value, key = message.topic() or "", message.value() or b"", message.key()
        if topic == self._results:
            self._result(orjson.loads(value))
            return
        lane = self._checkpoints[topic]
        if key == lane.encode():
            self._newest[lane] = value
        elif key == f"{lane}/claim".encode():
            at = message.timestamp()[1] / 1000
            self.takeovers.append(Takeover(lane, message.offset() or 0, at, self._in_flight(lane)))

    def _result(self, result: dict[str, str]) -> None:
        lane, _, number = result["event_id"].rpartition("-")
        self.seen[lane].add(int(number), result["status"])
        self.statuses[result["status"], result["reason"]] += 1
        self.last_at = time.monotonic()
        if result["reason"] == "owner_lost":
            self.unknown_batches[result["batch"]] += 1

    def _in_flight(self, lane: str) -> dict[str, int]:
        newest = self._newest.get(lane)
        batches = orjson.loads(newest)["in_flight"] if newest else []
        return {
            batch["batch_id"]: _bits(zlib.decompress(base64.b64decode(batch["offsets"])))
            for batch in batches
        }


def _bits(bitmap: bytes) -> int:
    """How many are set."""
    return int.from_bytes(bitmap).bit_count()
