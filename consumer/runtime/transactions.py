"""Transactions of the stages: measured, and limited to a size that commits before its timeout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Producer, ThrottleEvent

from consumer.clock import Clock
from consumer.errors import KafkaSessionError
from consumer.kafka import transactions
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.transaction_size import TransactionSize

RECORDS = 5_000
"""Records of a transaction while Kafka is quick: the records of one poll."""

HINT = (
    "a quota of the cluster (producer_byte_rate, consumer_byte_rate, request_percentage) or a slow "
    "broker: raise it for this client (kafka-configs.sh --entity-type clients, or users), see "
    "deploy/runbooks/KafkaThrottles.md"
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Transactions:
    """Transactions of all stages of a process, by the stage's name."""

    clock: Clock
    metrics: Metrics
    _sizes: dict[str, TransactionSize] = field(default_factory=dict)
    _timeouts: dict[str, float] = field(default_factory=dict)  # of the producers in use
    _overdue: set[str] = field(default_factory=set)

    def expect(
        self, name: str, *, most: int = RECORDS, timeout: float = transactions.TRANSACTION_TIMEOUT
    ) -> None:
        """Set size and timeout of a stage's transactions while Kafka is quick."""
        self._sizes.setdefault(name, TransactionSize(most, timeout))

    def size(self, name: str) -> TransactionSize:
        """Return the size of the stage's next transaction."""
        self.expect(name)
        return self._sizes[name]

    def timeout_of_producer(self, name: str) -> float:
        """Return and record the transaction timeout of the producer that the stage makes next."""
        self._timeouts[name] = self.size(name).timeout
        return self._timeouts[name]

    def timeout(self, name: str) -> float:
        """Return the transaction timeout of the stage's producer, in seconds."""
        return self._timeouts.get(name, self.size(name).timeout)

    @contextmanager
    def open(
        self, name: str, producer: Producer, carried: int, give_up: Callable[[], bool]
    ) -> Iterator[None]:
        """Run a transaction of `carried` records; adapt the size of the next to its duration."""
        size, started = self.size(name), self.clock.steady()
        before = size.records, size.timeout
        try:
            with transactions.transaction(producer, give_up):
                yield
        except KafkaSessionError:
            seconds = self.clock.steady() - started
            if seconds >= self.timeout(name):
                self._overdue.add(name)
            size.failed(carried, seconds)
            self._tell(name, before, carried, seconds)
            raise
        seconds = self.clock.steady() - started
        size.committed(carried, seconds)
        self._tell(name, before, carried, seconds)
        self.metrics.transaction(name, seconds)

    def was_overdue(self, name: str) -> bool:
        """Return whether a transaction outlasted its timeout since the last call for this stage."""
        overdue = name in self._overdue
        self._overdue.discard(name)
        return overdue

    def throttled(self, name: str, event: ThrottleEvent) -> None:
        """Record that a quota of the cluster throttles this client, with its seconds."""
        seconds = event.throttle_time
        self.metrics.kafka_throttled(name, seconds)
        if seconds:
            log.warning("kafka_throttles", stage=name, why=f"for {seconds:.1f} s", hint=HINT)

    def _tell(self, name: str, before: tuple[int, float], carried: int, seconds: float) -> None:
        size = self._sizes[name]
        self.metrics.transaction_limit(name, size.records)
        if size.records < before[0] or size.timeout > before[1]:
            log.warning(
                "transaction_slow",
                stage=name,
                why=f"{carried} records took {seconds:.1f} s: the next transaction carries "
                f"{size.records} at most, and may take {size.timeout:.0f} s",
                hint=HINT,
            )
