"""Transactions of a stage: measured, and limited to a size that commits before its timeout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from confluent_kafka import Producer, ThrottleEvent

from consumer.clock import Clock
from consumer.errors import KafkaSessionError
from consumer.kafka import transactions
from consumer.kafka.transaction_size import TransactionSize
from consumer.observability.metrics.stage import StageMetrics

HINT = (
    "a quota of the cluster (producer_byte_rate, consumer_byte_rate, request_percentage) or a slow "
    "broker: raise it for this client (kafka-configs.sh --entity-type clients, or users), see "
    "deploy/runbooks/KafkaThrottles.md"
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class StageTransactions:
    """Transactions of one stage, and the size of the next one."""

    stage: str
    clock: Clock
    metrics: StageMetrics
    size: TransactionSize
    timeout: float = 0.0  # of the producer in use, in seconds
    _overdue: bool = False

    def __post_init__(self) -> None:
        self.timeout = self.size.timeout

    @property
    def records(self) -> int:
        """Limit of the next transaction."""
        return self.size.records

    def renew_timeout(self) -> float:
        """Return the transaction timeout of the producer that the stage makes next."""
        self.timeout = self.size.timeout
        return self.timeout

    @contextmanager
    def open(self, producer: Producer, carried: int, give_up: Callable[[], bool]) -> Iterator[None]:
        """Run a transaction of `carried` records; adapt the size of the next to its duration."""
        started = self.clock.steady()
        try:
            with transactions.transaction(producer, give_up):
                yield
        except KafkaSessionError:
            seconds = self.clock.steady() - started
            self._overdue = self._overdue or seconds >= self.timeout
            self._adapt(self.size.failed, carried, seconds)
            raise
        seconds = self.clock.steady() - started
        self._adapt(self.size.committed, carried, seconds)
        self.metrics.transaction(seconds)

    def was_overdue(self) -> bool:
        """Return whether a transaction outlasted its timeout since the last call."""
        overdue, self._overdue = self._overdue, False
        return overdue

    def record_throttle(self, event: ThrottleEvent) -> None:
        """Record that a quota of the cluster throttles this client, with its seconds."""
        seconds = event.throttle_time
        self.metrics.kafka_throttled(seconds)
        if seconds:
            why = f"for {1000 * seconds:.0f} ms"
            log.warning("kafka_throttles", stage=self.stage, why=why, hint=HINT)

    def _adapt(self, record: Callable[[int, float], None], carried: int, seconds: float) -> None:
        size = self.size
        records, timeout = size.records, size.timeout
        record(carried, seconds)
        self.metrics.transaction_limit(size.records)
        if size.records < records or size.timeout > timeout:
            log.warning(
                "transaction_slow",
                stage=self.stage,
                why=f"{carried} records took {seconds:.1f} s: the next transaction carries "
                f"{size.records} at most, and may take {size.timeout:.0f} s",
                hint=HINT,
            )
