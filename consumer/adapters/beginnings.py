"""Where reading begins: explicit, and committed at once so that a restart begins there too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from consumer.adapters import witness
from consumer.adapters.kafka import describe, trouble
from consumer.adapters.reading import Place
from consumer.errors import KafkaTrouble, StartUnclear

Beginning = str | float | None
"""`earliest`, `latest`, epoch seconds, or None: nobody said."""

WAIT = 10.0

Commit = Callable[[Sequence[TopicPartition]], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a group reads: `inputs` are written by others, `own` (one partition) by the program.

    `answers` are topics that hold nothing before an input was read, and `lanes` is what the names
    of others begin with: lanes that left the config witness too. `ids` are the ids of inputs and
    `own` as they are now (None: this broker has none).
    """

    group: str
    inputs: Sequence[str]
    own: str
    answers: Sequence[str]
    ids: Mapping[str, str | None]
    lanes: str = ""


def resolve(
    client: Consumer,
    asker: Consumer,
    partitions: Sequence[TopicPartition],
    begin: Beginning,
    *,
    first: bool,
    reading: Reading,
    commit: Commit,
) -> Mapping[str, str]:
    """Set `offset` of each partition: what is committed, else what `begin` says.

    A partition without a commit whose topic has others with one is new: it begins at its start,
    whatever `begin` says, for nothing may be lost. Others are looked for among those given and,
    unless `begin` was said and this is a process's `first` assignment, in the whole topic: when
    replicas start for the first time together, the other's partitions may be committed already.
    The program's own topic begins at its start, and nobody need say so.
    `client` is the member, in its callback; `asker` another one of its group, which is asked: some
    questions (`list_topics`) to a client inside its own callback abort the process at the next one.
    `commit` writes what is new, each with its metadata, as a member that the group has had since
    before this was called: Kafka must refuse one that it has dropped meanwhile, for others may
    have read on from there.
    Returns the metadata with which offsets are to be committed, by topic. Raises StartUnclear if
    nobody said where, if a topic is not the one that was read, or if the group forgot it.
    """
    committed = _remembered(asker, reading)
    read = _read(committed)
    _check_memory({each.topic for each in partitions}, committed, read, reading)
    known = read if begin is None or not first else _among(partitions, committed)
    fresh = []
    for partition in partitions:
        found = committed[partition.topic, partition.partition]
        partition.offset = found.offset
        if found.offset < 0:
            new = partition.topic in known or partition.topic == reading.own
            partition.offset = _offset(asker, partition, "earliest" if new else begin)
            fresh.append(partition)
    marks = _marks(read | {each.topic for each in partitions}, reading, _own(committed, reading))
    begun = [
        TopicPartition(each.topic, each.partition, each.offset, marks.get(each.topic, ""))
        for each in [*fresh, *_unmarked(client, partitions, committed, marks)]
    ]
    if begun:
        commit(begun)
    return marks


def rehearse(client: Consumer, topics: Sequence[str], begin: Beginning, reading: Reading) -> None:
    """What `resolve` would say if these inputs were read too. Raises StartUnclear."""
    committed = _remembered(client, reading)
    read = _read(committed)
    _check_memory(topics, committed, read, reading)
    for topic in topics:
        if topic not in read and begin is None:
            raise _unsaid(topic)


def _remembered(client: Consumer, reading: Reading) -> dict[Place, TopicPartition]:
    """The group's offsets. Raises StartUnclear if it has none, and yet this application worked."""
    committed = _group_offsets(client, reading)
    if _read(committed):
        return committed
    answered = witness.holding(client, [*reading.answers, *_lanes(client, reading.lanes)])
    committed = _group_offsets(client, reading)  # another replica commits before it answers
    if answered and not _read(committed):
        why = f"{answered} holds records, so this application_id has routed before"
        raise witness.forgotten(reading.group, reading.inputs, why)
    return committed


