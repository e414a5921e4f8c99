"""Partitions and their transactions: offsets, markers, and what a committed reader may see."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

Place = tuple[str, int]
"""Topic and partition."""

Header = tuple[str, bytes | None]


@dataclass(slots=True, eq=False)
class Transaction:
    """What one producer wrote between `begin` and its end.

    `producer`: the transactional id; `state` is the coordinator's word, and the markers that show
    it to the readers of each partition may follow later; `decided_at`: when it gave it.
    """

    producer: str
    epoch: int
    started: float
    state: Literal["open", "committed", "aborted"] = "open"
    decided_at: float | None = None
    partitions: dict[Partition, None] = field(default_factory=dict)
    groups: dict[str, dict[Place, int]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class FakeRecord:
    """One record of a log. `timestamp` in milliseconds; `producer`: its transactional id."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] | None
    timestamp: int
    transaction: Transaction | None

    @property
    def producer(self) -> str | None:
        """The transactional id that wrote it; None for an outside producer."""
        return self.transaction.producer if self.transaction else None

    @property
    def state(self) -> Literal["open", "committed", "aborted"]:
        """How its transaction ended, or whether it is still open."""
        return self.transaction.state if self.transaction else "committed"


@dataclass(slots=True, eq=False)
class Partition:
    """One log. `history` keeps what compaction and deletion take away, for the checker."""

    topic: str
    number: int
    low: int = 0
    end: int = 0
    deleted: bool = False
    append_time: bool = False
    """Whether the broker stamps records with its own time."""
    records: list[FakeRecord] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    history: list[FakeRecord] = field(default_factory=list)
    open: dict[Transaction, int] = field(default_factory=dict)
    readers: dict[Callable[[], None], None] = field(default_factory=dict)

    @property
    def lso(self) -> int:
        """Where committed readers must stop: the first record of the oldest open transaction."""
        return next(iter(self.open.values())) if self.open else self.end

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] | None,
        timestamp: int,
        transaction: Transaction | None = None,
    ) -> int:
        """The new record's offset."""
        offset = self.end
        self.end = offset + 1
        record = FakeRecord(offset, key, value, headers, timestamp, transaction)
        self.records.append(record)
        self.offsets.append(offset)
        self.history.append(record)
        if transaction is not None:
            self.open.setdefault(transaction, offset)
            transaction.partitions[self] = None
        elif not self.open:
            self.tell()
        return offset

    def mark(self, transaction: Transaction) -> None:
        """Write the marker that ends a transaction here; it takes an offset of its own."""
        before = self.lso
        self.end += 1
        del self.open[transaction]
        if self.lso > before:
            self.tell()

    def tell(self) -> None:
        """Readers that wait have something to look at."""
        for reader in list(self.readers):
            reader()

    def fetch(
        self, position: int, limit: int, *, committed: bool = True
    ) -> tuple[list[FakeRecord], int]:
        """At most `limit` visible records from `position` on, and the position behind them."""
        end = self.lso if committed else self.end
        records = self.records
        found: list[FakeRecord] = []
        for index in range(bisect_left(self.offsets, position), len(records)):
            record = records[index]
            if record.offset >= end:
                break
            if len(found) >= limit:
                return found, found[-1].offset + 1
            if not committed or record.state == "committed":
                found.append(record)
        return found, max(position, end)

    def delete_before(self, offset: int) -> None:
        """Retention, or an operator."""
        keep = bisect_left(self.offsets, offset)
        del self.records[:keep], self.offsets[:keep]
        self.low = max(self.low, min(offset, self.end))
        self.tell()

    def compact(self) -> None:
        """Keep each key's newest committed record below the LSO; offsets keep their gaps."""
        lso = self.lso
        newest = {
            record.key: record.offset
            for record in self.records
            if record.offset < lso and record.state == "committed"
        }
        self.records = [
            record
            for record in self.records
            if record.offset >= lso or newest.get(record.key) == record.offset
        ]
        self.offsets = [record.offset for record in self.records]


def kind_of(partition: Partition) -> int:
    """The timestamp type of its records."""
    return TIMESTAMP_LOG_APPEND_TIME if partition.append_time else TIMESTAMP_CREATE_TIME
