"""Which of the rights that docs/operations.md lists a client lacks, as the brokers say it.

The answers to questions about topics and groups name the operations that the client is authorized
for. A cluster without ACLs names them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined]  # re-exported without __all__

from consumer.kafka.errors import describe
from consumer.kafka.queries import ADMIN_WAIT

_Operations = frozenset[AclOperation]

READING: Final[_Operations] = frozenset({AclOperation.READ, AclOperation.DESCRIBE})
OWNING: Final[_Operations] = READING | {AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS}
DELETING: Final[_Operations] = frozenset({AclOperation.DELETE})
"""Of its own topics: without it a lane's settled invitations stay on its topic."""

_ABSENT: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND)


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right that is missing, in words. `needed`: the program does not run without it."""

    text: str
    needed: bool = True


def missing_topic_rights(
    client: AdminClient, read: Sequence[str], own: Sequence[str]
) -> Iterator[MissingRight]:
    """Yield what is missing on the topics that are read and on the program's own."""
    asked = TopicCollection([*read, *own])
    futures = client.describe_topics(
        asked, include_authorized_operations=True, request_timeout=ADMIN_WAIT
    )
    for name, future in futures.items():
        needed, wanted = (READING, frozenset()) if name in read else (OWNING, DELETING)
        yield from _missing(f"topic {name}", future, needed, wanted)


def missing_group_rights(client: AdminClient, group: str) -> Iterator[MissingRight]:
    """Yield what is missing on a consumer group."""
    futures = client.describe_consumer_groups(
        [group], include_authorized_operations=True, request_timeout=ADMIN_WAIT
    )
    yield from _missing(f"group {group}", futures[group], READING, frozenset())


def _missing(
    what: str, future: object, needed: _Operations, wanted: _Operations
) -> Iterator[MissingRight]:
    try:
        described = future.result(ADMIN_WAIT)  # type: ignore[attr-defined]  # confluent-kafka's future
    except KafkaException as error:
        if error.args[0].code() not in _ABSENT:
            yield MissingRight(f"{what}: {describe(error)}")
        return
    given = described.authorized_operations
    if given is None:  # brokers of before Kafka 2.3 do not say
        return
    for operations, is_needed in ((needed, True), (wanted, False)):
        if lacking := sorted(one.name for one in operations - set(given)):
            words = ", ".join(name.title().replace("_", "") for name in lacking)
            yield MissingRight(f"{what}: {words} is not allowed", needed=is_needed)
