"""Size of transactions, adapted so that each commits before its timeout.

Kafka aborts a transaction that is open for longer than its timeout, and a stage's session or an
operator's command starts again with the same records. A client quota of the cluster
(`producer_byte_rate`) or a slow broker would repeat that forever. So the size follows the duration
of the last transactions, as a congestion window does: multiplicative decrease at once, slow
increase.

    the transaction took              the next one carries
    < QUICK, at least half full       a quarter more, at least one record more
    QUICK … SLOW                      unchanged
    > SLOW, or failed after SLOW      half of what this one carried

    one record, or a checkpoint alone, took > half of its timeout, or failed after SLOW twice in a
    row: the next producer has twice the timeout, at most MOST_TIMEOUT

Invariants: 1 ≤ records ≤ most, least_timeout ≤ timeout ≤ MOST_TIMEOUT. After log2(most) failures a
transaction carries one record, and after four more its timeout is the longest. A failure before
SLOW (fenced, dropped from the group) does not change the size. O(1).

A longer timeout has a price: consumers cannot read beyond an open transaction until its producer
returns or the timeout is over. So only a single record that does not fit otherwise lengthens it,
and the first quick transactions shorten it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.kafka.client_settings import TRANSACTION_TIMEOUT

RECORDS = 5_000
"""Records of a transaction while Kafka is quick: the records of one poll."""

SLOW = 5.0
"""Seconds: half of the shortest timeout, and the longest commit that does not delay calls."""

QUICK = SLOW / 4

MOST_TIMEOUT = 240.0
"""Seconds; less than `max.poll.interval.ms`, after which the group drops the member."""


@dataclass(slots=True)
class TransactionSize:
    """Size of one producer's transactions.

    `most`: records of a transaction while Kafka is quick; `least_timeout`: seconds; `records`:
    limit of the next transaction; `timeout`: of the next producer, in seconds.
    """

    most: int = RECORDS
    least_timeout: float = TRANSACTION_TIMEOUT
    records: int = field(init=False)
    timeout: float = field(init=False)
    _failed_alone: int = 0

    def __post_init__(self) -> None:
        self.records, self.timeout = self.most, self.least_timeout

    def committed(self, carried: int, seconds: float) -> None:
        """Record a committed transaction: its number of records and its seconds."""
        self._failed_alone = 0
        if seconds > SLOW:
            self._shrink(carried)
            if carried <= 1 and seconds > self.timeout / 2:
                self._lengthen()
        elif seconds < QUICK:
            self.timeout = max(self.least_timeout, self.timeout / 2)
            if carried * 2 >= self.records:
                self.records = min(self.most, self.records + max(1, self.records // 4))

    def failed(self, carried: int, seconds: float) -> None:
        """Record a transaction without a commit: its number of records and its seconds."""
        if seconds < SLOW:
            return
        self._shrink(carried)
        self._failed_alone = self._failed_alone + 1 if carried <= 1 else 0
        if self._failed_alone > 1:
            self._lengthen()

    def _shrink(self, carried: int) -> None:
        if carried:  # else the records were not the cause
            self.records = max(1, min(self.records, carried) // 2)

    def _lengthen(self) -> None:
        self.timeout = min(MOST_TIMEOUT, self.timeout * 2)
