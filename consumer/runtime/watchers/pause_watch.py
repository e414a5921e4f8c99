"""Reads what operators paused by command in a thread of its own, and shows it to the lanes.

    topic of pauses ─► PauseWatch ─► PauseBoard ─► each lane's owner, in its next turn

Each process with lanes reads the whole topic (one partition, compacted) without joining a group.
Its lanes join their groups only after that: what was paused before the start is known before the
first call. If the topic cannot be read later on, what is known stays in force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.errors import KafkaSessionError, defect
from consumer.kafka.clients import KafkaClients
from consumer.kafka.errors import describe, is_partition_end
from consumer.kafka.log_scan import LogScan
from consumer.kafka.records.pauses import PauseTable
from consumer.lane.settlement.hold_back import PAUSED_FOR
from consumer.policy.pauses import Pauses
from consumer.records.fields import rfc3339
from consumer.records.pause import Pausable, Pause

POLL = 0.5
TRY_AGAIN = 5.0
WAIT = 10.0

LATELY = PAUSED_FOR + 600.0
"""Seconds for which a lane's next owner sees to it that what a resume lets go returns: its former
owner may have ended before it did."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PausesNow:
    """What is paused by command: for the lanes, and as an operator gave it. `lately`: the same,
    and what was resumed a short time ago."""

    pauses: Pauses = field(default_factory=Pauses)
    lately: Pauses = field(default_factory=Pauses)
    records: tuple[Pause, ...] = ()


@dataclass(slots=True)
class PauseBoard:
    """What is paused by command, replaced as a whole at each change: any thread may read it.
    `known`: the topic was read to its end, or there is none to read."""

    known: bool = True
    now: PausesNow = field(default_factory=PausesNow)


class PauseWatch:
    """Reads the topic of pauses to the board. Runs in a daemon thread. `changed`: called after each
    change."""

    def __init__(
        self,
        topic: str,
        clients: KafkaClients,
        board: PauseBoard,
        changed: Callable[[PausesNow], None],
        now: Callable[[], float],
    ) -> None:
        self._topic = topic
        self._clients = clients
        self._board = board
        self._changed = changed
        self._now = now
        self._said = False

    def start(self, group: str, stop: threading.Event) -> threading.Thread:
        """Start the thread, which reads until `stop` and tries again after errors."""
        thread = threading.Thread(target=self._run, args=(group, stop), name="pauses", daemon=True)
        thread.start()
        return thread

    def _run(self, group: str, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._clients.reader(group) as reader:
                try:
                    if self._exists(reader):
                        self._follow(reader, stop)
                    else:
                        self._board.known = True
                except Exception as error:  # noqa: BLE001 - else a pause would never be read again
                    log.warning("pauses_unreadable", topic=self._topic, why=_why(error))
            stop.wait(TRY_AGAIN)

    def _exists(self, reader: Consumer) -> bool:
        """Return whether the topic exists. An application upgraded in place may not have it yet.
        Raises KafkaException if that is not known."""
        found = reader.list_topics(self._topic, timeout=WAIT).topics[self._topic]
        if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(found.error)
        missing = found.error is not None
        if missing and not self._said:
            self._said = True
            hint = "only the config pauses: `survey-dispatcher topics --create`"
            log.warning("pauses_topic_missing", topic=self._topic, hint=hint)
        return not missing

    def _follow(self, reader: Consumer, stop: threading.Event) -> None:
        """Read the topic from its start to its present end, show what is paused, and read on until
        `stop` or an error of the consumer."""
        place = self._topic, 0
        end = self._clients.log_end(reader, self._topic)
        table = PauseTable()
        for message in LogScan(reader, {place: end}):
            table.take(message)
        self._show(table)
        reader.assign([TopicPartition(*place, end)])
        while not stop.is_set():
            messages = reader.consume(100, POLL)
            for message in messages:
                error = message.error()
                if error is None:
                    table.take(message)
                elif not is_partition_end(error):
                    raise KafkaException(error)
            if any(message.error() is None for message in messages):
                self._show(table)

    def _show(self, table: PauseTable) -> None:
        """Put what is paused on the board, and log what changed."""
        before = {Pausable(pause.kind, pause.name) for pause in self._board.now.records}
        lately = table.pauses(resumed_after=self._now() - LATELY)
        now = PausesNow(table.pauses(), lately, tuple(table.paused()))
        self._board.now, self._board.known = now, True
        after = {Pausable(pause.kind, pause.name): pause for pause in now.records}
        for thing, pause in after.items():
            if thing not in before:
                log.info("paused", kind=thing.kind, name=thing.name, since=rfc3339(pause.at))
        for thing in sorted(before - after.keys()):
            log.info("resumed", kind=thing.kind, name=thing.name)
        self._changed(now)


def _why(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return describe(error)
    return str(error) if isinstance(error, KafkaSessionError) else defect(error)
