"""The transaction coordinator: epochs, fencing, ends, markers, time-outs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.kafka.client_settings import TRANSACTION_TIMEOUT
from tests.simulation.kafka.log import Partition, Place, Transaction
from tests.simulation.kafka.settings import draw

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker


class Fenced(Exception):  # noqa: N818 - it is an answer
    """The producer's epoch is not the newest one."""


@dataclass(slots=True, eq=False)
class Holder:
    """What the coordinator knows of one transactional id."""

    name: str
    epoch: int = -1
    timeout: float = TRANSACTION_TIMEOUT
    transaction: Transaction | None = None
    complete_at: float = 0.0
    watched: bool = False


class Coordinator:
    """All transactional ids of a broker."""

    def __init__(self, broker: FakeBroker, rng: random.Random) -> None:
        self._broker = broker
        self._sched = broker.scheduler
        self._settings = broker.settings
        self._rng = rng
        self._holders: dict[str, Holder] = {}

    def holder(self, name: str) -> Holder:
        """The state of a transactional id."""
        found = self._holders.get(name)
        if found is None:
            found = self._holders[name] = Holder(name)
        return found

    def init(self, holder: Holder, timeout: float = TRANSACTION_TIMEOUT) -> int:
        """A new epoch; the former holder is fenced and its open transaction aborted."""
        holder.epoch += 1
        holder.timeout = timeout
        if holder.transaction is not None:
            self._end(holder, holder.transaction, commit=False)
        return holder.epoch

    def check(self, holder: Holder, epoch: int) -> None:
        """Raises Fenced."""
        if holder.epoch != epoch:
            raise Fenced(holder.name)

    def open(self, holder: Holder, epoch: int) -> Transaction:
        """The producer's transaction, begun now if it has none. Raises Fenced."""
        self.check(holder, epoch)
        if holder.transaction is None:
            holder.transaction = Transaction(holder.name, epoch, self._sched.now)
            self._watch(holder)
        return holder.transaction

    def add_offsets(
        self, holder: Holder, epoch: int, group: str, offsets: dict[Place, int]
    ) -> None:
        """Group offsets that become visible with the transaction. Raises Fenced."""
        transaction = self.open(holder, epoch)
        transaction.groups.setdefault(group, {}).update(offsets)
        self._broker.group(group).pending[transaction] = transaction.groups[group]

    def end(self, holder: Holder, epoch: int, *, commit: bool) -> None:
        """The producer's own word. Raises Fenced."""
        self.check(holder, epoch)
        if holder.transaction is not None:
            self._end(holder, holder.transaction, commit=commit)

    def _end(self, holder: Holder, transaction: Transaction, *, commit: bool) -> None:
        holder.transaction = None
        transaction.state = "committed" if commit else "aborted"
        transaction.decided_at = self._sched.now
        for partition in transaction.partitions:
            self._mark(holder, transaction, partition)
        for group in transaction.groups:
            self._broker.group(group).settle(transaction)

    def _mark(self, holder: Holder, transaction: Transaction, partition: Partition) -> None:
        if self._rng.random() >= self._settings.late_marker:
            partition.mark(transaction)
            return
        when = self._sched.now + draw(self._rng, self._settings.marker_delay)
        holder.complete_at = max(holder.complete_at, when)
        self._sched.at(when, lambda: partition.mark(transaction))

    def _watch(self, holder: Holder) -> None:
        """One timer for each id that has an open transaction."""
        if not holder.watched and holder.transaction is not None:
            holder.watched = True
            due = holder.transaction.started + holder.timeout
            self._sched.at(max(due, self._broker.down_until), lambda: self._look(holder))

    def _look(self, holder: Holder) -> None:
        holder.watched = False
        transaction = holder.transaction
        if transaction is None:
            return
        due = transaction.started + holder.timeout
        if self._sched.now >= due and not self._broker.is_down:
            holder.epoch += 1
            self._end(holder, transaction, commit=False)
        else:
            self._watch(holder)
