"""Defects to plant: each must be found by the simulation, or the simulation proves nothing.

Every one is a mistake that was made, or could be; a context manager plants it in the real code.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.http import calls
from consumer.kafka import transactions
from consumer.kafka.records import checkpoints
from consumer.lane.buffer.window import Window
from consumer.lane.lane import Lane
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.quota.limiter import Limiter
from consumer.lane.quota.quota import Quota
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.bisections import Bisections
from consumer.lane.settlement.fitness import Fitness
from consumer.lane.settlement.settlement import Settlement
from consumer.lane.state.commands import Command, Commit
from consumer.lane.state.results import encode_results
from consumer.records.call import Verdict
from consumer.records.checkpoint import Checkpoint
from consumer.records.fields import rfc3339
from consumer.records.result import Reason
from consumer.runtime.delay import delay_loop
from consumer.runtime.lane import takeover
from consumer.runtime.lane.command_executor import CommandExecutor
from consumer.runtime.lane.lane_loop import LaneStage
from consumer.runtime.router.router_loop import RouterStage
from consumer.runtime.stage import StageRun
from tests.simulation import (
    mutants_breaker,
    mutants_client,
    mutants_commands,
    mutants_http,
    mutants_pauses,
    mutants_review,
)
from tests.simulation.planting import MUTANTS, defect, rewritten

__all__ = [
    "MUTANTS",
    "mutants_breaker",
    "mutants_client",
    "mutants_commands",
    "mutants_http",
    "mutants_pauses",
    "mutants_review",
]


def _pack(bits: int) -> str:
    raw = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return base64.b64encode(zlib.compress(raw)).decode()


def _bits(packed: str) -> int:
    return int.from_bytes(zlib.decompress(base64.b64decode(packed)), "little")


# -- the lane's machine -----------------------------------------------------------------------


@defect
def no_intent() -> Iterator[None]:
    """Calls leave at once; the checkpoint that names them follows."""
    tick = Lane.tick

    def hasty(lane: Lane, now: float) -> list[Command]:
        commands = tick(lane, now)
        leaving: list[Command] = []
        if any(isinstance(command, Commit) for command in commands):
            leaving, lane._committing = [*(lane._committing or [])], []
        return [*leaving, *commands]

    with patch.object(Lane, "tick", hasty):
        yield


def _checkpoint(change: Callable[[Lane, Checkpoint], dict[str, object]]) -> Any:
    made = Lane.checkpoint

    def changed(lane: Lane, now: float) -> Checkpoint:
        point = made(lane, now)
        return point.model_copy(update=change(lane, point))

    return patch.object(Lane, "checkpoint", changed)


@defect
def highest_settled_offset() -> Iterator[None]:
    """What was read last is taken as settled, with all that is below it."""

    def ahead(lane: Lane, _point: Checkpoint) -> dict[str, object]:
        return {"base": lane.settled.base + lane.settled.span, "done": _pack(0)}

    with _checkpoint(ahead):
        yield


@defect
def done_lost() -> Iterator[None]:
    """A checkpoint has its base, and forgets what is settled above it."""
    with _checkpoint(lambda _lane, _point: {"done": _pack(0)}):
        yield


@defect
def resent_under_report() -> Iterator[None]:
    """What a former owner had in flight is sent as if it had never been."""
    decide = InDoubtBatches.resolve

    def forget(doubt: InDoubtBatches, offset: int) -> None:
        decide(doubt, offset)

    with patch.object(InDoubtBatches, "resolve", forget):
        yield


@defect
def permit_log_not_restored() -> Iterator[None]:
    """A new owner takes the quota for unused."""
    restore = Quota._restore

    def forgetful(quota: Quota, *_: Any) -> Limiter:
        return restore(quota, None, -1e9)

    with patch.object(Quota, "_restore", forgetful):
        yield


@defect
def send_stamped_permits() -> Iterator[None]:
    """A permit's time in the log is the time at which its call left."""
    take, answered = Limiter.take_permit, Limiter.call_ended

    def stamp(limiter: Limiter, now: float) -> None:
        take(limiter, now)
        answered(limiter, now)

    with (
        patch.object(Limiter, "take_permit", stamp),
        patch.object(Limiter, "call_ended", lambda _limiter, _at: None),
    ):
        yield


