"""Shared services of the stage threads: Kafka clients, transactions, health, restart of sessions.

A *stage* is the router, the delay stage or a lane. A *session* is one membership in the stage's
consumer group, from joining to leaving.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event
from tenacity.wait import wait_random_exponential

from consumer.clock import Clock
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError, StartPositionError, causes
from consumer.kafka import transactions
from consumer.kafka.clients import Clients
from consumer.kafka.records.publisher import Publisher
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.board import StatusBoard
from consumer.runtime.delay.early_returns import EarlyReturns
from consumer.runtime.delay.step_counts import StepCounts
from consumer.runtime.fencing_monitor import FencingMonitor
from consumer.runtime.transactions import Transactions
from consumer.runtime.watchers.command_watch import CommandBoard

MAX_SILENCE = 60.0
"""Seconds that a loop may block in a Kafka call before the process counts as stuck."""

STOP_GRACE = 10.0
"""Seconds that an unconfirmed commit gets after a stop was noticed; without it the calls that the
commit records are in doubt."""

_FATAL = (KafkaError._FATAL, KafkaError._MAX_POLL_EXCEEDED)  # noqa: SLF001 - public by use
"""Errors that a consumer reports once before it goes silent, though their `fatal()` is false."""

NO_LANES = ("router", "ladder")
"""Names of the stages that are not lanes."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class StageServices:
    """Shared services of the stage threads.

    `instance` names this replica; `topic_ids`: topic → id at the last poll; `step_ends`: delay
    topic → end offset; `homes`: campaign → its lane; `early`: delayed invitations to return before
    they are due.
    """

    topics: Topics
    lanes: Sequence[str]
    config_version: str
    clients: Clients
    clock: Clock
    metrics: Metrics
    health: Health
    stop: threading.Event = field(default_factory=threading.Event)
    instance: str = "0"
    topic_ids: dict[str, str] = field(default_factory=dict)
    step_ends: dict[str, int] = field(default_factory=dict)
    step_counts: StepCounts = field(default_factory=StepCounts)
    homes: Mapping[str, str] = field(default_factory=dict)
    early: EarlyReturns = field(default_factory=EarlyReturns)
    commands: CommandBoard = field(default_factory=CommandBoard)
    board: StatusBoard = field(default_factory=StatusBoard)
    _members: set[str] = field(default_factory=set)
    _reading: dict[str, dict[str, str | None]] = field(default_factory=dict)
    _polled: dict[str, float] = field(default_factory=dict)
    transactions: Transactions = field(init=False)
    _fencing_monitor: FencingMonitor = field(default_factory=FencingMonitor)
    _kept: set[str] = field(default_factory=set)
    _joined_before: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.transactions = Transactions(self.clock, self.metrics)

    def consumer(self, name: str, group: str) -> Consumer:
        """Return a consumer whose errors are counted under the stage's name."""
        throttled = partial(self.transactions.throttled, name)
        return self.clients.consumer(group, self._on_error(name), throttled)

    def producer(self, name: str, transactional_id: str) -> Producer:
        """Return a transactional producer whose errors are counted under the stage's name."""
        self._fencing_monitor.uses(name, transactional_id)
        throttled = partial(self.transactions.throttled, name)
        timeout = self.transactions.timeout_of_producer(name)
        return self.clients.producer(transactional_id, self._on_error(name), throttled, timeout)

    @contextmanager
    def transaction(
        self, name: str, producer: Producer, carried: int = 0, grace: float = 0.0
    ) -> Iterator[None]:
        """Run a stage's transaction of `carried` records; see `Transactions.open`."""
        with self.transactions.open(name, producer, carried, self.waiting(name, grace)):
            yield

    def send_offsets(
        self, name: str, producer: Producer, offsets: Sequence[TopicPartition], member: object
    ) -> None:
        """Add offsets of the stage's group to its transaction.

        Raises KafkaException, KafkaSessionError.
        """
        within = self.transactions.timeout(name)
        self.clients.send_offsets(producer, offsets, member, within, self.waiting(name, STOP_GRACE))

    def joins_first(self, name: str) -> bool:
        """Return True at a stage's first join in this process, once, and False afterwards."""
        first = name not in self._joined_before
        self._joined_before.add(name)
        return first

    def reads(self, name: str, ids: Mapping[str, str | None]) -> None:
        """Record the ids of the topics that the stage reads until `left`."""
        self._reading.setdefault(name, {}).update(ids)
        self.topic_ids.update({topic: known for topic, known in ids.items() if known is not None})

    def joined(self, name: str, consumer: Consumer) -> None:
        """Record one turn of the stage's loop; mark it ready once its consumer is a group member.

        Raises KafkaSessionError if a topic that it reads was deleted and recreated: librdkafka
        would continue in the new topic, at the old topic's position.
        """
        self._same_topics(name)
        self.health.beat(name)
        self.follow_clock()
        self.metrics.heartbeat(name, self.clock.now())
        now = self.clock.steady()
        self.metrics.polled(name, now - self._polled.get(name, now))
        self._polled[name] = now
        if name not in self._members and consumer.memberid():
            self._members.add(name)
            self.health.set_ready(f"group:{name}", ok=True)

    def follow_clock(self) -> None:
        """Follow a step of the wall clock unless a lane is owned; its owner drains it first."""
        step = self.clock.follow_wall_clock()
        if step:
            log.warning("clock_stepped", seconds=round(step, 3))
            self.metrics.clock_stepped()

    def left(self, name: str) -> None:
        """Record that the stage is in no group; it rejoins, or it ends."""
        self._members.discard(name)
        self._reading.pop(name, None)
        self._polled.pop(name, None)
        self.health.set_ready(f"group:{name}", ok=False, why="not a member of its group")

    def usable(self, name: str, message: Message) -> bool:
        """Return whether a polled message is a record. Log errors that do not end the session.

        Raises StartPositionError if unread records were deleted (router), KafkaSessionError if
        the session must end.
        """
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - public by use
            where = f"{message.topic()} [{message.partition()}]: {transactions.describe(error)}"
            if name != "router":  # the next session compares log and checkpoint
                raise KafkaSessionError(f"the log has moved away: {where}")
            raise StartPositionError(
                f"{where}; records were deleted before they were read, or the topic was made anew. "
                "Reset the group's offsets to go on"
            )
        if error.fatal() or error.code() in _FATAL:
            raise KafkaSessionError(transactions.describe(error))
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
            log.warning("consume_error", stage=name, error=transactions.describe(error))
        return False

    def _same_topics(self, name: str) -> None:
        for topic, was in self._reading.get(name, {}).items():
            now = self.topic_ids.get(topic, was)
            if was is not None and now != was:
                raise KafkaSessionError(f"{topic} was deleted and made anew while it was read")

    def trim(self, topic: str, before: int) -> None:
        """Delete the records of partition 0 below an offset, best effort. Count refusals, and log
        the first of each topic."""

        def refused(why: str) -> None:
            self.metrics.deletion_refused(topic)
            if topic not in self._kept:
                self._kept.add(topic)
                log.warning(
                    "records_not_deleted",
                    topic=topic,
                    why=why,
                    hint="personal data stays there: grant Delete on this topic",
                )

        self.clients.trim(topic, before, refused)

    def return_delayed(self, campaigns: Sequence[str]) -> None:
        """Return the delayed invitations of these campaigns to their lanes now.

        The request reaches the process that reads the delay topics through the command topic. If
        that topic is not connected, only this process's delay stage gets it.
        """
        if not self.commands.tell(campaigns, self.clock.now()):
            self.early.request(campaigns)

    def publisher(self, client: Producer, source: str) -> Publisher:
        """Return a publisher of results and dead letters; `source` ends their `ce_source`."""
        return Publisher(
            client,
            self.topics.results,
            self.topics.dead_letters,
            f"/{self.topics.application_id}/{source}",
            self.config_version,
        )

    def _on_error(self, name: str) -> Callable[[KafkaError], None]:
        return lambda error: self.metrics.kafka_error(name, error.name())

    def waiting(self, name: str, grace: float = 0.0) -> Callable[[], bool]:
        """Return a callback that says whether to give up waiting for Kafka, asked at each attempt.

        It says so `grace` seconds after it noticed a stop. Each call is a heartbeat, so that a
        process which waits for an unreachable broker does not count as stuck.
        """
        noticed: float | None = None

        def give_up() -> bool:
            nonlocal noticed
            self.health.beat(name)
            if not self.stop.is_set():
                return False
            now = self.clock.steady()
            noticed = now if noticed is None else noticed
            return now - noticed >= grace

        return give_up

    def keep_running(self, name: str, session: Callable[[], None]) -> None:
        """Run sessions until `stop`, restarting after KafkaSessionError with backoff and jitter.

        Returns when a session ends without an error.
        """
        self.health.register(name, MAX_SILENCE)

        def say(state: RetryCallState) -> None:
            self.metrics.aborted(name)
            error = state.outcome.exception() if state.outcome else None
            log.warning("session_ended", stage=name, error=str(error))
            overdue = self.transactions.was_overdue(name)  # then its timeout was the fence
            rival = (
                None if overdue else self._fencing_monitor.found(name, error, self.clock.steady())
            )
            if rival:
                log.error("transactional_id_contested", stage=name, why=rival)
            _let_go(error)

        retrying = Retrying(
            retry=retry_if_exception_type(KafkaSessionError),
            wait=wait_random_exponential(multiplier=0.2, max=5.0),
            sleep=sleep_using_event(self.stop),
            stop=lambda _state: self.stop.is_set(),
            before_sleep=say,
            reraise=True,
        )
        try:
            retrying(session)
        finally:
            self.health.unregister(name)


def _let_go(error: BaseException | None) -> None:
    """Clear the frames of an error's tracebacks, which refer to clients of the ended session.

    confluent-kafka may keep a traceback forever, and each producer has four threads.
    """
    for each in causes(error):
        traceback.clear_frames(each.__traceback__)
