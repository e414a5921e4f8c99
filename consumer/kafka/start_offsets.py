"""Start offsets: explicit, and committed at once so that a restart begins there too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition

from consumer.config.topic_names import Topics
from consumer.errors import StartPositionError
from consumer.kafka import offset_metadata
from consumer.kafka.clients import KafkaClients
from consumer.kafka.queries import (
    Partition,
    committed_offsets,
    log_range,
    offset_since,
    partitions_of,
    topic_names,
)
from consumer.kafka.stopped_partitions import StoppedPartition, StopReason, memory_problem

StartFrom = str | float | None
"""`earliest`, `latest`, epoch seconds, or None: not given."""

Commit = Callable[[Sequence[TopicPartition]], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """The topics a group reads: `inputs` are written by other programs, `own` (one partition) by
    this one.

    `answers` are topics that hold nothing before an input was read. `lanes` is the prefix of the
    lanes' topics, which prove the same: lanes that left the config count too. `ids` are the present
    ids of inputs and `own` (None: this broker has none). `former`: the metadata texts of all the
    group's offsets, also of inputs that left the config. `config_version`: of the reader's config.
    `early`: those of the inputs that this program writes, too; they begin at their start.
    """

    group: str
    inputs: Sequence[str]
    own: str
    answers: Sequence[str]
    ids: Mapping[str, str | None]
    lanes: str = ""
    config_version: str = ""
    former: Mapping[str, str] = field(default_factory=dict)
    early: frozenset[str] = frozenset()


def router_reading(
    topics: Topics,
    inputs: Sequence[str],
    clients: KafkaClients,
    *,
    feeds: bool = False,
    config_version: str = "",
    uploads: bool = False,
) -> Reading:
    """Return what the router's group reads with these inputs. `feeds`: whether there are feeds,
    whose dead letters do not prove that an input was read. `uploads`: whether that topic exists."""
    group = topics.router_group
    early = frozenset([topics.uploads]) if uploads else frozenset[str]()
    inputs = [*inputs, *early]
    return Reading(
        group,
        inputs,
        topics.replayed,
        [topics.results] if feeds else [topics.results, topics.dead_letters],
        {topic: clients.topic_id(topic) for topic in [*inputs, topics.replayed]},
        topics.invitations(""),
        config_version,
        clients.committed_texts(group),
        early,
    )


def delay_reading(topics: Topics, steps: Sequence[str], clients: KafkaClients) -> Reading:
    """Return what the delay stage's group reads of these topics."""
    ids = {step: clients.topic_id(step) for step in steps}
    return Reading(topics.delay_group, steps, "", [], ids)


@dataclass(frozen=True, slots=True)
class AssignedStarts:
    """`marks`: topic → metadata of its offsets; `stopped`: partitions that must not be read."""

    marks: Mapping[str, str]
    stopped: Sequence[StoppedPartition]


def assign_start_offsets(
    client: Consumer,
    asker: Consumer,
    partitions: Sequence[TopicPartition],
    begin: StartFrom,
    *,
    first: bool,
    reading: Reading,
    commit: Commit,
) -> AssignedStarts:
    """Set `offset` of each partition: the committed one, else the one that `begin` gives.

    A partition without a commit whose topic has other committed ones is new: it begins at its
    start, whatever `begin` says, because nothing may be lost. The other commits are looked for
    among the given partitions and, unless `begin` is given and this is a process's `first`
    assignment, in the whole topic: when replicas start for the first time together, the other
    replica's partitions may be committed already.
    The program's own topics begin at their start without a start position.
    A partition whose offset is forgotten, or of a recreated topic, gets none.
    `client` is the member, in its callback; `asker` another client of its group, which makes the
    requests: some requests (`list_topics`) by a client inside its own callback abort the process at
    the next one.
    `commit` writes the new offsets, each with its metadata, as a member that the group has had
    since before this call: Kafka must refuse a member that it has dropped meanwhile, because other
    members may have read on from there.
    Raises StartPositionError if a topic was never read and no start position is given.
    """
    memory = read_group_memory(asker, reading)
    committed = memory.committed
    places = {(partition.topic, partition.partition): partition for partition in partitions}
    stopped = {stop.place for stop in memory.stopped}
    known = memory.read
    if first and begin is not None:
        known = {topic for topic, number in places if committed[topic, number].offset >= 0}
    fresh = []
    for place, partition in places.items():
        partition.offset = committed[place].offset
        if partition.offset < 0 and place not in stopped:
            new = partition.topic in known or partition.topic in {reading.own, *reading.early}
            partition.offset = start_offset(asker, partition, "earliest" if new else begin)
            fresh.append(partition)
    own = places.get((reading.own, 0))
    if memory.all_forgotten and own is not None and own.offset < 0:
        fresh.append(TopicPartition(reading.own, 0, 0))  # an offset to keep the register with
    marks = marks_of(memory, {partition.topic for partition in fresh}, reading)
    begun = [
        TopicPartition(place.topic, place.partition, place.offset, marks.get(place.topic, ""))
        for place in [*fresh, *_unmarked(client, partitions, memory, marks)]
    ]
    if begun:
        commit(begun)
    return AssignedStarts(marks, [stop for stop in memory.stopped if stop.place in places])


def rehearse(client: Consumer, topics: Sequence[str], begin: StartFrom, reading: Reading) -> None:
    """Raise StartPositionError if one of these inputs needs a start position that is missing."""
    memory = read_group_memory(client, reading)
    for topic in topics:
        if topic not in memory.read | {stop.topic for stop in memory.stopped} and begin is None:
            raise _unsaid(topic)


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """A group's offsets, and the partitions whose offsets are unusable. `all_forgotten`: the group
    has no offset, and yet this application has worked."""

    committed: Mapping[Partition, TopicPartition]
    stopped: Sequence[StoppedPartition]
    all_forgotten: bool = False

    @property
    def read(self) -> set[str]:
        """Topics with an offset."""
        return _read(self.committed)


