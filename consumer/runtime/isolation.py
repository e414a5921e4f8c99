"""Poison records: bisection of a poll that raised finds them, and sets each aside alone.

What one record raises must not end the process, for the record would be met again at every start
and by every replica. So the poll is divided until the guilty record stands alone, and that one
becomes a dead letter. A poll without a guilty record costs nothing; one guilty record among n
costs about 2 log n more transactions.

Errors that are not about a record keep their way: Kafka's (the session ends and starts from what
is committed), an operator's (the stage stops), and a lack of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from confluent_kafka import Message

from consumer.errors import defect
from consumer.kafka.transactions import records_fault

T = TypeVar("T")

HINT = "it is a dead letter now (internal_error): please report this line"

log = structlog.get_logger(__name__)


def isolate(
    items: Sequence[T],
    together: Callable[[Sequence[T]], None],
    alone: Callable[[T, Exception], None],
) -> None:
    """Handle all items; `alone` gets each that raises even when it is handled by itself.

    `together` must leave nothing behind when it raises.
    """
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


def tell(stage: str, message: Message, error: Exception) -> None:
    """Log what a record raised: the error's type, where, and which record. No values."""
    log.error(
        "record_raised",
        stage=stage,
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        error=defect(error),
        hint=HINT,
    )
