"""Where reading begins: explicit, and committed at once so that a restart begins there too."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from consumer.adapters.kafka import describe, trouble
from consumer.errors import KafkaTrouble, StartUnclear

Beginning = str | float | None
"""`earliest`, `latest`, epoch seconds, or None: nobody said."""

WAIT = 10.0


def resolve(
    client: Consumer, partitions: Sequence[TopicPartition], begin: Beginning, *, first: bool
) -> None:
    """Set `offset` of each partition: what is committed, else what `begin` says.

    A partition without a commit whose topic has others with one is new: it begins at its start,
    whatever `begin` says, for nothing may be lost. Others are looked for among those given and,
    unless `begin` was said and this is a process's `first` assignment, in the whole topic: when
    replicas start for the first time together, the other's partitions may be committed already.
    Raises StartUnclear if nobody said where.
    """
    committed = _committed(client, partitions)
    known = {found.topic for found in committed if found.offset >= 0}
    unknown = {found.topic for found in committed if found.offset < 0} - known
    if unknown and (begin is None or not first):
        known |= {topic for topic in unknown if _read_before(client, topic)}
    fresh = []
    for partition, found in zip(partitions, committed, strict=True):
        partition.offset = found.offset
        if found.offset < 0:
            wanted = "earliest" if partition.topic in known else begin
            partition.offset = _offset(client, partition, wanted)
            fresh.append(partition)
    if fresh:
        with trouble("committing where reading begins"):
            done = client.commit(offsets=fresh, asynchronous=False) or []
        for each in done:
            _check(each, "committing where reading begins")


def _committed(client: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    with trouble("reading committed offsets"):
        committed = client.committed(list(partitions), timeout=WAIT)
    for found in committed:
        _check(found, "reading committed offsets")  # not known is not the same as never committed
    return committed


def _read_before(client: Consumer, topic: str) -> bool:
    """Whether the group has an offset for any partition of the topic."""
    with trouble("listing partitions"):
        numbers = client.list_topics(topic, timeout=WAIT).topics[topic].partitions
    partitions = [TopicPartition(topic, number) for number in numbers]
    return any(found.offset >= 0 for found in _committed(client, partitions))


def _offset(client: Consumer, partition: TopicPartition, begin: Beginning) -> int:
    if begin is None:
        raise StartUnclear(
            f"{partition.topic} [{partition.partition}] was never read by this application_id: "
            "say where to begin with --from earliest, --from latest or --from <RFC 3339 time>"
        )
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


def _check(answer: TopicPartition, doing: str) -> None:
    """A call can succeed and yet have failed for a partition. Raises KafkaTrouble."""
    if answer.error is not None:
        raise KafkaTrouble(f"{doing}: {describe(answer.error)}")
