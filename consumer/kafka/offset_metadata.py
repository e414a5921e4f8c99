"""Offset metadata: tells a first start from forgotten offsets and from a recreated topic.

The router's group stores more than offsets (their metadata string, up to 4096 bytes):

    an offset of an input    topic <id>              the topic it is of
                             … halted <version>      it must not be read under this config: too many
                                                     of its records became dead letters
    one of the own topic     read <entry><entry>…    all inputs that the group has ever read
                             forgot <entry>…         the same, after the group forgot all offsets:
                                                     the own topic is not read either

An entry is 12 characters: 6 of the name (its CRC-32) and the first 6 of the topic's id, so that 340
inputs fit. An older version's text (`inputs <name>=<id> …`) is read, and carried over. Entries of
inputs outside the config (they left it, or a replica with a newer config reads them) stay: an input
that returns after its offsets are forgotten must not count as new.

The metadata is needed because an offset can outlive its topic and point into a recreated one, and
because Kafka drops the offsets of a deleted topic. If the group has forgotten everything, the
program's own topics prove that it has worked: the router writes its answers in the transaction that
commits the offsets.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence

import structlog
from confluent_kafka import Consumer, TopicPartition

from consumer.kafka.queries import log_range, partitions_of

MARK_LIMIT = 4096
"""Bytes of metadata that a broker takes (`offset.metadata.max.bytes`)."""

_TOPIC, _READ, _FORGOT, _INPUTS = "topic ", "read ", "forgot ", "inputs "
_HALTED = " halted "
_NAME, _ID = 6, 6
"""Characters of an entry: 32 bits distinguish names, 36 random bits a topic from its successor of
the same name."""

_FORMER_ENTRY = re.compile(r"\b([0-9a-f]{8})=(\S+)")
_FIT = (MARK_LIMIT - len(_FORGOT)) // (_NAME + _ID)

log = structlog.get_logger(__name__)


def mark(topic_id: str | None) -> str:
    """Return the metadata of an input's offsets."""
    return _TOPIC + topic_id if topic_id else ""


def id_in(text: str | None) -> str | None:
    """Return the topic id in this metadata text of an input's offset; None if an older version, or
    a tool, wrote none. A tool's offset is an operator's decision, so it is used as it is."""
    if not text or not text.startswith(_TOPIC):
        return None
    return text.removeprefix(_TOPIC).partition(_HALTED)[0]


def halted(marked: str, config_version: str) -> str:
    """Return the metadata of an input's offset from which nothing is read under this config."""
    return marked.partition(_HALTED)[0] + _HALTED + config_version


def halted_by(committed: TopicPartition) -> str | None:
    """Return the config version under which reading was halted at this offset; None if it was
    not."""
    return (committed.metadata or "").partition(_HALTED)[2] or None


def register(ids: Mapping[str, str], former: str = "", *, forgot: bool = False) -> str:
    """Return the metadata of the own topic's offset: `ids` (topic → id), then the entries of
    `former`.

    `forgot`: the own topic must not be read, because its offset is lost.
    The inputs of `former` keep their order, in which the last to leave come first. Entries that do
    not fit are dropped, the oldest first, and the log reports it.
    """
    entries = {_short(topic): id_start(ids[topic]) for topic in sorted(ids)}
    kept = {**entries, **{name: was for name, was in _entries(former) if name not in entries}}
    if len(kept) > _FIT:
        log.warning(
            "inputs_forgotten",
            number=len(kept) - _FIT,
            fit=_FIT,
            hint="the group remembers no more inputs: one that comes back later than "
            "`offsets.retention.minutes` passes for a new one; use a new application_id",
        )
    return (_FORGOT if forgot else _READ) + "".join(
        name + was for name, was in list(kept.items())[:_FIT]
    )


def forgot(committed: TopicPartition) -> bool:
    """Return whether this offset of the own topic only carries the register."""
    return (committed.metadata or "").startswith(_FORGOT)


def id_start(topic_id: str) -> str:
    """Return the part of a topic's id that an entry keeps."""
    return topic_id[:_ID].ljust(_ID, ".")


def registered(committed: TopicPartition, topic: str) -> str | None:
    """Return the `id_start` of an input when it was registered; None if it was not."""
    return dict(_entries(committed.metadata or "")).get(_short(topic))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, start of the id) of each entry, in either form."""
    if text.startswith((_READ, _FORGOT)):
        packed, size = text.partition(" ")[2], _NAME + _ID
        for at in range(0, len(packed) - size + 1, size):
            yield packed[at : at + _NAME], packed[at + _NAME : at + size]
    elif text.startswith(_INPUTS):  # CRC-32 in hexadecimal
        for name, ident in _FORMER_ENTRY.findall(text):
            yield _packed(int(name, 16)), id_start(ident)


def holding(client: Consumer, topics: Sequence[str]) -> str | None:
    """Return the first of the topics that ever held a record; None if none did. Deleted records
    count too: a log's end never goes back."""
    for topic in topics:
        partitions = partitions_of(client, topic)
        if any(log_range(client, topic, place.partition)[1] > 0 for place in partitions):
            return topic
    return None


def _short(topic: str) -> str:
    return _packed(zlib.crc32(topic.encode()))


def _packed(crc: int) -> str:
    return base64.urlsafe_b64encode(crc.to_bytes(4, "big")).decode().rstrip("=")
