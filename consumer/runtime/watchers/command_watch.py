"""Reads operators' commands in a thread of its own, and keeps them until they lapse.

Each process reads the whole topic (one partition, one day's records) without joining a group. Each
stage decides which commands concern its own state.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka import transactions
from consumer.kafka.clients import KafkaClients
from consumer.kafka.errors import describe, is_partition_end
from consumer.kafka.records.operator_commands import Command, RetryCampaign, command_of, dump, valid
from consumer.observability.metrics.metrics import Metrics

POLL = 0.5
TRY_AGAIN = 15.0
WAIT = 10.0
SKEW = 5.0
"""Seconds by which an operator's clock may lag."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CommandBoard:
    """Valid commands of the topic, and commands of this process to write there. Thread-safe.
    `connected`: the topic is being read, so queued commands can be written to it.
    `return_elsewhere`: asks the delay stage to return campaigns, where it is in another process."""

    connected: bool = False
    return_elsewhere: Callable[[list[str]], None] | None = None
    _commands: dict[str, Command] = field(default_factory=dict)
    _outgoing: list[Command] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def queue_retries(self, campaigns: Sequence[str], now: float) -> bool:
        """Queue commands to all processes to return these campaigns' delayed invitations. Return
        False if the topic is not connected."""
        with self._lock:
            if not self.connected:
                return False
            self._outgoing += [
                RetryCampaign(id=uuid.uuid4().hex, at=now, campaign=campaign, delayed_only=True)
                for campaign in campaigns
            ]
            return True

    def connect(self, *, connected: bool) -> None:
        """Set whether the topic is read; unwritten commands then concern this process only."""
        with self._lock:
            self.connected = connected
            left, self._outgoing = self._outgoing, []
        self.keep(left)

    def keep(self, commands: Sequence[Command]) -> None:
        """Add commands that could not be written; only this program obeys them."""
        with self._lock:
            self._commands.update({command.id: command for command in commands})
        if commands and self.return_elsewhere is not None:
            retried = [each for each in commands if isinstance(each, RetryCampaign)]
            self.return_elsewhere([command.campaign for command in retried])

    def outgoing(self) -> list[Command]:
        """Take the commands to write to the topic."""
        with self._lock:
            taken, self._outgoing = self._outgoing, []
            return taken

    def add(self, command: Command) -> bool:
        """Add a command. Return whether it is new."""
        with self._lock:
            new = command.id not in self._commands
            self._commands[command.id] = command
            return new

    def current(self, now: float) -> list[Command]:
        """Return the commands that have not lapsed, oldest first."""
        if not self._commands:  # fast path: every turn of every loop calls this
            return []
        with self._lock:
            lapsed = [command.id for command in self._commands.values() if not valid(command, now)]
            for lapsed_id in lapsed:
                del self._commands[lapsed_id]
            return sorted(self._commands.values(), key=lambda each: each.at)


@dataclass(slots=True)
class ObeyedCommands:
    """Commands that a stage has already taken. Used by the stage's thread only.

    A retry of a campaign given before `since` is skipped: it concerned the campaign's state under
    an earlier owner, not a park by the present one.
    """

    since: float = 0.0
    _ids: set[str] = field(default_factory=set)

    def new(self, board: CommandBoard, now: float) -> list[Command]:
        """Return the board's commands that the stage has not taken yet."""
        current = board.current(now)
        if not current:
            return []
        found = [
            command
            for command in current
            if command.id not in self._ids
            and not (isinstance(command, RetryCampaign) and command.at < self.since - SKEW)
        ]
        self._ids = {command.id for command in current}
        return found


class CommandWatch:
    """Reads the command topic into the board, and writes this process's commands to it. Runs in a
    daemon thread. `writer`: transactional id for writing."""

    def __init__(
        self,
        topic: str,
        clients: KafkaClients,
        board: CommandBoard,
        metrics: Metrics,
        now: Callable[[], float],
        writer: str,
    ) -> None:
        self._writer = writer
        self._topic = topic
        self._clients = clients
        self._board = board
        self._metrics = metrics
        self._now = now
        self._said = False

    def start(self, group: str, stop: threading.Event) -> threading.Thread:
        """Start the thread, which reads until `stop` and retries after errors. Kafka errors are
        logged at debug level only, because other watchers report them."""
        thread = threading.Thread(
            target=self._run, args=(group, stop), name="commands", daemon=True
        )
        thread.start()
        return thread

    def _run(self, group: str, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._clients.reader(group) as reader:
                try:
                    if self._exists(reader):
                        self._read(reader, stop)
                except KafkaException as error:
                    log.debug("commands_unreadable", why=describe(error))
                finally:
                    self._board.connect(connected=False)
            stop.wait(TRY_AGAIN)

    def _exists(self, reader: Consumer) -> bool:
        """Return whether the topic exists. An application upgraded in place may not have it yet."""
        found = reader.list_topics(self._topic, timeout=WAIT).topics[self._topic]
        missing = found.error is not None or not found.partitions
        if missing and not self._said:
            self._said = True
            hint = "operators' commands reach no process: `survey-dispatcher topics --create`"
            log.warning("commands_topic_missing", topic=self._topic, hint=hint)
        return not missing

    def _read(self, reader: Consumer, stop: threading.Event) -> None:
        """Read and write commands until `stop` or an error of the consumer."""
        reader.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        self._board.connect(connected=True)
        while not stop.is_set():
            self._write(self._board.outgoing(), stop)
            for message in reader.consume(100, POLL):
                error = message.error()
                if error is None:
                    self._take(message)
                elif not is_partition_end(error):
                    return

    def _write(self, commands: Sequence[Command], stop: threading.Event) -> None:
        """Write commands for all processes; if Kafka refuses, add them to this process's board."""
        if not commands:
            return
        give_up_at = time.monotonic() + WAIT

        def give_up() -> bool:
            return stop.is_set() or time.monotonic() > give_up_at

        try:
            producer = self._clients.producer(self._writer)
            transactions.fence(producer, give_up)
            with transactions.transaction(producer, give_up):
                for command in commands:
                    key = command.command
                    transactions.produce(producer, self._topic, dump(command), key=key, partition=0)
        except KafkaSessionError as error:
            log.warning("command_not_given", topic=self._topic, why=str(error))
            self._board.keep(commands)

    def _take(self, message: Message) -> None:
        """Add a record's command to the board unless it is unreadable or has lapsed."""
        command = command_of(message)
        if command is None:
            self._metrics.process.command("unreadable")
            log.warning("command_unreadable", topic=self._topic, offset=message.offset())
        elif not valid(command, self._now()):
            self._metrics.process.command("lapsed")
        elif self._board.add(command):
            self._metrics.process.command(command.command)
            log.info("command_read", command=command.command, id=command.id)
