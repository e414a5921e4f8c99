"""A steady flow of purchases, each of another customer, from a thread of its own."""

from __future__ import annotations

import threading
import time

import orjson
from confluent_kafka import KafkaError, Message, Producer

from consumer.records.fields import rfc3339
from tests.chaos.arena import CAMPAIGNS, LANES

BEAT = 0.2


def phone(number: int) -> str:
    """The customer of a lane's event with this number."""
    return f"+90532{number:07d}"


class Feeder:
    """`rate` events a second for each lane, numbered from 0; `fed` tells how many there were.

    The producer is idempotent: whatever happens to Kafka, each event is on the topic once.
    """

    def __init__(self, bootstrap: str, topic: str, rate: float) -> None:
        self.fed = dict.fromkeys(LANES, 0)
        self._topic = topic
        self._rate = rate
        self._refused: list[str] = []
        settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0}
        self._producer = Producer({**settings, "linger.ms": 20})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    def stop(self) -> None:
        """Feed no more; everything fed is on the topic. Raises RuntimeError if it is not."""
        self._stop.set()
        self._thread.join()
        left = self._producer.flush(60)
        if left or self._refused:
            raise RuntimeError(f"{left} events were not written, {len(self._refused)} were refused")

    def _run(self) -> None:
        began, due = time.monotonic(), 0
        while not self._stop.wait(BEAT):
            target = int((time.monotonic() - began) * self._rate)
            for number in range(due, target):
                for lane in LANES:
                    self._produce(lane, number)
            due = target
            self._producer.poll(0)

    def _produce(self, lane: str, number: int) -> None:
        name = f"{lane}-{number}"
        body = {
            "id": name,
            "time": rfc3339(time.time()),
            "channel": f"{lane}-{number % CAMPAIGNS}",
            "customer": {"name": f"Customer Nr{number}", "phone": phone(number)},
        }
        value = orjson.dumps(body)
        self._producer.produce(self._topic, value, name, on_delivery=self._delivered)
        self.fed[lane] = number + 1

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._refused.append(error.name())
