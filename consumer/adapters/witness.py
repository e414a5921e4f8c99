"""What tells a first start from one that has forgotten: of offsets, and of topics made anew.

The router's group remembers more than offsets (their metadata string, up to 4096 bytes):

    an offset of an input    topic <id>              the topic it is of
    one of the own topic     inputs <name>=<id> …    all inputs that the group has read

For an offset can outlive its topic and point into another one, and Kafka drops the offsets of a
topic that is deleted. Where the group has forgotten everything, the program's own topics witness
that it worked: what the router read it answered there, in the transaction that committed offsets.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition

from consumer.adapters.kafka import trouble
from consumer.errors import StartUnclear

WAIT = 10.0
MARK_LIMIT = 4096
"""Bytes of metadata that a broker takes (`offset.metadata.max.bytes`)."""

_TOPIC, _INPUTS = "topic ", "inputs "

RESET = (
    "Stop all processes, tell the group where to go on (`kafka-consumer-groups.sh "
    '--bootstrap-server "$BOOTSTRAP" --group {group} --topic {topic} --reset-offsets --to-earliest '
    "--execute`, or --to-datetime, or --to-latest), and start again"
)


def mark(topic_id: str | None) -> str:
    """What an input's offsets are committed with."""
    return _TOPIC + topic_id if topic_id else ""


def mark_of(committed: TopicPartition) -> str | None:
    """The topic's id that was committed with the offset; an older version, or a tool, wrote none.

    A tool's offset is an operator's word, so it is taken as it stands.
    """
    text = committed.metadata or ""
    return text.removeprefix(_TOPIC) if text.startswith(_TOPIC) else None


def register(ids: Mapping[str, str]) -> str:
    """What the own topic's offset is committed with. Names are shortened, for many must fit.

    What does not fit is not remembered: some 130 topics do.
    """
    text = _INPUTS + " ".join(f"{_short(topic)}={ids[topic]}" for topic in sorted(ids))
    return text if len(text) <= MARK_LIMIT else text[:MARK_LIMIT].rpartition(" ")[0]


def registered(committed: TopicPartition, topic: str) -> str | None:
    """The id of an input when it was registered; None if it was not."""
    text = committed.metadata or ""
    if not text.startswith(_INPUTS):
        return None
    entries = (entry.partition("=") for entry in text.removeprefix(_INPUTS).split())
    return next((ident for name, _, ident in entries if name == _short(topic)), None)


def made_anew(group: str, topic: str, was: str) -> StartUnclear:
    """The topic is another one than the group has read."""
    return StartUnclear(
        f"{topic} was deleted and made anew: the group {group} has read the former one (id {was}), "
        f"and what it had not read of that is gone. {RESET.format(group=group, topic=topic)}"
    )


def forgotten(group: str, topics: Sequence[str], why: str) -> StartUnclear:
    """This application has read these topics, but its group knows no offset of them."""
    return StartUnclear(
        f"the group {group} has no offset for {', '.join(topics)}, but {why}: Kafka forgets them "
        "when nobody was in the group for `offsets.retention.minutes` (a week). --from would skip "
        "events or send surveys again. "
        + RESET.format(group=group, topic=topics[0] if len(topics) == 1 else "<each of them>")
    )


def holding(client: Consumer, topics: Sequence[str]) -> str | None:
    """The first of the topics that ever held a record; None if none did.

    What was deleted since counts too: a log's end never goes back.
    """
    return next((topic for topic in topics if _held(client, topic)), None)


def partitions_of(client: Consumer, topic: str) -> list[TopicPartition]:
    """All partitions of a topic; none if it does not exist."""
    with trouble("listing partitions"):
        numbers = client.list_topics(topic, timeout=WAIT).topics[topic].partitions
    return [TopicPartition(topic, number) for number in numbers]


def _held(client: Consumer, topic: str) -> bool:
    partitions = partitions_of(client, topic)
    with trouble("reading the log's ends"):
        ends = (client.get_watermark_offsets(each, timeout=WAIT) for each in partitions)
        return any(high > 0 for _, high in ends)


def _short(topic: str) -> str:
    return f"{zlib.crc32(topic.encode()):08x}"