def read_group_memory(asker: Consumer, reading: Reading) -> GroupMemory:
    """Return what the group remembers of all that it reads.

    If it has forgotten everything, this application's own topics prove that it has worked: another
    replica commits before it answers, so a first start finds neither offsets nor answers.
    """
    committed = group_offsets(asker, reading)
    proofs = [] if _read(committed) else _written_after_reading(asker, reading)
    if offset_metadata.holding(asker, proofs):
        committed = group_offsets(asker, reading)
        if not _read(committed):
            lost = [place for place in committed.values() if _was_used(asker, place, reading)]
            stopped = [StoppedPartition.forgotten(place.topic, place.partition) for place in lost]
            return GroupMemory(committed, stopped, all_forgotten=True)
    own, stopped = _own(committed, reading), []
    for found in committed.values():
        registered = offset_metadata.registered(own, found.topic)
        problem = memory_problem(
            found, committed, reading.ids.get(found.topic), registered, reading.config_version
        )
        if problem is not None:
            stopped.append(problem)
    return GroupMemory(committed, stopped)


def _written_after_reading(asker: Consumer, reading: Reading) -> list[str]:
    """Return the topics that hold records only if an input was read; lanes in the config or not."""
    return [*reading.answers, *(topic_names(asker, reading.lanes) if reading.lanes else ())]


def _was_used(asker: Consumer, place: TopicPartition, reading: Reading) -> bool:
    """Return whether the partition was in use: an own topic if it ever held a record, an input
    always.

    An own topic that never held a record begins by itself; an input needs an operator.
    """
    if place.topic not in {reading.own, *reading.early}:
        return True
    return log_range(asker, place.topic, place.partition)[1] > 0


def _read(committed: Mapping[Partition, TopicPartition]) -> set[str]:
    return {topic for (topic, _), found in committed.items() if found.offset >= 0}


def group_offsets(client: Consumer, reading: Reading) -> dict[Partition, TopicPartition]:
    """Return the group's committed offset of every partition of every topic that it reads."""
    topics = [*reading.inputs, reading.own]
    asked = [partition for topic in topics for partition in partitions_of(client, topic)]
    return committed_offsets(client, asked)


def _own(committed: Mapping[Partition, TopicPartition], reading: Reading) -> TopicPartition:
    """Return the own topic's offset, with the register of all inputs."""
    return committed.get((reading.own, 0), TopicPartition(reading.own, 0))


def marks_of(memory: GroupMemory, fresh: set[str], reading: Reading) -> dict[str, str]:
    """Return metadata by topic; the own topic's has all inputs that the group has ever read.

    `fresh`: topics begun now. A recreated topic stays registered under its former id until an
    operator resumes it.
    """
    ids = {topic: ident for topic, ident in reading.ids.items() if ident is not None}
    marks = {topic: offset_metadata.mark(ident) for topic, ident in ids.items()}
    still = {stop.topic for stop in memory.stopped if stop.whole_topic}
    known = still if memory.all_forgotten else (memory.read | fresh) - still
    inputs = {topic: ids[topic] for topic in reading.inputs if topic in ids and topic in known}
    if reading.own in ids:
        inputs = {**_left(reading), **inputs}
        former = _own(memory.committed, reading).metadata or ""
        marks[reading.own] = offset_metadata.register(inputs, former, forgot=reading.own in still)
    return marks


def _left(reading: Reading) -> dict[str, str]:
    """Return topic → id of inputs that left the config, or that only another replica's config has.

    Another member may have begun one after the register was written last, and Kafka drops the
    offset `offsets.retention.minutes` after the input left.
    """
    found = {topic: offset_metadata.id_in(text) for topic, text in reading.former.items()}
    mine = {*reading.inputs, reading.own}
    return {topic: ident for topic, ident in found.items() if ident and topic not in mine}


def _unmarked(
    client: Consumer,
    partitions: Sequence[TopicPartition],
    memory: GroupMemory,
    marks: Mapping[str, str],
) -> list[TopicPartition]:
    """Return this member's committed offsets without their mark, or with an older one.

    Between two polls all that was read is committed: these offsets are the positions of the
    reading.
    """
    mine = {(place.topic, place.partition) for place in [*partitions, *client.assignment()]}
    kept = {StopReason.RECREATED, StopReason.UNREADABLE}
    stopped = {stop.place for stop in memory.stopped if stop.reason in kept}
    return [
        found
        for place, found in memory.committed.items()
        if place in mine - stopped
        and found.offset >= 0
        and (found.metadata or "") != marks.get(place[0], "")
    ]


def start_offset(client: Consumer, partition: TopicPartition, begin: StartFrom) -> int:
    """Return where reading of a partition begins. Raises StartPositionError without `begin`."""
    if begin is None:
        raise _unsaid(f"{partition.topic} [{partition.partition}]")
    low, high = log_range(client, partition.topic, partition.partition)
    if begin == "earliest":
        return low
    if begin == "latest":
        return high
    found = offset_since(client, partition.topic, partition.partition, float(begin))
    return high if found is None else found


def _unsaid(what: str) -> StartPositionError:
    return StartPositionError(
        f"{what} was never read by this application_id: "
        "say where to begin with --from earliest, --from latest or --from <RFC 3339 time>"
    )
