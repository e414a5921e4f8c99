"""Ask a cluster for topics, ends of logs (watermarks), and offsets and members of groups.

Questions to an `AdminClient` concern all topics and groups; those to a `Consumer` its own group, or
a partition. A consumer inside its own rebalance callback must not be asked: another client of its
group asks instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # re-exported without __all__
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from consumer.errors import OperationError
from consumer.kafka.errors import check_answer, translate_errors
from consumer.kafka.renewed_admin import translate_admin_errors

WAIT = 10.0
ADMIN_WAIT = 15.0
ASK_AGAIN = 0.05

_COMING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,  # for a topic that the same broker has just listed
)
"""Error codes of a broker that has just started, or has just become a leader or a coordinator."""

Partition = tuple[str, int]
"""A topic and one of its partitions."""

Offsets = Mapping[Partition, int]


def _is_coming(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _COMING


_repeated = retry(
    retry=retry_if_exception(_is_coming),
    stop=stop_after_delay(ADMIN_WAIT),
    wait=wait_fixed(ASK_AGAIN),
    reraise=True,
)
"""Repeats a request while the broker answers that it is not ready yet."""

_FIRST, _LAST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]


def topic_names(client: AdminClient | Consumer, prefix: str = "") -> list[str]:
    """Return all topics with this prefix that the client may see, in order."""
    with translate_admin_errors("listing topics", client):
        known = client.list_topics(timeout=WAIT).topics
    return sorted(name for name in known if name.startswith(prefix))


def topic_ids(client: AdminClient, names: Sequence[str]) -> dict[str, str | None]:
    """Return topic → its id, which changes when it is recreated; None if it does not exist."""
    found: dict[str, str | None] = {}
    with translate_admin_errors("reading the topics' ids", client):
        asked = client.describe_topics(TopicCollection(list(names)), request_timeout=WAIT)
        for name, future in asked.items():
            try:
                found[name] = str(future.result(WAIT).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                found[name] = None
    return found


def partitions_of(client: Consumer, topic: str) -> list[TopicPartition]:
    """Return all partitions of a topic; none if it does not exist."""
    with translate_errors("listing partitions"):
        numbers = client.list_topics(topic, timeout=WAIT).topics[topic].partitions
    return [TopicPartition(topic, number) for number in numbers]


def log_range(client: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Return a log's first offset and its end: of committed records, where the client reads only
    these, before the first open transaction."""
    with translate_errors("reading the log's ends"):
        low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=WAIT)
    return int(low), int(high)


def offset_since(client: Consumer, topic: str, partition: int, since: float) -> int | None:
    """Return the offset of the first record written since then (epoch seconds), if any."""
    action = f"looking for the first record of {topic} since a time"
    with translate_errors(action):
        asked = TopicPartition(topic, partition, max(0, int(since * 1000)))
        (found,) = client.offsets_for_times([asked], timeout=WAIT)
    check_answer(found, action)
    return int(found.offset) if found.offset >= 0 else None


def committed_offsets(
    client: Consumer, asked: Sequence[TopicPartition]
) -> dict[Partition, TopicPartition]:
    """Return the group's offsets of these partitions (negative: none), by one request."""
    with translate_errors("reading committed offsets"):
        committed = client.committed(list(asked), timeout=WAIT)
    for found in committed:  # unknown is not the same as never committed
        check_answer(found, "reading committed offsets")
    return {(found.topic, found.partition): found for found in committed}


def group_offset(client: Consumer, place: TopicPartition) -> TopicPartition:
    """Return the group's committed offset of one partition."""
    (found,) = committed_offsets(client, [place]).values()
    return found


def low_offsets(client: AdminClient, topics: Sequence[str]) -> Offsets:
    """Return the first offset of each log. Raises OperationError for a missing topic."""
    return _log_offsets(client, topics, _FIRST, IsolationLevel.READ_UNCOMMITTED)


def end_offsets(client: AdminClient, topics: Sequence[str], *, committed: bool = False) -> Offsets:
    """Return the logs' present ends, with open transactions, or (`committed`) before the first of
    them. Raises OperationError for a missing topic."""
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    return _log_offsets(client, topics, _LAST, level)


def _log_offsets(
    client: AdminClient, topics: Sequence[str], which: OffsetSpec, level: IsolationLevel
) -> Offsets:
    with translate_admin_errors("reading the logs' ends", client):
        known = client.list_topics(timeout=ADMIN_WAIT).topics
        for topic in topics:
            if topic not in known:
                raise OperationError(f"topic {topic} does not exist")
        asked = {
            TopicPartition(topic, number): which
            for topic in topics
            for number in known[topic].partitions
        }
        return _list_offsets(client, asked, level) if asked else {}


@_repeated
def _list_offsets(
    client: AdminClient, asked: Mapping[TopicPartition, OffsetSpec], level: IsolationLevel
) -> Offsets:
    futures = client.list_offsets(dict(asked), isolation_level=level, request_timeout=ADMIN_WAIT)
    return {
        (place.topic, place.partition): future.result(ADMIN_WAIT).offset
        for place, future in futures.items()
    }


def members(client: AdminClient, group: str) -> int:
    """Return the number of a consumer group's members."""
    return len(client_ids(client, group))


def client_ids(client: AdminClient, group: str) -> list[str]:
    """Return the client ids of a consumer group's members."""
    with translate_admin_errors(f"looking at group {group}", client):
        return _members(client, group)


@_repeated
def _members(client: AdminClient, group: str) -> list[str]:
    future = client.describe_consumer_groups([group], request_timeout=ADMIN_WAIT)[group]
    try:
        return [str(member.client_id) for member in future.result(ADMIN_WAIT).members]
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        raise


def committed_texts(client: AdminClient, group: str) -> dict[str, str]:
    """Return topic → metadata text, for all topics of which the group has an offset."""
    with translate_admin_errors(f"reading the offsets of group {group}", client):
        found = _group_offsets(client, group)
    texts: dict[str, str] = {}
    for committed in found:
        if committed.offset >= 0:
            texts[committed.topic] = committed.metadata or texts.get(committed.topic, "")
    return texts


def offsets_of_group(
    client: AdminClient, group: str, topics: Collection[str]
) -> dict[Partition, TopicPartition]:
    """Return the group's offsets of these topics, those that it has."""
    with translate_admin_errors(f"reading the offsets of group {group}", client):
        found = _group_offsets(client, group)
    return {
        (committed.topic, committed.partition): committed
        for committed in found
        if committed.topic in topics and committed.offset >= 0
    }


@_repeated
def _group_offsets(client: AdminClient, group: str) -> list[TopicPartition]:
    asked = [ConsumerGroupTopicPartitions(group)]
    (future,) = client.list_consumer_group_offsets(asked, request_timeout=ADMIN_WAIT).values()
    try:
        return list(future.result(ADMIN_WAIT).topic_partitions or [])
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        raise
