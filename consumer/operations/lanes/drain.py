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
from consumer.kafka.lane_logs import LaneLogState, orphans
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, end_offsets, members, topic_names
from consumer.kafka.records.checkpoints import claim, newest
from consumer.kafka.records.messages import position_of, timestamp_of, value_of
from consumer.kafka.records.publisher import Publisher, bad_invitation, dead_letter_of
from consumer.kafka.transaction_size import TransactionSize
from consumer.lane.offsets.bitmap import pack
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import EndedInvitation, encode_results
from consumer.lane.state.settings import LaneCampaign
from consumer.operations.access import Access
from consumer.operations.lanes.drain_plan import Counts, Forward, LaneDrainPlan, kind_of
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import rfc3339

AT_ONCE = 1000
"""Records of a transaction while Kafka is quick."""

BYTES_AT_ONCE = 16 * 1024 * 1024
NO_CALLS = 3600.0
"""Seconds of silence if no checkpoint says how much of the quota is used."""


@dataclass(slots=True)
class _Chunk:
    """The records that one transaction settles."""

    offsets: list[int] = field(default_factory=list)
    results: list[EndedInvitation] = field(default_factory=list)
    forwards: list[tuple[Forward, int]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Takeover:
    """What a claim found: the checkpoint, the end of the log then, and each fate's count."""

    checkpoint: Checkpoint
    ends: Offsets
    counts: Counts


@dataclass(slots=True)
class LaneDrain:
    """The drain of one lane. `close`: end invitations that could go to another lane."""

    access: Access
    lane: str
    close: bool
    size: TransactionSize = field(default_factory=lambda: TransactionSize(AT_ONCE))

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
        done = self.access.write_confirmed(
            f"lane.{self.lane}",
            self.size,
            self._take_over,
            lambda found: bool(found.counts) and confirm(found.counts),
            self._settle,
        )
        return None if done is None else done.counts

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
        group = access.topics.lane_group(self.lane)
        if number := members(access.admin, group):
            raise OperationError(
                f"lane {self.lane} has {number} owners or candidates (group {group}): a process "
                "still runs with a config that has it; stop that first"
            )

    def _take_over(self, producer: Producer, confirmed: _Takeover | None) -> _Takeover:
        """Claim the lane as its owner does, and count what it holds up to the confirmed end."""
        access = self.access
        topic = access.topics.checkpoints(self.lane)
        epoch = claim(producer, topic, self.lane, access.patience())
        with access.reader(access.topics.lane_group(self.lane)) as reader:
            log = LaneLogState.read(reader, access.topics, self.lane)
            try:
                found = newest(reader, topic, self.lane, epoch, lambda: None)
            except UnreadableRecord as error:
                raise log.unreadable(str(error)) from None
            topic_id = access.clients.topic_id(self.topic)
            log.start_offset(found, topic_id)
            checkpoint = found or _unused(self.lane, topic_id, access)
            ends = confirmed.ends if confirmed else end_offsets(access.admin, [self.topic])
            return _Takeover(checkpoint, ends, self._count(reader, checkpoint, ends))

    def _plan(self, checkpoint: Checkpoint) -> LaneDrainPlan:
        config = self.access.config
        homes = {
            name: (config.lane_of(name), LaneCampaign(name, campaign.vendor, campaign.channel))
            for name, campaign in config.called.items()
        }
        return LaneDrainPlan(checkpoint, homes, self.close)

    def _count(self, reader: Consumer, checkpoint: Checkpoint, ends: Offsets) -> Counts:
        plan, counts = self._plan(checkpoint), Counts()
        for _, invitation in self._unsettled(reader, plan, ends):
            if isinstance(invitation, DeadLetter):
                counts["none", "becomes a dead letter: it is no invitation"] += 1
            else:
                counts[kind_of(plan.fate_of(invitation), invitation.campaign)] += 1
        return counts

    def _settle(self, producer: Producer, found: _Takeover) -> None:
        plan, chunk = self._plan(found.checkpoint), _Chunk()
        with self.access.reader() as reader:
            for record, invitation in self._unsettled(reader, plan, found.ends):
                _take(chunk, plan, record, invitation)
                if len(chunk.offsets) >= self.size.records or chunk.size >= BYTES_AT_ONCE:
                    self._commit(producer, plan, chunk)
                    chunk = _Chunk()
        plan.settled.end_of_log(found.ends[self.topic, 0])
        self._commit(producer, plan, chunk)

    def _unsettled(
        self, reader: Consumer, plan: LaneDrainPlan, ends: Offsets
    ) -> Iterator[tuple[Message, PendingInvitation | DeadLetter]]:
        """Yield the lane's unsettled records."""
        for record in LogScan(reader, ends, {(self.topic, 0): plan.settled.base}):
            if plan.deliver(position_of(record)[2]):
                yield record, _read(record)

    def _commit(self, producer: Producer, plan: LaneDrainPlan, chunk: _Chunk) -> None:
        plan.settled.settle_all(chunk.offsets)
        topics, config = self.access.topics, self.access.config
        publisher = Publisher(
            producer,
            topics.results,
            topics.dead_letters,
            f"/{topics.application_id}/lane/{self.lane}",
            config.config_version,
            config.results.schema_id,
        )
        now, carried = self.access.now(), len(chunk.offsets)
        with self.access.transaction(producer, f"draining lane {self.lane}", self.size, carried):
            for invitation, since in chunk.forwards:
                topic = topics.invitations(invitation.lane)
                transactions.produce(
                    producer,
                    topic,
                    invitation.value,
                    key=invitation.key,
                    partition=0,
                    timestamp=since,
                )
            publisher.results(encode_results(chunk.results), rfc3339(now))
            publisher.dead_letters(chunk.letters, rfc3339(now))
            state = plan.state(now).model_dump_json().encode()
            checkpoints = topics.checkpoints(self.lane)
            transactions.produce(producer, checkpoints, state, key=self.lane, partition=0)


def _take(
    chunk: _Chunk, plan: LaneDrainPlan, record: Message, invitation: PendingInvitation | DeadLetter
) -> None:
    offset = position_of(record)[2]
    if isinstance(invitation, DeadLetter):
        plan.unreadable(offset)
        chunk.letters.append(invitation)
    else:
        fate = plan.fate_of(invitation)
        if fate is None:
            return
        if isinstance(fate, Forward):
            chunk.forwards.append((fate, max(0, timestamp_of(record))))  # its arrival time
        else:
            chunk.results.append(fate)
    chunk.offsets.append(offset)
    chunk.size += len(value_of(record) or b"")


def _read(record: Message) -> PendingInvitation | DeadLetter:
    try:
        offset, value = position_of(record)[2], value_of(record) or b""
        return PendingInvitation.read(offset, value, arrived=0.0)
    except UnreadableRecord as error:
        return bad_invitation(record, f"not an invitation of this version: {error}")
    except Exception as error:
        if not records_fault(error):
            raise
        return dead_letter_of(record, DeadLetterReason.INTERNAL, defect(error))


def _unused(lane: str, topic_id: str | None, access: Access) -> Checkpoint:
    """Return the checkpoint of a lane without an owner so far; its quota counts as used."""
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
