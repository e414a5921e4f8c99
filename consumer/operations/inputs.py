"""`inputs list` and `inputs resume`: show the router's offset of each partition, and resume stopped
ones.

Stopped delay topics are listed and resumed too: their group is the delay stage's, and each has one
partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from consumer.errors import OperationError
from consumer.kafka import offset_metadata
from consumer.kafka.errors import translate_errors
from consumer.kafka.queries import (
    committed_offsets,
    end_offsets,
    group_offset,
    log_range,
    members,
    partitions_of,
)
from consumer.kafka.records.delayed import stopped_step
from consumer.kafka.records.operator_commands import ResumeInput
from consumer.kafka.start_offsets import (
    GroupMemory,
    Reading,
    StartFrom,
    delay_reading,
    marks_of,
    read_group_memory,
    router_reading,
    start_offset,
)
from consumer.kafka.stopped_partitions import StoppedPartition, StopReason, out_of_range
from consumer.lane.state.delay_steps import STEPS
from consumer.operations.access import Access

STOPPED = "stopped"

Start = StartFrom | int
"""Where to resume; an integer is an offset, `STOPPED` is where each partition stands."""


@dataclass(frozen=True, slots=True)
class InputView:
    """A partition of an input. `offset`: the group's (negative: none); `high`: the log's end, with
    open transactions; `reason`: of a stop; `held_at`: offset from which an open transaction keeps
    the group from reading, where the group has come to it."""

    topic: str
    partition: int
    offset: int
    low: int
    high: int
    reason: StopReason | None = None
    held_at: int | None = None

    @property
    def state(self) -> str:
        """The state in words."""
        if self.reason is not None:
            return f"STANDS STILL ({self.reason.value})"
        if self.held_at is not None:
            return f"behind an open transaction at {self.held_at}"
        return "read" if self.offset >= 0 else "never read"


@dataclass(frozen=True, slots=True)
class GoOn:
    """A partition to resume at `offset`, with the numbers of records that are read and skipped."""

    topic: str
    partition: int
    seen: int
    offset: int
    reads: int
    skips: int


def look(access: Access) -> list[InputView]:
    """Return all partitions that the router's group reads, and stopped delay topics."""
    reading = _reading(access)
    with access.reader(reading.group) as asker:
        memory = read_group_memory(asker, reading)
        stopped = {stop.place: stop for stop in _stopped(asker, memory)}
        ends = end_offsets(access.admin, sorted({topic for topic, _ in memory.committed}))
        inputs = [
            _view(asker, found, stopped.get(place), ends.get(place))
            for place, found in sorted(memory.committed.items())
        ]
    return inputs + _stopped_delays(access)


def _reading(access: Access) -> Reading:
    config = access.config
    feeds = bool(config.feeds.named)
    return router_reading(
        access.topics,
        config.input_topics,
        access.clients,
        feeds=feeds,
        config_version=config.config_version,
        uploads=access.clients.has_topic(access.topics.uploads),
    )


def _view(
    asker: Consumer,
    found: TopicPartition,
    stopped: StoppedPartition | None,
    end: int | None = None,
) -> InputView:
    low, readable = log_range(asker, found.topic, found.partition)
    high = readable if end is None else max(end, readable)
    held = readable if found.offset >= readable and high > readable else None
    reason = stopped.reason if stopped is not None else None
    return InputView(found.topic, found.partition, found.offset, low, high, reason, held)


def _stopped_delays(access: Access) -> list[InputView]:
    """Return the stopped delay topics, in the order of their steps."""
    with access.reader(delay_reading(access.topics, [], access.clients).group) as asker:
        found = [
            (asked, stopped_step(asker, asked, step, access.now(), access.topics.invitations("")))
            for asked, step in _delays(asker, access)
        ]
        return [_view(asker, asked, stopped) for asked, stopped in found if stopped is not None]


def _delays(asker: Consumer, access: Access) -> Iterator[tuple[TopicPartition, float]]:
    """Yield the offset of each existing delay topic, and its step's seconds."""
    for step, seconds in STEPS.items():
        for place in partitions_of(asker, access.topics.delayed(step)):
            yield group_offset(asker, place), seconds


def resume(
    access: Access,
    topic: str,
    partition: int | None,
    start: Start,
    confirm: Callable[[Sequence[GoOn]], bool],
) -> bool | None:
    """Resume the stopped partitions of a topic; None if `confirm` said no. Raises
    OperationError."""
    if topic in {access.topics.delayed(step) for step in STEPS}:
        return _resume_delay(access, topic, start, confirm)
    reading = _reading(access)
    with access.reader(reading.group) as asker:
        memory = read_group_memory(asker, reading)
        chosen = _chosen(_stopped(asker, memory), reading, topic, partition)
        plan = [_go_on(asker, stop, start) for stop in chosen]
        if not confirm(plan):
            return None
        if members(access.admin, reading.group) == 0:
            _commit(asker, plan, memory, reading)
            return True
        return _tell(access, asker, topic, plan, reading)


