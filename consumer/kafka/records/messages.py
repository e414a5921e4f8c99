"""Read a Kafka message's headers, key, value and timestamp; no record can end the process.

librdkafka hands over any bytes, confluent-kafka requires header names in UTF-8. For another name
`Message.headers()` returns a list with an empty slot in a tuple *and* leaves an exception set. In a
loop that Python has specialised the exception goes unnoticed, and touching the slot kills the
process. So headers are read by a call that always checks for the exception, and the list is
searched with `gc.get_referents`, which skips empty slots.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from operator import methodcaller
from typing import Any, NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from consumer.errors import KafkaSessionError

Header = tuple[str, bytes | None]

HEADER_OVERHEAD, RECORD_OVERHEAD = 12, 64
"""Bytes that a header and a record take besides their content."""

NO_TIMESTAMP = -1
"""The value the broker itself writes for a record without a timestamp (ms)."""

_headers, _key, _value = map(methodcaller, ("headers", "key", "value"))


class Content(NamedTuple):
    """Content of a message. `unreadable` names the parts that the client could not read."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int
    unreadable: str = ""

    @property
    def size(self) -> int:
        """Upper bound of the record's size in bytes."""
        return (
            RECORD_OVERHEAD
            + len(self.key or b"")
            + len(self.value or b"")
            + sum(size_of(header) for header in self.headers)
        )


def content_of(message: Message) -> Content:
    """Return the whole content; never raises for what is in the record."""
    headers, lost = headers_of(message)
    (key, bad_key), (value, bad_value) = _bytes(_key, message), _bytes(_value, message)
    named = (("key", bad_key), ("value", bad_value), (f"{lost} headers", bool(lost)))
    unreadable = ", ".join(name for name, bad in named if bad)
    return Content(key, value, headers, timestamp_of(message), unreadable)


def headers_of(message: Message) -> tuple[list[Header], int]:
    """Return the readable headers, in their order, and the number of unreadable ones."""
    found = _asked(_headers, message)
    if isinstance(found, Exception):
        found = _asked(_headers, message)  # the client has kept its list and returns it now
        if not isinstance(found, list):
            return [], 1
    if not found:
        return [], 0
    if isinstance(found, dict):
        return [_header(name, value) for name, value in found.items()], 0
    items = gc.get_referents(found)[::-1]
    pairs = [gc.get_referents(item)[::-1] for item in items]
    readable = [_header(*pair) for pair in pairs if len(pair) == 2]
    return readable, len(found) - len(readable)


def timestamp_of(message: Message) -> int:
    """Return epoch milliseconds; `NO_TIMESTAMP` if the record has none."""
    try:  # not by `_asked`: with `value_of`'s, that takes a tenth of what reading a record takes
        kind, when = message.timestamp()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - any error a client raises for one record
        return NO_TIMESTAMP
    return NO_TIMESTAMP if kind == TIMESTAMP_NOT_AVAILABLE else int(when)


def appended_at(message: Message) -> float | None:
    """Return epoch seconds of a record's timestamp; None if it has none."""
    when = timestamp_of(message)
    return None if when == NO_TIMESTAMP else when / 1000


def value_of(message: Message) -> bytes | None:
    """Return the record's value; None if it has none, or one that the client cannot read."""
    try:  # not by `_asked`, see `timestamp_of`
        found = message.value()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - any error a client raises for one record
        return None
    return found.encode() if isinstance(found, str) else found


def key_of(message: Message) -> bytes | None:
    """Return the record's key; None if it has none, or one that the client cannot read."""
    return _bytes(_key, message)[0]


def position_of(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset. Raises KafkaSessionError if one is unknown. librdkafka
    knows no offset, for instance, of a resent record that the broker had already taken."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise KafkaSessionError("a record came without its topic, partition or offset")
    return topic, partition, offset


def offset_of(message: Message) -> int:
    """Return the offset. Raises KafkaSessionError if it is unknown."""
    offset = message.offset()
    return position_of(message)[2] if offset is None else offset


def size_of(header: Header) -> int:
    """Return the upper bound of a header's size in bytes."""
    name, value = header
    return len(name.encode()) + len(value or b"") + HEADER_OVERHEAD


def _header(name: str, value: str | bytes | None) -> Header:
    return name, value.encode() if isinstance(value, str) else value


def _bytes(ask: Any, message: Message) -> tuple[bytes | None, bool]:
    found = _asked(ask, message)
    if isinstance(found, Exception):
        return None, True
    return (found.encode() if isinstance(found, str) else found), False


def _asked(ask: Any, message: Message) -> Any:
    """Return what the accessor returned, or the exception that it raised."""
    try:
        return ask(message)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - any error a client raises for one record
        return error
