"""Start offsets: explicit, and committed at once so that a restart begins there too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition

from consumer.config.topic_names import Topics
from consumer.errors import (
    KafkaSessionError,
    StartPositionError,
)
from consumer.kafka import offset_metadata
from consumer.kafka.clients import Clients
from consumer.kafka.log_scan import Partition
from consumer.kafka.stopped_partitions import (
    StoppedPartition,
    StopReason,
    log_range,
    memory_problem,
)
from consumer.kafka.transactions import (
    describe,
    translate_errors,
)

StartFrom = str | float | None
"""`earliest`, `latest`, epoch seconds, or None: nobody said."""

WAIT = 10.0

Commit = Callable[[Sequence[TopicPartition]], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a group reads: `inputs` are written by others, `own` (one partition) by the program.

    `answers` are topics that hold nothing before an input was read, and `lanes` is what the names
    of others begin with: lanes that left the config witness too. `ids` are the ids of inputs and
    `own` as they are now (None: this broker has none). `former`: the texts of all offsets that the
    group has, also of inputs that left the config.
    """

    group: str
    inputs: Sequence[str]
    own: str
    answers: Sequence[str]
    ids: Mapping[str, str | None]
    lanes: str = ""
    former: Mapping[str, str] = field(default_factory=dict)


def router_reading(topics: Topics, inputs: Sequence[str], clients: Clients) -> Reading:
    """What the router's group reads with these inputs. Raises KafkaSessionError."""
    group = f"{topics.application_id}.router"
    return Reading(
        group,
        inputs,
        topics.replayed,
        [topics.results, topics.dead_letters],
        {each: clients.topic_id(each) for each in [*inputs, topics.replayed]},
        topics.invitations(""),
        clients.committed_texts(group),
    )


def delay_reading(topics: Topics, steps: Sequence[str], clients: Clients) -> Reading:
    """What the group of the delay stage reads of these topics. Raises KafkaSessionError."""
    ids = {each: clients.topic_id(each) for each in steps}
    return Reading(f"{topics.application_id}.ladder", steps, "", [], ids)


@dataclass(frozen=True, slots=True)
class Resolved:
    """`marks`: the metadata with which offsets are to be committed, by topic; `stopped`: the
    partitions that must not be read until an operator says where to go on."""

    marks: Mapping[str, str]
    stopped: Sequence[StoppedPartition]


def resolve(
    client: Consumer,
    asker: Consumer,
    partitions: Sequence[TopicPartition],
    begin: StartFrom,
    *,
    first: bool,
    reading: Reading,
    commit: Commit,
) -> Resolved:
    """Set `offset` of each partition: what is committed, else what `begin` says.

    A partition without a commit whose topic has others with one is new: it begins at its start,
    whatever `begin` says, for nothing may be lost. Others are looked for among those given and,
    unless `begin` was said and this is a process's `first` assignment, in the whole topic: when
    replicas start for the first time together, the other's partitions may be committed already.
    The program's own topic begins at its start, and nobody need say so.
    A partition whose offset is forgotten, or of a topic that was made anew, gets none.
    `client` is the member, in its callback; `asker` another one of its group, which is asked: some
    questions (`list_topics`) to a client inside its own callback abort the process at the next one.
    `commit` writes what is new, each with its metadata, as a member that the group has had since
    before this was called: Kafka must refuse one that it has dropped meanwhile, for others may
    have read on from there.
    Raises StartPositionError if a topic was never read and no start position is given.
    """
    memory = remember(asker, reading)
    committed, read = memory.committed, memory.read
    still = {each.place for each in memory.stopped}
    known = read if begin is None or not first else _among(partitions, committed)
    fresh = []
    for partition in partitions:
        found = committed[partition.topic, partition.partition]
        partition.offset = found.offset
        if found.offset < 0 and (partition.topic, partition.partition) not in still:
            new = partition.topic in known or partition.topic == reading.own
            partition.offset = start_offset(asker, partition, "earliest" if new else begin)
            fresh.append(partition)
    if memory.all_forgotten:  # where the own topic has an offset, it tells what was forgotten
        fresh += [
            TopicPartition(each.topic, each.partition, 0)
            for each in partitions
            if each.topic == reading.own and each.offset < 0
        ]
    marks = marks_of(memory, {each.topic for each in fresh}, reading)
    begun = [
        TopicPartition(each.topic, each.partition, each.offset, marks.get(each.topic, ""))
        for each in [*fresh, *_unmarked(client, partitions, memory, marks)]
    ]
    if begun:
        commit(begun)
    mine = {(each.topic, each.partition) for each in partitions}
    return Resolved(marks, [each for each in memory.stopped if each.place in mine])


def rehearse(client: Consumer, topics: Sequence[str], begin: StartFrom, reading: Reading) -> None:
    """Whether these inputs could be read too. Raises StartPositionError if one was never read, and
    no start position is given."""
    memory = remember(client, reading)
    for topic in topics:
        if topic not in memory.read | {each.topic for each in memory.stopped} and begin is None:
            raise _unsaid(topic)


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """What a group remembers: its offsets, and the partitions of which they are of no use.

    `all_forgotten`: it has none, and yet this application has worked.
    """

    committed: Mapping[Partition, TopicPartition]
    stopped: Sequence[StoppedPartition]
    all_forgotten: bool = False

    @property
    def read(self) -> set[str]:
        """Topics with an offset."""
        return _read(self.committed)