def _resume_delay(
    access: Access,
    topic: str,
    start: Start,
    confirm: Callable[[Sequence[GoOn]], bool],
) -> bool | None:
    """Resume a stopped delay topic; None if `confirm` said no."""
    reading = delay_reading(access.topics, [topic], access.clients)
    with access.reader(reading.group) as asker:
        found = group_offset(asker, TopicPartition(topic, 0))
        stopped = out_of_range(asker, found)
        if found.offset >= 0 and stopped is None:
            raise OperationError(f"{topic} does not stand still: its group is at {found.offset}")
        plan = [_go_on(asker, stopped or StoppedPartition.forgotten(topic, 0), start)]
        if not confirm(plan):
            return None
        if members(access.admin, reading.group) == 0:
            _commit_offsets(asker, [_marked(plan[0], reading.ids.get(topic))])
            return True
        return _tell(access, asker, topic, plan, reading)


def _tell(
    access: Access, asker: Consumer, topic: str, plan: Sequence[GoOn], reading: Reading
) -> bool:
    """Send the running processes the offsets to resume at."""
    command = ResumeInput(
        **access.command_fields(),
        topic=topic,
        topic_id=reading.ids.get(topic),
        seen={part.partition: part.seen for part in plan},
        offsets={part.partition: part.offset for part in plan},
    )
    return access.send_command(command, lambda: _moved(asker, plan))


def _stopped(asker: Consumer, memory: GroupMemory) -> list[StoppedPartition]:
    known = {stop.place for stop in memory.stopped}
    found = [
        out_of_range(asker, each) for place, each in memory.committed.items() if place not in known
    ]
    return [*memory.stopped, *(stop for stop in found if stop is not None)]


def _chosen(
    stopped: Sequence[StoppedPartition], reading: Reading, topic: str, partition: int | None
) -> list[StoppedPartition]:
    if topic not in [*reading.inputs, reading.own]:
        known = ", ".join([*reading.inputs, reading.own])
        raise OperationError(
            f"{topic} is no input of this config, nor a delay topic; inputs: {known}"
        )
    still = [stop for stop in stopped if stop.topic == topic]
    chosen = [stop for stop in still if partition in (None, stop.partition)]
    if not chosen:
        what = topic if partition is None else f"partition {partition} of {topic}"
        raise OperationError(f"{what} does not stand still: see `survey-dispatcher inputs list`")
    if partition is not None and len(still) > 1 and any(stop.whole_topic for stop in chosen):
        raise OperationError(
            f"{topic} goes on as a whole, for all its partitions lost their offsets: leave "
            f"`:{partition}` out"
        )
    return sorted(chosen, key=lambda each: each.partition)


def _go_on(asker: Consumer, stopped: StoppedPartition, start: Start) -> GoOn:
    place = TopicPartition(stopped.topic, stopped.partition)
    low, high = log_range(asker, *stopped.place)
    if isinstance(start, int):
        if not low <= start <= high:
            raise OperationError(
                f"{stopped.topic} [{stopped.partition}] holds {low} to {high}, not {start}"
            )
        offset = start
    elif start == STOPPED:
        if stopped.offset < 0:
            what = f"{stopped.topic} [{stopped.partition}]"
            raise OperationError(f"the group has no offset of {what}: say where to begin")
        offset = stopped.offset
    else:
        offset = start_offset(asker, place, start)
    return GoOn(*stopped.place, stopped.offset, offset, high - offset, offset - low)


def _commit(asker: Consumer, plan: Sequence[GoOn], memory: GroupMemory, reading: Reading) -> None:
    """Commit the plan's offsets, and the register where it would be lost with them."""
    offsets = {
        (part.topic, part.partition): _marked(part, reading.ids.get(part.topic)) for part in plan
    }
    resumed = next((part.offset for part in plan if part.topic == reading.own), None)
    if resumed is not None or memory.all_forgotten:  # else the others would count as new inputs
        marks = marks_of(memory, set(), reading)
        still = any(place.topic == reading.own for place in memory.stopped) and resumed is None
        register = offset_metadata.register({}, marks.get(reading.own, ""), forgot=still)
        offsets[reading.own, 0] = TopicPartition(reading.own, 0, resumed or 0, register)
    _commit_offsets(asker, list(offsets.values()))


def _marked(part: GoOn, topic_id: str | None) -> TopicPartition:
    mark = offset_metadata.mark(topic_id)
    return TopicPartition(part.topic, part.partition, part.offset, mark)


def _commit_offsets(asker: Consumer, offsets: list[TopicPartition]) -> None:
    """Commit for a group without members; Kafka refuses it if a process has joined meanwhile."""
    with translate_errors(
        "committing where to go on (has a process started? run the command again)"
    ):
        asker.commit(offsets=offsets, asynchronous=False)


def _moved(asker: Consumer, plan: Sequence[GoOn]) -> bool:
    """Return whether the group's offset of each partition has changed."""
    asked = [TopicPartition(part.topic, part.partition) for part in plan]
    found = committed_offsets(asker, asked)
    return all(_goes_on(found[part.topic, part.partition], part) for part in plan)


def _goes_on(committed: TopicPartition, part: GoOn) -> bool:
    """Return whether a running process has obeyed: at the same offset, by its metadata."""
    if part.offset == part.seen:
        return offset_metadata.halted_by(committed) is None
    return max(-1, committed.offset) != part.seen
