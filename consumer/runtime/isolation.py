"""Poison records: bisects a poll that raised, and turns each poison record into a dead letter.

An error that one record raises must not end the process, because every restart and every replica
would read the record again. So the poll is bisected until the poison record is alone, and that
record becomes a dead letter. A poll without a poison record costs nothing extra; one poison
record among n costs about 2 log n more transactions.

Errors that no record causes pass through: Kafka errors (the session ends and restarts from the
committed offsets), errors that need an operator (the stage stops), and lack of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from consumer.kafka.errors import records_fault

T = TypeVar("T")

log = structlog.get_logger(__name__)


def isolate(
    items: Sequence[T],
    together: Callable[[Sequence[T]], None],
    alone: Callable[[T, Exception], None],
) -> None:
    """Handle all items; pass to `alone` each item that raises even when handled by itself.
    `together` must have no effect when it raises."""
    try:
        together(items)
    except Exception as error:
        if not records_fault(error):
            raise
        if len(items) == 1:
            alone(items[0], error)
            return
    else:
        return
    middle = len(items) // 2
    isolate(items[:middle], together, alone)
    isolate(items[middle:], together, alone)


def log_defect(stage: str, record: tuple[str, int, int], error: str) -> None:
    """Log an error that a record raised, by its type and place in the code. No values."""
    topic, partition, offset = record
    log.error(
        "record_raised",
        stage=stage,
        topic=topic,
        partition=partition,
        offset=offset,
        error=error,
        hint="it is a dead letter now (internal_error): please report this line",
    )