def _lanes(client: Consumer, prefix: str) -> list[str]:
    """Topics of lanes, in the config or not."""
    if not prefix:
        return []
    with trouble("listing topics"):
        return sorted(
            name for name in client.list_topics(timeout=WAIT).topics if name.startswith(prefix)
        )


def _read(committed: Mapping[Place, TopicPartition]) -> set[str]:
    return {topic for (topic, _), found in committed.items() if found.offset >= 0}


def _group_offsets(client: Consumer, reading: Reading) -> dict[Place, TopicPartition]:
    """What the group has committed, of every partition of every topic that it reads."""
    topics = [*reading.inputs, reading.own]
    asked = [each for topic in topics for each in witness.partitions_of(client, topic)]
    with trouble("reading committed offsets"):
        committed = client.committed(asked, timeout=WAIT)
    for found in committed:
        _check(found, "reading committed offsets")  # not known is not the same as never committed
    return {(found.topic, found.partition): found for found in committed}


def _check_memory(
    topics: Iterable[str],
    committed: Mapping[Place, TopicPartition],
    read: set[str],
    reading: Reading,
) -> None:
    """Raises StartUnclear if one of `topics` is not the one that was read, or was forgotten."""
    own = _own(committed, reading)
    for topic in topics:
        now = reading.ids.get(topic)
        marks = [witness.mark_of(each) for (name, _), each in committed.items() if name == topic]
        for was in filter(None, marks):
            if now is not None and was != now:
                raise witness.made_anew(reading.group, topic, was)
        if topic not in read:  # Kafka drops the offsets of a topic that is deleted
            before = witness.registered(own, topic)
            if before is not None and now is not None and before != witness.id_start(now):
                raise witness.made_anew(reading.group, topic, before)
            if before is not None:
                raise witness.forgotten(reading.group, [topic], "it has read it before")


def _among(
    partitions: Sequence[TopicPartition], committed: Mapping[Place, TopicPartition]
) -> set[str]:
    """Topics of which one of these partitions has an offset."""
    return {each.topic for each in partitions if committed[each.topic, each.partition].offset >= 0}


def _own(committed: Mapping[Place, TopicPartition], reading: Reading) -> TopicPartition:
    """The own topic's offset, with the register of all inputs."""
    return committed.get((reading.own, 0), TopicPartition(reading.own, 0))


def _marks(read: set[str], reading: Reading, own: TopicPartition) -> dict[str, str]:
    """By topic; the own one's has all inputs that the group has ever read."""
    ids = {topic: ident for topic, ident in reading.ids.items() if ident is not None}
    marks = {topic: witness.mark(ident) for topic, ident in ids.items()}
    inputs = {topic: ids[topic] for topic in reading.inputs if topic in ids and topic in read}
    if reading.own in ids:
        marks[reading.own] = witness.register(inputs, own.metadata or "")
    return marks


def _unmarked(
    client: Consumer,
    partitions: Sequence[TopicPartition],
    committed: Mapping[Place, TopicPartition],
    marks: Mapping[str, str],
) -> list[TopicPartition]:
    """What this member reads and is committed without its mark, or with an older one.

    Between two polls nothing is read that is not committed: these offsets are where it stands.
    """
    mine = {(each.topic, each.partition) for each in [*partitions, *client.assignment()]}
    return [
        found
        for place, found in committed.items()
        if place in mine and found.offset >= 0 and (found.metadata or "") != marks.get(place[0], "")
    ]


def _offset(client: Consumer, partition: TopicPartition, begin: Beginning) -> int:
    if begin is None:
        raise _unsaid(f"{partition.topic} [{partition.partition}]")
    with trouble("reading the log's ends"):
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


def _unsaid(what: str) -> StartUnclear:
    return StartUnclear(
        f"{what} was never read by this application_id: "
        "say where to begin with --from earliest, --from latest or --from <RFC 3339 time>"
    )


def _check(answer: TopicPartition, doing: str) -> None:
    """A call can succeed and yet have failed for a partition. Raises KafkaTrouble."""
    if answer.error is not None:
        raise KafkaTrouble(f"{doing}: {describe(answer.error)}")
