"""Where reading begins: explicit, and committed at once so that a restart begins there too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from consumer.adapters.kafka import describe, trouble
from consumer.errors import KafkaTrouble, StartUnclear

Beginning = str | float | None
"""`earliest`, `latest`, epoch seconds, or None: nobody said."""

WAIT = 10.0
NEVER_COMMITTED = -1001


def resolve(client: Consumer, partitions: Sequence[TopicPartition], begin: Beginning) -> None:
    """Set `offset` of each partition: what is committed, else what `begin` says.

    A partition without a commit whose topic has others with one is new: it begins at its start,
    whatever `begin` says, for nothing may be lost. Raises StartUnclear if nobody said where.
    """
    with trouble("reading committed offsets"):
        committed = client.committed(list(partitions), timeout=WAIT)
    known: dict[str, bool] = defaultdict(bool)
    for found in committed:
        known[found.topic] |= found.offset >= 0
    fresh = []
    for partition, found in zip(partitions, committed, strict=True):
        if found.error is not None:  # not known is not the same as never committed
            raise KafkaTrouble(f"reading committed offsets: {describe(found.error)}")
        partition.offset = found.offset
        if found.offset < 0:
            wanted = "earliest" if known[partition.topic] else begin
            partition.offset = _offset(client, partition, wanted)
            fresh.append(partition)
    if fresh:
        with trouble("committing where reading begins"):
            client.commit(offsets=fresh, asynchronous=False)


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
        found = client.offsets_for_times([asked], timeout=WAIT)[0].offset
        return int(found) if found >= 0 else int(high)
