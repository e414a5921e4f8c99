"""Claim a lane after fencing its previous owner, and read its checkpoint up to the claim.

The claim's own offset is the only trusted end: EOF and the high watermark can lie below a
checkpoint that another open transaction hides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import orjson
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)

from consumer.errors import KafkaSessionError, UnreadableRecord
from consumer.kafka import transactions
from consumer.kafka.errors import describe, is_partition_end, translate_errors
from consumer.kafka.records.messages import appended_at, key_of, position_of, value_of
from consumer.lane.offsets.bitmap import LARGEST, extent
from consumer.records.checkpoint import Checkpoint
from consumer.records.fields import RECORD_VERSION
from consumer.records.readers import read_checkpoint

MOST_MARKED = 5_000_000
"""Limit of the offsets in flight or tried before: each takes an entry in memory."""


def claim(
    client: Producer,
    topic: str,
    lane: str,
    give_up: Callable[[], bool],
    seen: Callable[[Message], None] = lambda _claim: None,
) -> int:
    """Write a claim record in a transaction of its own; its offset is the owner's epoch. `seen`
    receives the claim as soon as Kafka has taken it."""
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        # An unknown offset (the claim was sent twice) must never count as 0: all checkpoints would
        # lie behind it, and the lane would start from scratch.
        if error is None and offset is not None:
            offsets.append(offset)
            seen(message)

    with transactions.transaction(client, give_up):
        value = orjson.dumps({"version": RECORD_VERSION, "lane": lane})
        client.produce(topic, value, f"{lane}/claim", 0, on_delivery=delivered)
        transactions.flush(client)
    if not offsets:
        raise KafkaSessionError(f"the claim of lane {lane} was not delivered")
    return offsets[0]


def newest(
    reader: Consumer, topic: str, lane: str, up_to: int, beat: Callable[[], None]
) -> Checkpoint | None:
    """Return the lane's newest checkpoint below offset `up_to`, which must be a committed record's.
    Raises UnreadableRecord."""
    return newest_of(_records_below(reader, topic, up_to, beat), lane)


def newest_of(records: Iterable[Message], lane: str) -> Checkpoint | None:
    """Return the lane's last checkpoint among records of its topic. Raises UnreadableRecord."""
    found: Message | None = None
    for record in records:
        if key_of(record) == lane.encode():
            found = record if value_of(record) is not None else None
    if found is None:
        return None
    checkpoint = parse(value_of(found))
    checkpoint.appended = appended_at(found)
    return checkpoint


def _records_below(
    reader: Consumer, topic: str, up_to: int, beat: Callable[[], None]
) -> Iterator[Message]:
    with translate_errors("reading the checkpoint"):
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    while True:
        beat()
        with translate_errors("reading the checkpoint"):
            messages = reader.consume(1000, 0.1)
        for message in messages:
            error = message.error()
            if error is None:
                if position_of(message)[2] >= up_to:
                    return
                yield message
            elif not is_partition_end(error):
                raise KafkaSessionError(f"reading {topic}: {describe(error)}")


def parse(value: bytes | None) -> Checkpoint:
    """Parse a checkpoint that a lane can resume from. Raises UnreadableRecord."""
    found = read_checkpoint(value)
    room, marked = LARGEST, 0
    for name, _, packed in _bitmaps(found):
        try:
            number, reach = extent(packed)
        except ValueError:
            raise UnreadableRecord(f"{name}: not a bitmap of offsets") from None
        room -= reach // 8
        marked += number if name != "done" else 0
        if room < 0 or marked > MOST_MARKED:
            raise UnreadableRecord(f"{name}: more offsets than any lane has")
    return found


def end_of(found: Checkpoint) -> int:
    """Return the offset behind the last one that the checkpoint names."""
    return max(first + extent(packed)[1] for _, first, packed in _bitmaps(found))


def _bitmaps(found: Checkpoint) -> list[tuple[str, int, str]]:
    """Return key, first offset and text of each bitmap."""
    return [
        ("done", found.base, found.done),
        *(("in_flight", batch.first, batch.offsets) for batch in found.in_flight),
        *(("tried", tried.first, tried.offsets) for tried in found.tried),
    ]
