"""A consumer as librdkafka is one: polls, with the group's callbacks inside them."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Literal

from confluent_kafka import KafkaError, Message, TopicPartition

from consumer.kafka.clients import OnError
from tests.simulation.kafka.assigning import Assigning
from tests.simulation.kafka.log import Place
from tests.simulation.kafka.scheduler import Process, Task
from tests.simulation.kafka.session import Membership, Session
from tests.simulation.kafka.settings import draw

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker

RECORDS_FIRST = 0.5

Callback = Callable[["FakeConsumer", list[TopicPartition]], None]


class FakeConsumer(Assigning):
    """Belongs to one task of one process. `committed_only`: its isolation level."""

    def __init__(
        self,
        broker: FakeBroker,
        process: Process,
        group: str,
        on_error: OnError,
        rng: random.Random,
    ) -> None:
        super().__init__(broker, broker.group(group), rng, self._new_records)
        self.closed = False
        self._process = process
        self._on_error = on_error
        self._callbacks: dict[str, Callback | None] = {}
        self._task: Task | None = None
        self._wake_at = inf
        self._nudged = False
        self._session = Session(
            self._group,
            process,
            broker.scheduler,
            broker.settings,
            rng,
            wake=self.wake,
            gone=self._forget_all,
            polling=lambda: self._task is not None,
        )

    # -- membership ---------------------------------------------------------------------------

    def subscribe(
        self,
        topics: list[str],
        on_assign: Callback | None = None,
        on_revoke: Callback | None = None,
        on_lost: Callback | None = None,
    ) -> None:
        """Join the group; shares come by callback inside `consume`."""
        self._sched.point("subscribe")
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost or on_revoke}
        self._session.topics = list(topics)
        self._session.join()

    def memberid(self) -> str:
        """Empty while the client is in no group, as far as it knows."""
        return self._session.membership().member

    def consumer_group_metadata(self) -> Membership:
        """For a transaction's offsets; without a member id while in no group."""
        return self._session.membership()

    def close(self, timeout: float = 10.0) -> None:
        """Give back what is assigned (callbacks), leave the group. Raises what callbacks raise."""
        self._open()
        self._sched.point("close.before")
        self._closing = True
        try:
            if self._readings and self._session.topics:
                self._call("lost" if self._session.lost else "revoke", list(self._readings))
        finally:
            self._forget_all()
            self.closed = True
            if not self._process.dead:
                self._session.close(
                    lambda: self._broker.reach(timeout, "leaving the group"),
                    lambda: self._broker.down_until + self._broker.settings.session_timeout,
                )
        self._sched.point("close.after")

    # -- polling ------------------------------------------------------------------------------

    def poll(self, timeout: float = -1) -> Message | None:
        """One message; see `consume`."""
        found = self.consume(1, timeout)
        return found[0] if found else None

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Records and events; callbacks of the group run in here, and what they raise comes out.

        Unlike librdkafka's it seldom waits on once something has come (`lingers`).
        """
        self._open()
        self._sched.point("consume.before")
        session = self._session
        deadline = self._sched.now + (timeout if timeout >= 0 else inf)
        until, found = deadline, list[Message]()
        while True:
            session.polled_at = self._sched.now
            had = bool(found)
            self._serve(found, num_messages)
            if not self._broker.is_down:
                self._fetch(found, num_messages)
            if found and not had:
                until = self._sched.now + self._linger(timeout)
            if len(found) >= num_messages or self._nudged or self._sched.now >= until:
                break
            self._wait(until)
        self._nudged = False
        session.polled_at = self._sched.now
        if found:
            self._sched.point("consume.after")
        return found

    def _linger(self, timeout: float) -> float:
        """How long a poll that has records goes on: callbacks that came meanwhile are served in it,
        beyond its timeout, too."""
        settings = self._broker.settings
        if not timeout or self._rng.random() >= settings.lingers:
            return 0.0
        return draw(self._rng, settings.linger)

    def _wait(self, deadline: float) -> None:
        told = self._next_end()
        if self._broker.is_down:
            told = max(told, self._broker.down_until)
        self._task, self._wake_at = self._sched.current, inf
        try:
            self._sched.wait(min(deadline, told))
        finally:
            self._task = None

    def nudge(self) -> None:
        """The world's: let the running poll, or else the next one, return at once."""
        self._nudged = True
        self.wake()

    def wake(self) -> None:
        """Wake the task that waits in `consume`."""
        if self._task is not None:
            self._sched.wake(self._task)

    def _new_records(self) -> None:
        """A fetch brings them in a moment."""
        if self._task is not None and self._wake_at == inf:
            delay = draw(self._rng, self._broker.settings.fetch_delay)
            self._wake_at = self._sched.now + delay
            self._sched.wake(self._task, delay)

    # -- callbacks ----------------------------------------------------------------------------

    def _serve(self, found: list[Message], room: int) -> None:
        """Run the callbacks that are due. Records may have come before them.

        Most are purged where a callback gives their partition up. librdkafka does so as well, with
        a barrier that its main thread sends behind the callback: a poll that ends before the
        barrier comes hands them out (the router and the delay stage say what they do then).
        """
        session = self._session
        due = session.called or (session.lost and bool(self._readings))
        if due and not self._broker.is_down and self._rng.random() < RECORDS_FIRST:
            self._fetch(found, room)
        if session.exceeded:
            session.exceeded = False
            error = KafkaError(KafkaError._MAX_POLL_EXCEEDED, "max.poll.interval exceeded")
            found.append(Message(error=error))
            return
        if session.lost:
            if self._readings:
                self._call("lost", list(self._readings))
                self._purge(found)
            session.join()
        while (next_one := session.next_event()) is not None:
            member, event = next_one
            try:
                self._call(*event)
            finally:
                session.served(member, event)
            self._purge(found)

    def _purge(self, found: list[Message]) -> None:
        """What was fetched of partitions that are not assigned any more, or most of it."""
        kept = [each for each in found if (each.topic(), each.partition()) in self._readings]
        if len(kept) < len(found) and (
            self._rng.random() >= self._broker.settings.outlives_revocation
        ):
            found[:] = kept

    def _call(self, kind: Literal["assign", "revoke", "lost"], places: list[Place]) -> None:
        """Run a callback; what it leaves undone, the client does itself, as the real one does."""
        self._sched.point(f"{kind}.before")
        callback = self._callbacks[kind]
        partitions = [TopicPartition(topic, number) for topic, number in places]
        self._assigned = False
        try:
            if callback is not None:
                callback(self, partitions)
        finally:
            if not self._assigned and not self._process.dead:
                if kind == "assign":
                    self._add(partitions)
                else:
                    self._remove(places)
        self._sched.point(f"{kind}.after")

    def _open(self) -> None:
        if self.closed:
            raise RuntimeError("Consumer closed")
