"""Taking a lane over: fence the former owner, claim, read the checkpoint up to the claim.

The claim's own offset is the only trusted end: EOF and watermarks can stand below a checkpoint
that another open transaction hides.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from pydantic import ValidationError

from consumer.adapters import kafka
from consumer.errors import KafkaTrouble, StartUnclear
from consumer.model import RECORD_VERSION, Checkpoint


def claim(client: Producer, topic: str, lane: str, give_up: Callable[[], bool]) -> int:
    """Write a claim record in a transaction of its own; its offset is the owner's epoch."""
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        # An offset that is not known (the claim had been sent twice) must never pass for 0: all
        # checkpoints would lie behind it, and the lane would begin anew.
        if error is None and offset is not None:
            offsets.append(offset)

    with kafka.transaction(client, give_up):
        value = orjson.dumps({"version": RECORD_VERSION, "lane": lane})
        client.produce(topic, value, f"{lane}/claim", 0, on_delivery=delivered)
        kafka.flush(client)
    if not offsets:
        raise KafkaTrouble(f"the claim of lane {lane} was not delivered")
    return offsets[0]


def newest(
    reader: Consumer, topic: str, lane: str, up_to: int, beat: Callable[[], None]
) -> Checkpoint | None:
    """The lane's newest checkpoint below offset `up_to`, which must be a committed record's."""
    found: bytes | None = None
    with kafka.trouble("reading the checkpoint"):
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    while True:
        beat()
        with kafka.trouble("reading the checkpoint"):
            messages = reader.consume(1000, 0.1)
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - public by use
                    raise KafkaTrouble(f"reading {topic}: {kafka.describe(error)}")
                continue
            if kafka.place_of(message)[2] >= up_to:
                return _parse(found, topic)
            if message.key() == lane.encode():
                found = message.value()


def _parse(value: bytes | None, topic: str) -> Checkpoint | None:
    if value is None:
        return None
    try:
        return Checkpoint.model_validate_json(value)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise StartUnclear(
            f"{topic}: the newest checkpoint cannot be read ({where}); it was written by a newer "
            "version of the program, or by something else"
        ) from None
