"""What a stage's thread works with: services that all stages share, and the run of one stage.

A *stage* is the router, the delay stage or a lane. A *session* is one membership in the stage's
consumer group, from joining to leaving. `StageServices` outlive every session and never change;
`StageRun` knows how one stage is doing: its membership, heartbeats, transactions and restarts.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import structlog
from confluent_kafka import Consumer, KafkaError, Producer, ThrottleEvent
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event
from tenacity.wait import wait_random_exponential

from consumer.clock import Clock
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError, causes
from consumer.kafka import transactions
from consumer.kafka.client_settings import TRANSACTION_TIMEOUT
from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.publisher import Publisher
from consumer.kafka.transaction_size import TransactionSize
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.metrics.stage import StageMetrics
from consumer.observability.status.board import StatusBoard
from consumer.runtime.delay.early_returns import EarlyReturns
from consumer.runtime.delay.step_counts import StepCounts
from consumer.runtime.fencing_monitor import FencingMonitor
from consumer.runtime.tracing import ProcessTracing
from consumer.runtime.watchers.command_watch import CommandBoard
from consumer.runtime.watchers.pause_watch import PauseBoard

MAX_SILENCE = 60.0
"""Seconds that a loop may block in a Kafka call before the process counts as stuck."""

STOP_GRACE = 10.0
"""Seconds that an unconfirmed commit gets after a stop was noticed; without it the calls that the
commit records are in doubt."""

QUOTA_HINT = (
    "a quota of the cluster (producer_byte_rate, consumer_byte_rate, request_percentage) or a slow "
    "broker: raise it for this client (kafka-configs.sh --entity-type clients, or users), see "
    "deploy/runbooks/KafkaThrottles.md"
)

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class ConfigInUse:
    """What a reload replaces: the config's version, its lanes, and `homes`: campaign → its lane.

    `feeds`: whether it has feeds, which a reload cannot change. `result_schema`: the registry's id
    of the schema of results, if they name one.
    """

    version: str
    lanes: Sequence[str]
    homes: Mapping[str, str] = field(default_factory=dict)
    feeds: bool = False
    result_schema: int | None = None


@dataclass(frozen=True, slots=True)
class StageServices:
    """Shared services of the stage threads.

    `instance` names this replica; `topic_ids`: topic → id at the last poll; `step_ends`: delay
    topic → end offset; `early`: delayed invitations to return before they are due.
    """

    topics: Topics
    config: ConfigInUse
    clients: KafkaClients
    clock: Clock
    metrics: Metrics
    health: Health
    instance: str = "0"
    stop: threading.Event = field(default_factory=threading.Event)
    topic_ids: dict[str, str] = field(default_factory=dict)
    step_ends: dict[str, int] = field(default_factory=dict)
    step_counts: StepCounts = field(default_factory=StepCounts)
    early: EarlyReturns = field(default_factory=EarlyReturns)
    commands: CommandBoard = field(default_factory=CommandBoard)
    pauses: PauseBoard = field(default_factory=PauseBoard)
    board: StatusBoard = field(default_factory=StatusBoard)
    tracing: ProcessTracing = field(default_factory=ProcessTracing)

    def follow_clock(self) -> None:
        """Follow a step of the wall clock unless a lane is owned; its owner drains it first."""
        step = self.clock.follow_wall_clock()
        if step:
            log.warning("clock_stepped", seconds=round(step, 3))
            self.metrics.process.clock_stepped()

    def return_delayed(self, campaigns: Sequence[str]) -> None:
        """Return the delayed invitations of these campaigns to their lanes now.

        The request reaches the process that reads the delay topics through the command topic. If
        that topic is not connected, only the delay stage of this program gets it.
        """
        if self.commands.queue_retries(campaigns, self.clock.now()):
            return
        if self.commands.return_elsewhere is not None:
            self.commands.return_elsewhere(list(campaigns))
        else:
            self.early.request(campaigns)

    def publisher(self, client: Producer, source: str) -> Publisher:
        """Return a publisher of results and dead letters; `source` ends their `ce_source`."""
        return Publisher(
            client,
            self.topics.results,
            self.topics.dead_letters,
            f"/{self.topics.application_id}/{source}",
            self.config.version,
            self.config.result_schema,
        )


@dataclass(slots=True)
class StageRun:
    """One stage's run in this process, over all its sessions. Only the stage's thread uses it.

    `size`: of its next transaction; `timeout`: the present producer's transaction timeout, in
    seconds.
    """

    services: StageServices
    name: str
    size: TransactionSize = field(default_factory=TransactionSize)
    timeout: float = TRANSACTION_TIMEOUT
    metrics: StageMetrics = field(init=False)
    joined_before: bool = False
    _was_overdue: bool = False  # a transaction outlasted its timeout
    _fencing_monitor: FencingMonitor = field(default_factory=FencingMonitor)
    _is_member: bool = False
    _topic_ids: dict[str, str | None] = field(default_factory=dict)  # of the topics it reads
    _turned_at: float | None = None
    _undeletable: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.metrics = self.services.metrics.stage(self.name)

    # -- Kafka --------------------------------------------------------------------------------

    def consumer(self, group: str) -> Consumer:
        """Return a consumer whose errors are counted under the stage's name."""
        return self.services.clients.consumer(group, self._count_error, self._count_throttle)

    def producer(self, transactional_id: str) -> Producer:
        """Return a transactional producer whose errors are counted under the stage's name."""
        self._fencing_monitor.transactional_id = transactional_id
        self.timeout = self.size.timeout
        return self.services.clients.producer(
            transactional_id, self._count_error, self._count_throttle, self.timeout
        )

    @contextmanager
    def transaction(
        self, producer: Producer, carried: int = 0, grace: float = 0.0
    ) -> Iterator[None]:
        """Run a transaction of `carried` records; adapt the size of the next to its duration.

        A stop gives it up after `grace` seconds.
        """
        started = self.services.clock.steady()
        try:
            with transactions.transaction(producer, self.waiting(grace)):
                yield
        except KafkaSessionError:
            seconds = self.services.clock.steady() - started
            self._was_overdue = self._was_overdue or seconds >= self.timeout
            self._adapt_size(self.size.failed, carried, seconds)
            raise
        seconds = self.services.clock.steady() - started
        self._adapt_size(self.size.committed, carried, seconds)
        self.metrics.transaction(seconds)

    def _adapt_size(
        self, record: Callable[[int, float], None], carried: int, seconds: float
    ) -> None:
        size = self.size
        records, timeout = size.records, size.timeout
        record(carried, seconds)
        self.metrics.transaction_limit(size.records)
        if size.records < records or size.timeout > timeout:
            log.warning(
                "transaction_slow",
                stage=self.name,
                why=f"{carried} records took {seconds:.1f} s: the next transaction carries "
                f"{size.records} at most, and may take {size.timeout:.0f} s",
                hint=QUOTA_HINT,
            )

    def delete_records(self, topic: str, before: int) -> None:
        """Delete the records of partition 0 below an offset, best effort. Count refusals, and log
        the first of each topic."""

        def refused(why: str) -> None:
            self.services.metrics.process.deletion_refused(topic)
            if topic not in self._undeletable:
                self._undeletable.add(topic)
                log.warning(
                    "records_not_deleted",
                    topic=topic,
                    why=why,
                    hint="personal data stays there: grant Delete on this topic",
                )

        self.services.clients.trim(topic, before, refused)

    def _count_error(self, error: KafkaError) -> None:
        self.metrics.kafka_error(error.name())

    def _count_throttle(self, event: ThrottleEvent) -> None:
        seconds = event.throttle_time
        self.metrics.kafka_throttled(seconds)
        if seconds:
            why = f"for {1000 * seconds:.0f} ms"
            log.warning("kafka_throttles", stage=self.name, why=why, hint=QUOTA_HINT)

    # -- membership ---------------------------------------------------------------------------

    def expect_topics(self, ids: Mapping[str, str | None]) -> None:
        """Record the ids of the topics that the stage reads until `end_membership`."""
        self._topic_ids.update(ids)
        known = {topic: ident for topic, ident in ids.items() if ident is not None}
        self.services.topic_ids.update(known)

    def record_turn(self, consumer: Consumer) -> None:
        """Record one turn of the stage's loop; mark it ready once its consumer is a group member.

        Raises KafkaSessionError if a topic that it reads was deleted and recreated: librdkafka
        would continue in the new topic, at the old topic's position.
        """
        self._check_topics()
        self.beat()
        self.services.follow_clock()
        self.metrics.heartbeat(self.services.clock.now())
        now = self.services.clock.steady()
        before = now if self._turned_at is None else self._turned_at
        self.metrics.polled(now - before)
        self._turned_at = now
        if not self._is_member and consumer.memberid():
            self._is_member = True
            self.services.health.set_ready(f"group:{self.name}", ok=True)

    def end_membership(self) -> None:
        """Record that the stage is in no group; it rejoins, or it ends."""
        self._is_member, self._turned_at = False, None
        self._topic_ids.clear()
        why = "not a member of its group"
        self.services.health.set_ready(f"group:{self.name}", ok=False, why=why)

    def _check_topics(self) -> None:
        for topic, expected in self._topic_ids.items():
            if expected is not None and self.services.topic_ids.get(topic, expected) != expected:
                raise KafkaSessionError(f"{topic} was deleted and recreated while it was read")

    # -- waiting and restart ------------------------------------------------------------------

    def beat(self) -> None:
        """Record a heartbeat: a process whose stage is silent for long counts as stuck."""
        self.services.health.beat(self.name)

    def with_heartbeat(self, client: T) -> T:
        """Return a client of which each request is a heartbeat too.

        A slow broker answers each after seconds, and a stage with stopped partitions makes many.
        """
        return cast("T", _WithHeartbeat(client, self.beat))

    def waiting(self, grace: float = 0.0) -> Callable[[], bool]:
        """Return a callback that says whether to give up waiting for Kafka, asked at each attempt.

        It says so `grace` seconds after it noticed a stop. Each call is a heartbeat, so that a
        process which waits for an unreachable broker does not count as stuck.
        """
        noticed: float | None = None

        def give_up() -> bool:
            nonlocal noticed
            self.beat()
            if not self.services.stop.is_set():
                return False
            now = self.services.clock.steady()
            noticed = now if noticed is None else noticed
            return now - noticed >= grace

        return give_up

    def keep_running(self, session: Callable[[], None]) -> None:
        """Run sessions until `stop`, restarting after KafkaSessionError with backoff and jitter.

        Returns when a session ends without an error.
        """
        services = self.services
        services.health.register(self.name, MAX_SILENCE)
        retrying = Retrying(
            retry=retry_if_exception_type(KafkaSessionError),
            wait=wait_random_exponential(multiplier=0.2, max=5.0),
            sleep=sleep_using_event(services.stop),
            stop=lambda _state: services.stop.is_set(),
            before_sleep=self._record_failure,
            reraise=True,
        )
        try:
            retrying(session)
        finally:
            services.health.unregister(self.name)

    def _record_failure(self, state: RetryCallState) -> None:
        self.metrics.aborted()
        error = state.outcome.exception() if state.outcome else None
        log.warning("session_ended", stage=self.name, error=str(error))
        overdue, self._was_overdue = self._was_overdue, False
        if not overdue:  # else its timeout was the fence
            rival = self._fencing_monitor.diagnose(error, self.services.clock.steady())
            if rival:
                log.error("transactional_id_contested", stage=self.name, why=rival)
        _clear_frames(error)


class _WithHeartbeat:
    """See `StageRun.with_heartbeat`."""

    def __init__(self, client: object, beat: Callable[[], None]) -> None:
        self._client, self._beat = client, beat

    def __getattr__(self, name: str) -> Any:
        self._beat()
        return getattr(self._client, name)


def _clear_frames(error: BaseException | None) -> None:
    """Clear the frames of an error's tracebacks, which refer to clients of the ended session.

    confluent-kafka may keep a traceback forever, and each producer has four threads.
    """
    for cause in causes(error):
        traceback.clear_frames(cause.__traceback__)
