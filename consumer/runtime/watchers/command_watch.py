"""Reads operators' commands beside the stages, and keeps them until they lapse.

Each process reads the whole topic (one partition, a day's records), outside of any group: which
stage a command is for is decided where the state is that it is about.
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
from consumer.kafka.clients import Clients
from consumer.kafka.records.operator_commands import (
    Command,
    RetryCampaign,
    command_of,
    dump,
    valid,
)
from consumer.kafka.transactions import describe
from consumer.observability.metrics.metrics import Metrics

POLL = 0.5
TRY_AGAIN = 15.0
WAIT = 10.0
SKEW = 5.0
"""Seconds by which an operator's clock may be behind."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CommandBoard:
    """The commands that may be carried out now, and those that this process gives. Any thread.

    `connected`: the topic is read, so that what is `told` can be written there.
    """

    connected: bool = False
    _commands: dict[str, Command] = field(default_factory=dict)
    _outgoing: list[Command] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, campaigns: Sequence[str], now: float) -> bool:
        """Tell all processes to give back what is delayed of these campaigns. False if they cannot
        be told."""
        with self._lock:
            if not self.connected:
                return False
            self._outgoing += [
                RetryCampaign(id=uuid.uuid4().hex, at=now, campaign=each, delayed_only=True)
                for each in campaigns
            ]
            return True

    def connect(self, *, connected: bool) -> None:
        """The topic is read from now on, or no more: then what was told stays in this process."""
        with self._lock:
            self.connected = connected
            left, self._outgoing = self._outgoing, []
            self._commands.update({each.id: each for each in left})

    def outgoing(self) -> list[Command]:
        """What is to be written, once."""
        with self._lock:
            taken, self._outgoing = self._outgoing, []
            return taken

    def add(self, command: Command) -> bool:
        """False if it was there already."""
        with self._lock:
            new = command.id not in self._commands
            self._commands[command.id] = command
            return new

    def current(self, now: float) -> list[Command]:
        """Those that have not lapsed, the oldest first."""
        if not self._commands:  # on the way of every turn of every loop
            return []
        with self._lock:
            lapsed = [each.id for each in self._commands.values() if not valid(each, now)]
            for each in lapsed:
                del self._commands[each]
            return sorted(self._commands.values(), key=lambda each: each.at)


@dataclass(slots=True)
class ObeyedCommands:
    """Which commands a stage has taken in already. For its thread alone.

    A campaign that an owner has parked since is another state than the one that an earlier command
    was about: what was given before `since` is passed over.
    """

    since: float = 0.0
    _ids: set[str] = field(default_factory=set)

    def new(self, board: CommandBoard, now: float) -> list[Command]:
        """Those of the board that it has not."""
        current = board.current(now)
        if not current:
            return []
        found = [
            each
            for each in current
            if each.id not in self._ids
            and not (isinstance(each, RetryCampaign) and each.at < self.since - SKEW)
        ]
        self._ids = {each.id for each in current}
        return found


class CommandWatch:
    """Feeds the board, and writes what this process tells the others, in a thread of its own that
    ends with the process. `writer`: transactional id of what it writes."""

    def __init__(
        self,
        topic: str,
        clients: Clients,
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
        """Read until `stop`; trouble is tried again, for others say why."""
        thread = threading.Thread(
            target=self._run, args=(group, stop), name="commands", daemon=True
        )
        thread.start()
        return thread

    def _run(self, group: str, stop: threading.Event) -> None:
        while not stop.is_set():
            reader = self._clients.consumer(group, lambda _error: None)
            try:
                if self._exists(reader):
                    self._read(reader, stop)
            except KafkaException as error:
                log.debug("commands_unreadable", why=describe(error))
            finally:
                self._board.connect(connected=False)
                self._clients.close(reader)
            stop.wait(TRY_AGAIN)

    def _exists(self, reader: Consumer) -> bool:
        """An application that was upgraded in place may not have the topic yet."""
        found = reader.list_topics(self._topic, timeout=WAIT).topics[self._topic]
        missing = found.error is not None or not found.partitions
        if missing and not self._said:
            self._said = True
            hint = "operators' commands reach no process: `survey-dispatcher topics --create`"
            log.warning("commands_topic_missing", topic=self._topic, hint=hint)
        return not missing

    def _read(self, reader: Consumer, stop: threading.Event) -> None:
        """Until `stop`, or until the consumer is of no more use."""
        reader.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        self._board.connect(connected=True)
        while not stop.is_set():
            self._write(self._board.outgoing(), stop)
            for message in reader.consume(100, POLL):
                error = message.error()
                if error is None:
                    self._take(message)
                elif error.code() != error._PARTITION_EOF:  # noqa: SLF001 - public by use
                    return

    def _write(self, commands: Sequence[Command], stop: threading.Event) -> None:
        """Give these to all processes; what Kafka does not take is carried out in this one."""
        if not commands:
            return
        give_up_at = time.monotonic() + WAIT

        def give_up() -> bool:
            return stop.is_set() or time.monotonic() > give_up_at

        try:
            producer = self._clients.producer(self._writer, lambda _error: None)
            transactions.fence(producer, give_up)
            with transactions.transaction(producer, give_up):
                for each in commands:
                    key = each.command
                    transactions.produce(producer, self._topic, dump(each), key=key, partition=0)
        except KafkaSessionError as error:
            log.warning("command_not_given", topic=self._topic, why=str(error))
            for each in commands:
                self._board.add(each)

    def _take(self, message: Message) -> None:
        """One record: a command that may still be carried out, or nothing."""
        command = command_of(message)
        if command is None:
            self._metrics.command("unreadable")
            log.warning("command_unreadable", topic=self._topic, offset=message.offset())
        elif not valid(command, self._now()):
            self._metrics.command("lapsed")
        elif self._board.add(command):
            self._metrics.command(command.command)
            log.info("command_read", command=command.command, id=command.id)
