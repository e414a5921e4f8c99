"""What a stage's thread needs besides its own logic: clients, names, and how to be restarted."""

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
from consumer.errors import (
    KafkaSessionError,
    StartPositionError,
    causes,
)
from consumer.kafka import transactions
from consumer.kafka.clients import Clients
from consumer.kafka.records.publisher import Publisher
from consumer.lane.settlement.early_returns import EarlyReturns
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.board import StatusBoard
from consumer.runtime.delay.step_counts import StepCounts
from consumer.runtime.fencing_monitor import FencingMonitor
from consumer.runtime.transactions import Transactions
from consumer.runtime.watchers.command_watch import CommandBoard

MAX_SILENCE = 60.0
"""Seconds a loop may be away in Kafka's hands before the process counts as stuck."""

STOP_GRACE = 10.0
"""Seconds that a commit which Kafka does not confirm gets after a stop was noticed: what it would
have recorded is in doubt otherwise."""

_FATAL = (KafkaError._FATAL, KafkaError._MAX_POLL_EXCEEDED)  # noqa: SLF001 - public by use
"""A consumer says these once, and is silent from then on; `fatal()` is not true of them."""

NO_LANES = ("router", "ladder")
"""Stages that are not lanes, by name."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class StageServices:
    """The surroundings that router and lanes share.

    `instance` names this replica; `topic_ids` are the ids that topics had when last looked at,
    `step_ends` the ends of the delay ladder's topics; `homes`: campaign → its lane; `early`: what
    is to leave the delay topics before it is due.
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
        """A consumer whose errors are counted under the stage's name."""
        throttled = partial(self.transactions.throttled, name)
        return self.clients.consumer(group, self._on_error(name), throttled)

    def producer(self, name: str, transactional_id: str) -> Producer:
        """A transactional producer whose errors are counted under the stage's name."""
        self._fencing_monitor.uses(name, transactional_id)
        throttled = partial(self.transactions.throttled, name)
        timeout = self.transactions.timeout_of_producer(name)
        return self.clients.producer(transactional_id, self._on_error(name), throttled, timeout)

    @contextmanager
    def transaction(
        self, name: str, producer: Producer, carried: int = 0, grace: float = 0.0
    ) -> Iterator[None]:
        """As `kafka.transaction`, of a stage, with so many records; see `TransactionSize`."""
        with self.transactions.open(name, producer, carried, self.waiting(name, grace)):
            yield

    def send_offsets(
        self, name: str, producer: Producer, offsets: Sequence[TopicPartition], member: object
    ) -> None:
        """Offsets of the stage's group become part of its transaction.

        Raises KafkaException, KafkaSessionError.
        """
        within = self.transactions.timeout(name)
        self.clients.send_offsets(producer, offsets, member, within, self.waiting(name, STOP_GRACE))

    def joins_first(self, name: str) -> bool:
        """Whether the stage joins its group for the first time in this process; asked once."""
        first = name not in self._joined_before
        self._joined_before.add(name)
        return first

    def reads(self, name: str, ids: Mapping[str, str | None]) -> None:
        """The stage reads these topics, which have these ids, until it has `left`."""
        self._reading.setdefault(name, {}).update(ids)
        self.topic_ids.update({topic: known for topic, known in ids.items() if known is not None})

    def joined(self, name: str, consumer: Consumer) -> None:
        """The stage's loop goes round; ready once its consumer is a member of its group.

        Raises KafkaSessionError if a topic that it reads was made anew: librdkafka reads on in the
        new one, from where it was in the old.
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
        """Take over a step of the wall clock, unless a lane is owned: then its owner drains."""
        step = self.clock.follow_wall_clock()
        if step:
            log.warning("clock_stepped", seconds=round(step, 3))
            self.metrics.clock_stepped()

    def left(self, name: str) -> None:
        """The stage is in no group: it joins again, or the process ends."""
        self._members.discard(name)
        self._reading.pop(name, None)
        self._polled.pop(name, None)
        self.health.set_ready(f"group:{name}", ok=False, why="not a member of its group")

    def usable(self, name: str, message: Message) -> bool:
        """Whether a poll's message is a record; others are told, or end the session.

        Raises StartPositionError if records are gone, KafkaSessionError if the consumer is of no
        more use.
        """
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - public by use
            where = f"{message.topic()} [{message.partition()}]: {transactions.describe(error)}"
            if name != "router":  # its next session compares log and past, and says what is so
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
        """Delete the records of partition 0 below an offset, best effort: what is refused is said
        once for each topic, and counted."""

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
        """Have what is delayed of these campaigns given back now, by the process that reads the
        delay topics; it hears of it by the operators' topic, where this process reads that one."""
        if not self.commands.tell(campaigns, self.clock.now()):
            self.early.request(campaigns)

    def publisher(self, client: Producer, source: str) -> Publisher:
        """Writes results and dead letters; `source` follows the application in `ce_source`."""
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
        """To be asked after each attempt at what Kafka does not answer: whether to give up.

        That is so `grace` seconds after a stop was noticed. Asking is a sign of life: Kafka's
        absence must not make a process that waits for it count as stuck.
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
        """Run sessions until `stop`: after trouble a new one starts, with backoff and jitter."""
        self.health.register(name, MAX_SILENCE)

        def say(state: RetryCallState) -> None:
            self.metrics.aborted(name)
            error = state.outcome.exception() if state.outcome else None
            log.warning("session_ended", stage=name, error=str(error))
            overdue = self.transactions.was_overdue(name)  # then Kafka's timeout has fenced it
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
    """Empty the frames of an error's tracebacks: they name clients that are of no more use.

    confluent-kafka may keep a traceback for good, and each producer has four threads.
    """
    for each in causes(error):
        traceback.clear_frames(each.__traceback__)
