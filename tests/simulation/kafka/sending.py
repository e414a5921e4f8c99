"""Records on their way from a producer to the log: queued, sent, lost with their process."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message

from consumer.kafka.client_settings import TRANSACTION_TIMEOUT
from consumer.kafka.clients import OnError
from tests.simulation.kafka.faults import abortable, fenced, refused
from tests.simulation.kafka.log import Header, Partition, Transaction, kind_of
from tests.simulation.kafka.scheduler import Process
from tests.simulation.kafka.transactions import Fenced

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker

Delivery = Callable[[KafkaError | None, Message], None]
Headers = Mapping[str, str | bytes | None] | Iterable[tuple[str, str | bytes | None]]
Queued = tuple[Partition, bytes | None, bytes | None, Sequence[Header] | None, int, Delivery | None]


class Sending:
    """The part of a producer below its transactions."""

    def __init__(
        self,
        broker: FakeBroker,
        process: Process,
        transactional_id: str,
        on_error: OnError,
        now: Callable[[], float],
        rng: random.Random,
        timeout: float = TRANSACTION_TIMEOUT,
    ) -> None:
        self._timeout = timeout
        self._broker = broker
        self._sched = broker.scheduler
        self._on_error = on_error
        self._process = process
        self._holder = broker.coordinator.holder(transactional_id)
        self._now = now
        self._rng = rng
        self._epoch = -2
        self._state: Literal["new", "ready", "open", "committing", "failed"] = "new"
        self._fatal: KafkaError | None = None
        self._queue: list[Queued] = []
        self._undeliverable = 0
        self._through_at: float | None = None
        self._transaction: Transaction | None = None
        process.guests.append(self)

    def __len__(self) -> int:
        return len(self._queue)

    # -- records ------------------------------------------------------------------------------

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: str | bytes | None = None,
        partition: int = -1,
        on_delivery: Delivery | None = None,
        timestamp: int = 0,
        headers: Headers | None = None,
    ) -> None:
        """Queue a record; a commit fails if the topic is not there. Raises KafkaException."""
        self._sched.point("produce")
        if self._fatal is not None:
            raise refused(KafkaError._FATAL, "unable to produce")
        if self._state != "open":
            raise refused(KafkaError._STATE, "no transaction is open for records")
        raw = key.encode() if isinstance(key, str) else key
        if not self._broker.partitions(topic):
            self._undeliverable += 1
            return
        where = self._choose(topic, raw, partition)
        at = timestamp or int(self._now() * 1000)
        self._queue.append((where, raw, value, _headers(headers), at, on_delivery))

    def flush(self, timeout: float = -1) -> int:
        """Send what is queued; how much is still queued after `timeout`.

        Raises KafkaException when it turns out that the producer is fenced. If that record has a
        delivery callback, confluent-kafka 2.16 runs it with the exception already set, so that it
        fails and SystemError is raised instead (the contract suite has seen it).
        """
        self._sched.point("flush.before")
        try:
            self._reach(timeout, "flush")
        except KafkaException:
            return len(self._queue) + self._undeliverable
        called_back = any(each[-1] is not None for each in self._queue)
        known = self._fatal
        if not self._deliver(timeout):
            return len(self._queue)
        self._sched.point("flush.after")
        if self._fatal is not known:
            fatal = KafkaException(self._fatal)
            if called_back:
                raise SystemError("a delivery callback ran with an exception set") from fatal
            raise fatal
        return self._undeliverable

    def poll(self, timeout: float = -1) -> int:
        """Let the background work; callbacks come with `flush` and `commit_transaction`."""
        self._sched.sleep(max(0.0, timeout))
        return 0

    def _choose(self, topic: str, key: bytes | None, partition: int) -> Partition:
        if partition >= 0:
            return self._broker.partition(topic, partition)
        partitions = self._broker.partitions(topic)
        if len(partitions) == 1:
            return partitions[0]
        if key is None:
            return self._rng.choice(partitions)
        return partitions[zlib.crc32(key) % len(partitions)]

    def _deliver(self, timeout: float = -1) -> bool:
        """False if a quota of the broker lets it take longer than `timeout`."""
        if not self._queue:
            return True
        self._await_markers()
        if not self._wait_for_quota(timeout if timeout >= 0 else 60.0):
            return False
        self._send(self._queue)
        return True

    def _wait_for_quota(self, timeout: float) -> bool:
        """The transaction is open all the while, so that its timeout may end it."""
        seconds = self._broker.settings.record_seconds * len(self._queue)
        if not seconds:
            return True
        if self._through_at is None:
            with suppress(Fenced):  # the next send reports it
                self._transaction = self._broker.coordinator.open(self._holder, self._epoch)
            self._through_at = self._sched.now + seconds
        self._sched.sleep(min(timeout, max(0.0, self._through_at - self._sched.now)))
        if self._sched.now < self._through_at:
            return False
        self._through_at = None
        return True

    def _send(self, queued: list[Queued]) -> None:
        """Write records to the log and call back; empties `queued`. May find out: fenced."""
        if not queued or self._holder.complete_at > self._sched.now:
            return  # nothing to send, or the last transaction's markers come first
        try:
            transaction = self._broker.coordinator.open(self._holder, self._epoch)
        except Fenced:
            self._fence()
            self._queue = []
            return
        self._transaction = transaction
        for partition, key, value, headers, created, on_delivery in queued:
            at = int(self._sched.now * 1000) if partition.append_time else created
            offset: int = partition.append(key, value, headers, at, transaction)
            if on_delivery is not None:
                if self._rng.random() < self._broker.settings.unknown_offset:
                    offset = -1001  # librdkafka does not know: offset() is then None
                told = (kind_of(partition), at)
                place = (partition.topic, partition.number, offset)
                on_delivery(None, Message(*place, key, value, timestamp=told))
        queued.clear()

    def _purge(self) -> None:
        error = KafkaError(KafkaError._PURGE_QUEUE, "purged")
        queued, self._queue = self._queue, []
        for partition, key, value, _, _, on_delivery in queued:
            if on_delivery is not None:
                place = (partition.topic, partition.number, OFFSET_INVALID)
                on_delivery(error, Message(*place, key, value))

    # -- what happens to its process ----------------------------------------------------------

    def killed(self) -> None:
        """Some of what was queued has reached the log."""
        self._send_some()

    def frozen(self, until: float) -> None:  # noqa: ARG002 - see Guest
        """As with a kill, but the rest may follow."""
        self._send_some()

    def thawed(self) -> None:
        """Fail at the next request if another process is the producer by now."""

    def _send_some(self) -> None:
        if self._state != "open" or self._broker.is_down or not self._queue:
            return
        if self._holder.epoch == self._epoch:
            share = self._rng.randint(0, len(self._queue))
            gone, rest = self._queue[:share], self._queue[share:]
            self._send(gone)
            self._queue = gone + rest  # what could not go yet stays

    # -- common -------------------------------------------------------------------------------

    def _reach(self, timeout: float, doing: str) -> None:
        self._broker.reach(timeout if timeout >= 0 else 60.0, doing)

    def _await_markers(self) -> None:
        """The coordinator answers `concurrent transactions` until the last one is written out."""
        while self._holder.complete_at > self._sched.now:
            self._sched.sleep(self._holder.complete_at - self._sched.now)

    def _expect(self, *states: str) -> None:
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if self._state == "failed" and "failed" not in states:
            raise abortable(KafkaError._STATE, "the transaction must be aborted")
        if self._state not in states:
            raise refused(KafkaError._STATE, f"not possible while the producer is {self._state}")

    def _fence(self) -> KafkaException:
        self._fatal = fenced()
        return KafkaException(self._fatal)


def _headers(headers: Headers | None) -> Sequence[Header] | None:
    if headers is None:
        return None
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name, raw.encode() if isinstance(raw, str) else raw) for name, raw in pairs]