@defect
def recipient_twice_in_a_batch() -> Iterator[None]:
    """A window gives whatever is oldest, and a call carries all that it is given."""

    def take(window: Window, most: int = 10**9) -> list[Any]:
        oldest = sorted(window, key=lambda held: held.offset)[: min(window.max_batch, most)]
        chosen = {held.offset for held in oldest}
        return window.drop(lambda held: held.offset in chosen)

    with (
        patch.object(Window, "take", take),
        rewritten(Fitness, "fit", ("elif key and key in keys:", "elif False:")),
    ):
        yield


# -- bad recipients ---------------------------------------------------------------------------


@defect
def condemned_by_inference() -> Iterator[None]:
    """The last suspect is rejected without a call of its own: all the others were accepted."""
    carry_on = Bisections.carry_on

    def infer(bisections: Bisections, bisection: Bisection) -> None:
        if len(bisection.suspect) == 1 and not bisection.part:
            (last,), bisection.suspect = bisection.suspect, []
            bisections._outbox.end_buffered(last, Reason.VENDOR_REJECTED, bisection.facts)
        carry_on(bisections, bisection)

    with patch.object(Bisections, "carry_on", infer):
        yield


@defect
def bisection_forgets_the_rest() -> Iterator[None]:
    """When a part is refused, the rest of the batch is dropped."""
    refused = Bisection.record_refused

    def narrow(bisection: Bisection) -> bool:
        bisection.suspect = []
        return refused(bisection)

    with patch.object(Bisection, "record_refused", narrow):
        yield


@defect
def a_refused_part_is_rejected_whole() -> Iterator[None]:
    """All recipients of a refused part count as bad."""

    def all_of_it(bisection: Bisection) -> bool:
        bisection.unknown, bisection.suspect = bisection.suspect + bisection.unknown, []
        bisection.bad += len(bisection.part)
        bisection.part = []
        return True

    with patch.object(Bisection, "record_refused", all_of_it):
        yield


@defect
def silence_is_divided() -> Iterator[None]:
    """A batch without an answer is called again in parts, as if it had been refused."""
    whole = Settlement._whole_answered

    def divide(settlement: Settlement, call: AnsweredCall) -> None:
        if call.outcome.verdict is Verdict.IN_DOUBT and len(call.batch.invitations) > 1:
            refused = replace(call.outcome, verdict=Verdict.REJECTED, divisible=True)
            call = replace(call, outcome=refused)
        whole(settlement, call)

    with patch.object(Settlement, "_whole_answered", divide):
        yield


# -- the lane's runtime -----------------------------------------------------------------------


@defect
def results_outside_the_transaction() -> Iterator[None]:
    """Results are published, and the checkpoint follows in a transaction of its own."""
    commit = CommandExecutor._commit

    def torn(owner: CommandExecutor, asked: Commit) -> None:
        if asked.results:
            services = owner.run.services
            publisher = services.publisher(owner.producer, f"lane/{owner.name}")
            with transactions.transaction(owner.producer, owner.run.waiting()):
                publisher.results(encode_results(asked.results), rfc3339(services.clock.now()))
        commit(owner, replace(asked, results=()))

    with patch.object(CommandExecutor, "_commit", torn):
        yield


@defect
def no_fencing() -> Iterator[None]:
    """Each process has a transactional id of its own: a former owner is not fenced."""
    producer = StageRun.producer

    def own(run: StageRun, transactional_id: str) -> Any:
        process: Any = run.services.clients
        suffix = f".{process._process.name}" if ".lane." in transactional_id else ""
        return producer(run, transactional_id + suffix)

    with patch.object(StageRun, "producer", own):
        yield


@defect
def thawed_zombie_calls() -> Iterator[None]:
    """The age of a call is not checked before its first byte."""
    with patch.object(calls, "FRESH_SECONDS", 1e9):
        yield


@defect
def lost_lane_commits() -> Iterator[None]:
    """A lane that is lost is finished like one that is given back."""
    revoke = LaneStage.revoke

    def drained(stage: LaneStage, partitions: list[TopicPartition], *, lost: bool) -> None:
        if lost and stage.ownership is not None:
            stage._drain(stage.ownership)
        revoke(stage, partitions, lost=lost)

    with patch.object(LaneStage, "revoke", drained):
        yield


# -- taking over ------------------------------------------------------------------------------


