"""`lanes drain` and `lanes close`: settle the records of a lane that left the config.

It is a takeover like any owner's: fence, claim, newest checkpoint. Then batches of records are
settled in order, each in one transaction with its checkpoint: a kill in between loses nothing, and
the next run continues from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from confluent_kafka import Consumer, Message, Producer

from consumer.errors import OperationError, UnreadableRecord, defect
from consumer.kafka import transactions
from consumer.kafka.errors import records_fault
from consumer.kafka.lane_logs import orphans
from consumer.kafka.queries import Offsets, end_offsets, low_offsets, members, topic_names
from consumer.kafka.records.checkpoints import claim, newest
from consumer.kafka.records.messages import position_of, timestamp_of, value_of
from consumer.kafka.records.publisher import Publisher, bad_invitation, dead_letter_of
from consumer.lane.offsets.bitmap import pack
from consumer.lane.state.settings import LaneCampaign
from consumer.operations.access import Access, patience
from consumer.operations.lanes.drain_plan import Counts, Forward, LaneDrainPlan, kind_of
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.invitation import Invitation
from consumer.records.readers import read_invitation
from consumer.records.result import Result

AT_ONCE = 1000
BYTES_AT_ONCE = 16 * 1024 * 1024
NO_CALLS = 3600.0
"""Seconds of silence if no checkpoint says how much of the quota is used."""


@dataclass(slots=True)
class _Chunk:
    """The records that one transaction settles."""

    offsets: list[int] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    forwards: list[tuple[Forward, int]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.offsets) >= AT_ONCE or self.size >= BYTES_AT_ONCE


@dataclass(slots=True)
class LaneDrain:
    """The drain of one lane. `close`: end invitations that could go to another lane."""

    access: Access
    lane: str
    close: bool

    @property
    def topic(self) -> str:
        """The topic of the lane's invitations."""
        return self.access.topics.invitations(self.lane)

    def run(self, confirm: Callable[[Counts], bool]) -> Counts | None:
        """Drain the lane; return the count of each fate, or None if it is empty or `confirm` said
        no.

        Raises OperationError, KafkaSessionError, StartPositionError.
        """
        self._refuse_unfit()
        producer = self.access.fenced(f"lane.{self.lane}")
        with self.access.reader() as reader:
            checkpoint = self._take_over(producer, reader)
            ends = end_offsets(self.access.admin, [self.topic])
            counts = self._count(reader, checkpoint, ends)
            if not counts or not confirm(counts):
                return None
            self._settle(producer, reader, checkpoint, ends)
        return counts

    def _refuse_unfit(self) -> None:
        access = self.access
        if self.lane in access.config.lanes:
            raise OperationError(
                f"lane {self.lane} is in the config: its own sender empties it; take it out of the "
                "config first, and let all processes run with that"
            )
        known = orphans(access.admin, access.topics, access.config.lanes)
        if self.lane not in known:
            there = ", ".join(known) or "none"
            raise OperationError(f"no topic {self.topic}; lanes outside the config: {there}")
        if access.topics.checkpoints(self.lane) not in topic_names(access.admin):
            raise OperationError(f"no topic {access.topics.checkpoints(self.lane)}")
        group = f"{access.topics.application_id}.lane.{self.lane}"
        if number := members(access.admin, group):
            raise OperationError(
                f"lane {self.lane} has {number} owners or candidates (group {group}): a process "
                "still runs with a config that has it; stop that first"
            )

    def _take_over(self, producer: Producer, reader: Consumer) -> Checkpoint:
        """Take over as `runtime` does, but for a lane without settings."""
        topic = self.access.topics.checkpoints(self.lane)
        epoch = claim(producer, topic, self.lane, patience())
        try:
            found = newest(reader, topic, self.lane, epoch, lambda: None)
        except UnreadableRecord as error:
            raise OperationError(
                f"{topic}: the newest checkpoint cannot be read ({error}): nothing says which "
                "records are settled. If a newer version of the program wrote it, use that one"
            ) from None
        low = low_offsets(self.access.admin, [self.topic])[self.topic, 0]
        high = end_offsets(self.access.admin, [self.topic])[self.topic, 0]
        topic_id = self.access.clients.topic_id(self.topic)
        if found is None and low > 0:
            raise OperationError(
                f"{self.topic} begins at {low}, and there is no checkpoint: nothing says which of "
                "its records are settled"
            )
        if found is None:
            return _unused(self.lane, topic_id, self.access)
        if found.topic_id and topic_id and found.topic_id != topic_id:
            raise OperationError(
                f"{self.topic} was deleted and created anew: its checkpoint is of another topic"
            )
        if not low <= found.base <= high:
            raise OperationError(
                f"{self.topic} holds {low} to {high}, but the checkpoint's base is {found.base}"
            )
        return found

    def _remains(self, checkpoint: Checkpoint) -> LaneDrainPlan:
        config = self.access.config
        homes = {
            name: (config.lane_of(name), LaneCampaign(name, each.vendor, each.channel))
            for name, each in config.called.items()
        }
        return LaneDrainPlan(checkpoint, homes, self.close)

    def _count(self, reader: Consumer, checkpoint: Checkpoint, ends: Offsets) -> Counts:
        remains, counts = self._remains(checkpoint), Counts()
        for record, invitation in self._open(reader, remains, ends):
            if isinstance(invitation, DeadLetter):
                counts["none", "becomes a dead letter: it is no invitation"] += 1
            else:
                offset, value = position_of(record)[2], value_of(record) or b""
                counts[kind_of(remains.fate_of(offset, invitation, value), invitation)] += 1
        return counts

    def _settle(
        self, producer: Producer, reader: Consumer, checkpoint: Checkpoint, ends: Offsets
    ) -> None:
        remains, chunk = self._remains(checkpoint), _Chunk()
        for record, invitation in self._open(reader, remains, ends):
            _take(chunk, remains, record, invitation)
            if chunk.full:
                self._commit(producer, remains, chunk)
                chunk = _Chunk()
        remains.settled.end_of_log(ends[self.topic, 0])
        self._commit(producer, remains, chunk)

    def _open(
        self, reader: Consumer, remains: LaneDrainPlan, ends: Offsets
    ) -> Iterator[tuple[Message, Invitation | DeadLetter]]:
        """Yield the lane's unsettled records."""
        begin = {(self.topic, 0): remains.settled.base}
        for record in self.access.read(reader, ends, begin):
            if remains.deliver(position_of(record)[2]):
                yield record, _read(record)

    def _commit(self, producer: Producer, remains: LaneDrainPlan, chunk: _Chunk) -> None:
        remains.settled.settle_all(chunk.offsets)
        topics, version = self.access.topics, self.access.config.config_version
        source = f"/{topics.application_id}/lane/{self.lane}"
        publisher = Publisher(producer, topics.results, topics.dead_letters, source, version)
        now = self.access.now()
        with self.access.transaction(producer, f"emptying lane {self.lane}"):
            for each, since in chunk.forwards:
                topic = topics.invitations(each.lane)
                transactions.produce(
                    producer, topic, each.value, key=each.key, partition=0, timestamp=since
                )
            publisher.results(chunk.results, rfc3339(now))
            publisher.dead_letters(chunk.letters, rfc3339(now))
            state = remains.state(now).model_dump_json().encode()
            checkpoints = topics.checkpoints(self.lane)
            transactions.produce(producer, checkpoints, state, key=self.lane, partition=0)