def remember(asker: Consumer, reading: Reading) -> GroupMemory:
    """What the group remembers of all that it reads. Raises KafkaSessionError.

    Where it has forgotten everything, this application's own topics tell that it has worked:
    another replica commits before it answers, so a first start finds none of either.
    """
    committed = group_offsets(asker, reading)
    if not _read(committed) and offset_metadata.holding(
        asker, [*reading.answers, *_lanes(asker, reading.lanes)]
    ):
        committed = group_offsets(asker, reading)
        if not _read(committed):
            lost = [each for each in committed.values() if _was_used(asker, each, reading)]
            return GroupMemory(committed, [_forgotten(each) for each in lost], all_forgotten=True)
    own, stopped = _own(committed, reading), []
    for each in committed.values():
        registered = offset_metadata.registered(own, each.topic)
        problem = memory_problem(each, committed, reading.ids.get(each.topic), registered)
        if problem is not None:
            stopped.append(problem)
    return GroupMemory(committed, stopped)


def _was_used(asker: Consumer, place: TopicPartition, reading: Reading) -> bool:
    """The own topic begins by itself where it never held a record; an input is an operator's."""
    if place.topic != reading.own:
        return True
    return log_range(asker, place.topic, place.partition)[1] > 0


def _forgotten(place: TopicPartition) -> StoppedPartition:
    return StoppedPartition(place.topic, place.partition, -1, StopReason.FORGOTTEN)


def _lanes(client: Consumer, prefix: str) -> list[str]:
    """Topics of lanes, in the config or not."""
    if not prefix:
        return []
    with translate_errors("listing topics"):
        return sorted(
            name for name in client.list_topics(timeout=WAIT).topics if name.startswith(prefix)
        )


def _read(committed: Mapping[Partition, TopicPartition]) -> set[str]:
    return {topic for (topic, _), found in committed.items() if found.offset >= 0}


def group_offsets(client: Consumer, reading: Reading) -> dict[Partition, TopicPartition]:
    """What the group has committed, of every partition of every topic that it reads."""
    topics = [*reading.inputs, reading.own]
    asked = [each for topic in topics for each in offset_metadata.partitions_of(client, topic)]
    with translate_errors("reading committed offsets"):
        committed = client.committed(asked, timeout=WAIT)
    for found in committed:
        _check(found, "reading committed offsets")  # not known is not the same as never committed
    return {(found.topic, found.partition): found for found in committed}


def group_offset(client: Consumer, place: TopicPartition) -> TopicPartition:
    """What the group has committed of one partition. Raises KafkaSessionError."""
    with translate_errors("reading committed offsets"):
        (found,) = client.committed([place], timeout=WAIT)
    _check(found, "reading committed offsets")
    return found


def _among(
    partitions: Sequence[TopicPartition], committed: Mapping[Partition, TopicPartition]
) -> set[str]:
    """Topics of which one of these partitions has an offset."""
    return {each.topic for each in partitions if committed[each.topic, each.partition].offset >= 0}


def _own(committed: Mapping[Partition, TopicPartition], reading: Reading) -> TopicPartition:
    """The own topic's offset, with the register of all inputs."""
    return committed.get((reading.own, 0), TopicPartition(reading.own, 0))


def marks_of(memory: GroupMemory, fresh: set[str], reading: Reading) -> dict[str, str]:
    """By topic; the own one's has all inputs that the group has ever read. `fresh`: begun now.

    A topic that was made anew stays registered as the former one until an operator has spoken.
    """
    ids = {topic: ident for topic, ident in reading.ids.items() if ident is not None}
    marks = {topic: offset_metadata.mark(ident) for topic, ident in ids.items()}
    still = {each.topic for each in memory.stopped if each.whole_topic}
    known = still if memory.all_forgotten else (memory.read | fresh) - still
    inputs = {topic: ids[topic] for topic in reading.inputs if topic in ids and topic in known}
    if reading.own in ids:
        inputs = {**_left(reading), **inputs}
        former = _own(memory.committed, reading).metadata or ""
        marks[reading.own] = offset_metadata.register(inputs, former, forgot=reading.own in still)
    return marks


def _left(reading: Reading) -> dict[str, str]:
    """Inputs that left the config, or that another replica's config has → their ids.

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
    """What this member reads and is committed without its mark, or with an older one.

    Between two polls nothing is read that is not committed: these offsets are where it stands.
    """
    mine = {(each.topic, each.partition) for each in [*partitions, *client.assignment()]}
    anew = {each.place for each in memory.stopped if each.reason is StopReason.MADE_ANEW}
    return [
        found
        for place, found in memory.committed.items()
        if place in mine - anew
        and found.offset >= 0
        and (found.metadata or "") != marks.get(place[0], "")
    ]


def start_offset(client: Consumer, partition: TopicPartition, begin: StartFrom) -> int:
    if begin is None:
        raise _unsaid(f"{partition.topic} [{partition.partition}]")
    with translate_errors("reading the log's ends"):
        low, high = client.get_watermark_offsets(
            TopicPartition(partition.topic, partition.partition), timeout=WAIT
        )
        if begin == "earliest":
            return int(low)
        if begin == "latest":
            return int(high)
        asked = TopicPartition(partition.topic, partition.partition, int(float(begin) * 1000))
        (found,) = client.offsets_for_times([asked], timeout=WAIT)
    _check(found, "looking for the time where reading begins")
    return int(found.offset) if found.offset >= 0 else int(high)  # nothing is as young as that


def _unsaid(what: str) -> StartPositionError:
    return StartPositionError(
        f"{what} was never read by this application_id: "
        "say where to begin with --from earliest, --from latest or --from <RFC 3339 time>"
    )


def _check(answer: TopicPartition, doing: str) -> None:
    """A call can succeed and yet have failed for a partition. Raises KafkaSessionError."""
    if answer.error is not None:
        raise KafkaSessionError(f"{doing}: {describe(answer.error)}")