@defect
def checkpoint_read_uncommitted() -> Iterator[None]:
    """The newest checkpoint counts, whether its transaction was committed or not."""
    consumer = StageRun.consumer

    def careless(run: StageRun, group: str) -> Any:
        client: Any = consumer(run, group)
        client.committed_only = not group.endswith(".checkpoint-reader")
        return client

    with patch.object(StageRun, "consumer", careless):
        yield


@defect
def checkpoint_end_by_eof() -> Iterator[None]:
    """The topic is read until Kafka says that it ends here."""

    def newest(reader: Consumer, topic: str, lane: str, *_: Any) -> Checkpoint | None:
        return _newest(reader, topic, lane, last=None)

    with patch.object(takeover, "newest", newest):
        yield


@defect
def checkpoint_end_by_watermark() -> Iterator[None]:
    """The topic is read up to the high watermark that was asked for before."""

    def newest(reader: Consumer, topic: str, lane: str, *_: Any) -> Checkpoint | None:
        ends = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10.0)
        return _newest(reader, topic, lane, last=int(ends[1]) - 1)

    with patch.object(takeover, "newest", newest):
        yield


def _newest(reader: Consumer, topic: str, lane: str, last: int | None) -> Checkpoint | None:
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: bytes | None = None
    while True:
        for message in reader.consume(1000, 1.0):
            if message.error() is not None:
                return checkpoints.parse(found) if found else None
            if message.key() == lane.encode():
                found = message.value()
            if last is not None and (message.offset() or 0) >= last:
                return checkpoints.parse(found) if found else None


@defect
def group_offsets_as_authority() -> Iterator[None]:
    """Reading begins at the group's committed offset, whatever the checkpoint says."""
    newest = checkpoints.newest

    def displayed(reader: Any, topic: str, lane: str, *rest: Any) -> Checkpoint | None:
        found = newest(reader, topic, lane, *rest)
        place = (topic.replace("checkpoints", "invitations"), 0)
        group: Any = reader._broker.group(f"{topic.split('.', maxsplit=1)[0]}.lane.{lane}")
        if found is None or place not in group.offsets:
            return found
        base = int(group.offsets[place])
        done = _bits(found.done) << found.base >> base
        return found.model_copy(update={"base": base, "done": _pack(done)})

    with patch.object(takeover, "newest", displayed):
        yield


# -- clocks -----------------------------------------------------------------------------------


@defect
def former_owners_clock_believed() -> Iterator[None]:
    """A checkpoint's times are taken as they stand, whatever clock made them."""
    with patch.object(takeover, "shift_between", lambda *_: 0.0):
        yield


@defect
def delays_by_the_own_clock() -> Iterator[None]:
    """What is due on the delay topics goes by the machine's clock, and not by Kafka's."""
    with patch.object(delay_loop, "measure_broker_clock", lambda *_: None):
        yield


# -- the router -------------------------------------------------------------------------------


@defect
def router_carries_on() -> Iterator[None]:
    """After an aborted transaction the router goes on with what it reads next."""
    handle = RouterStage._handle

    def stubborn(stage: RouterStage, got: list[Message]) -> None:
        try:
            handle(stage, got)
        except KafkaSessionError as error:
            if "FENCED" in str(error):
                raise
            with suppress(KafkaException):
                stage.producer.abort_transaction(5.0)

    with patch.object(RouterStage, "_handle", stubborn):
        yield


class _Behind:
    """A producer whose transactions take the consumer's position for the batch's end."""

    def __init__(self, producer: Any, consumer: Any) -> None:
        self._producer = producer
        found = consumer.position(consumer.assignment())
        self._positions = [each for each in found if each.offset >= 0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def send_offsets_to_transaction(self, _offsets: object, group: object, wait: float) -> None:
        """Where the consumer is by now."""
        self._producer.send_offsets_to_transaction(self._positions, group, wait)


@defect
def router_commits_while_polling() -> Iterator[None]:
    """The next records are read before the last ones are committed, by `position()`."""
    handle = RouterStage._handle

    def eager(stage: RouterStage, got: list[Message]) -> None:
        real = stage.producer
        while got:
            more = stage.group.consumer.consume(100, 0.02)
            stage.producer = _Behind(real, stage.group.consumer)  # type: ignore[assignment]
            handle(stage, got)
            stage.producer, got = real, more

    with patch.object(RouterStage, "_handle", eager):
        yield