def _take(
    chunk: _Chunk, remains: LaneDrainPlan, record: Message, invitation: Invitation | DeadLetter
) -> None:
    offset, value = position_of(record)[2], value_of(record) or b""
    if isinstance(invitation, DeadLetter):
        remains.unreadable(offset)
        chunk.letters.append(invitation)
    else:
        fate = remains.fate_of(offset, invitation, value)
        if fate is None:
            return
        if isinstance(fate, Forward):
            chunk.forwards.append((fate, max(0, timestamp_of(record))))  # its arrival time
        else:
            chunk.results.append(fate)
    chunk.offsets.append(offset)
    chunk.size += len(value)


def _read(record: Message) -> Invitation | DeadLetter:
    try:
        return read_invitation(value_of(record))
    except UnreadableRecord as error:
        return bad_invitation(record, f"not an invitation of this version: {error}")
    except Exception as error:
        if not records_fault(error):
            raise
        return dead_letter_of(record, DeadLetterReason.INTERNAL, defect(error))


def _unused(lane: str, topic_id: str | None, access: Access) -> Checkpoint:
    """Return the checkpoint of a lane that never had an owner. If the lane returns, its quota must
    not look unused."""
    return Checkpoint(
        lane=lane,
        topic_id=topic_id,
        base=0,
        done=pack((), 0),
        in_flight=(),
        permit_log=(),
        config_version=access.config.config_version,
        closed_until=access.now() + NO_CALLS,
    )
