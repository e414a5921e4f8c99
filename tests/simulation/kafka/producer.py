"""A transactional producer as librdkafka is one: retries, fatal and abortable states."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.kafka.faults import abortable, refused, timed_out
from tests.simulation.kafka.groups import offsets_of
from tests.simulation.kafka.sending import Sending
from tests.simulation.kafka.session import Membership
from tests.simulation.kafka.transactions import Fenced


class FakeProducer(Sending):
    """Belongs to one task of one process."""

    def init_transactions(self, timeout: float = -1) -> None:
        """Fence the producer that had this transactional id. Raises KafkaException."""
        self._sched.point("init.before")
        if self._state != "new":
            raise refused(KafkaError._STATE, "transactions are initialised already")
        coordinator = self._broker.coordinator
        lost = self._rng.random() < self._broker.settings.init_lost
        self._reach(timeout, "init_transactions")
        if not lost or self._rng.random() < self._broker.settings.late_effect:
            self._epoch = coordinator.init(self._holder, self._timeout)
        if lost:
            self._sched.sleep(timeout)
            raise timed_out("init_transactions")
        self._await_markers()
        self._state = "ready"
        self._sched.point("init.after")

    def begin_transaction(self) -> None:
        """Local: the coordinator hears of it with the first record."""
        self._sched.point("begin")
        self._expect("ready")
        self._state, self._transaction, self._undeliverable = "open", None, 0
        self._through_at = None

    def send_offsets_to_transaction(
        self, positions: Sequence[TopicPartition], group: Membership, timeout: float = -1
    ) -> None:
        """Group offsets that hold if the transaction is committed. Raises KafkaException."""
        self._sched.point("offsets.before")
        self._expect("open")
        early = self._rng.random() < 0.5  # its background thread has sent what was queued
        if early and not self._broker.settings.record_seconds:
            self._send(self._queue)
        self._reach(timeout, "send_offsets_to_transaction")
        self._await_markers()
        found = self._broker.group(group.group)
        code = found.refusal(group.member, group.generation, transactional=True)
        try:
            self._transaction = self._broker.coordinator.open(self._holder, self._epoch)
            if code is None:
                offsets = offsets_of(positions)
                found.look_at(group.member, offsets)
                self._broker.coordinator.add_offsets(
                    self._holder, self._epoch, group.group, offsets
                )
        except Fenced:
            raise self._fence() from None
        if code is not None:
            self._state = "failed"
            raise abortable(code, "the group does not know this member or its generation")
        self._sched.point("offsets.after")

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what is queued, then commit. Raises KafkaException; retriable: try again."""
        self._sched.point("commit.before")
        self._expect("open", "committing")
        self._reach(timeout, "commit_transaction")
        if not self._deliver(timeout):
            raise timed_out("commit_transaction")
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        unkind = self._state == "open" and self._rng.random() < self._broker.settings.abortable
        if self._undeliverable or unkind:
            self._state = "failed"
            raise abortable(KafkaError._INCONSISTENT, "a record could not be written")
        self._state = "committing"
        if self._rng.random() < self._broker.settings.commit_lost:
            self._lose_commit(timeout)
        self._end()
        self._sched.sleep(self._broker.settings.latency[0])
        self._sched.point("commit.after")
        self._state = "ready"

    def abort_transaction(self, timeout: float = -1) -> None:
        """Nothing of the transaction becomes visible. Raises KafkaException."""
        self._sched.point("abort.before")
        self._expect("open", "failed")
        self._purge()
        self._reach(timeout, "abort_transaction")
        try:
            self._broker.coordinator.end(self._holder, self._epoch, commit=False)
        except Fenced:
            raise self._fence() from None
        self._state, self._transaction = "ready", None
        self._sched.point("abort.after")

    def _end(self) -> None:
        if self._transaction is None:
            return  # nothing was written: the coordinator never heard of it
        try:
            self._broker.coordinator.end(self._holder, self._epoch, commit=True)
        except Fenced:
            raise self._fence() from None

    def _lose_commit(self, timeout: float) -> None:
        """The client hears nothing in time; the commit arrives before, later, or not at all."""
        if self._rng.random() < self._broker.settings.late_effect:
            self._end()
        elif self._rng.random() < self._broker.settings.late_effect:
            delay = timeout + self._rng.random() * timeout
            self._sched.at(self._sched.now + delay, self._end_late)
        self._sched.sleep(timeout)
        raise timed_out("commit_transaction")

    def _end_late(self) -> None:
        """The background thread goes on with a commit whose caller has given up."""
        still = self._process.dead or self._process.frozen_until > self._sched.now
        transaction = self._transaction
        if still or self._state != "committing" or transaction is None:
            return
        if self._holder.transaction is transaction and not self._broker.is_down:
            self._broker.coordinator.end(self._holder, self._epoch, commit=True)
