"""Where the feed stage begins to read, and what it commits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition
from structlog.testing import capture_logs

from consumer.errors import KafkaSessionError
from consumer.kafka.offset_metadata import mark
from consumer.runtime.contacts.feeds import FeedStage
from consumer.runtime.group_consumer import GroupConsumer
from consumer.runtime.stoppable_stage import StoppableStage
from tests.unit.routing.test_feeds import SUPPRESSIONS, feed
from tests.unit.runtime.test_stage import Time, services

NONE = -1001
PLACE = ("crm", 0)


class Client:
    """A topic with the offsets 3 to 8, and what the group has committed."""

    def __init__(self, offset: int, metadata: str) -> None:
        self.found = TopicPartition(*PLACE, offset, metadata)

    def committed(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        assert [(one.topic, one.partition) for one in asked] == [PLACE]
        return [self.found]

    def get_watermark_offsets(self, asked: TopicPartition, timeout: float) -> tuple[int, int]:
        del asked, timeout
        return 3, 8


def stage(tmp_path: Path, client: Client, topic_id: str | None = "id-1") -> Any:
    """A stage whose commits are a list."""
    clients = SimpleNamespace(
        consumer=lambda *_: client, topic_id=lambda _: topic_id, close=lambda _: None
    )
    feeds = {"crm": (feed(tmp_path, "suppressions", SUPPRESSIONS),)}
    made: Any = FeedStage(services(Time(), clients), feeds, "1")
    made.group = cast("GroupConsumer", SimpleNamespace(metadata=dict))
    made.commits = []
    made._commit_offsets = lambda offsets, _: made.commits.extend(
        (one.topic, one.partition, one.offset, one.metadata) for one in offsets
    )
    return made


@pytest.mark.parametrize(
    ("offset", "metadata", "begin", "warned"),
    [
        (NONE, "", 3, False),
        (5, mark("id-1"), 5, False),
        (5, "", 5, False),
        (8, mark("id-1"), 8, False),
        (2, mark("id-1"), 3, True),
        (9, mark("id-1"), 3, True),
        (5, mark("id-0"), 3, True),
    ],
)
def test_it_begins_where_the_group_was_or_where_the_log_does(
    tmp_path: Path, offset: int, metadata: str, begin: int, warned: bool
) -> None:
    """A start that is no commit is committed: the gate goes by commits."""
    made = stage(tmp_path, Client(offset, metadata))
    with capture_logs() as lines:
        (start,) = made.assign([TopicPartition(*PLACE)])
    assert start.offset == begin
    assert made.commits == ([] if begin == offset else [(*PLACE, begin, mark("id-1"))])
    assert [line["event"] for line in lines] == ["feed_begins_anew"] * warned


def test_a_broker_without_topic_ids_is_no_reason_to_begin_anew(tmp_path: Path) -> None:
    made = stage(tmp_path, Client(5, mark("id-0")), None)
    assert made.assign([TopicPartition(*PLACE)])[0].offset == 5


def test_an_end_without_a_record_is_committed_once(tmp_path: Path) -> None:
    """A transaction's marker stands there, or what was deleted."""
    made = stage(tmp_path, Client(5, mark("id-1")))
    made.assign([TopicPartition(*PLACE)])
    polls: Any = iter([([], {PLACE: 5}), ([], {PLACE: 8}), ([], {PLACE: 8}), ([], {})])
    made.group.poll = lambda *_: next(polls)
    for _ in range(4):
        made._turn()
    assert made.commits == [(*PLACE, 8, mark("id-1"))]


def test_a_log_that_moved_away_ends_the_session(tmp_path: Path) -> None:
    made = stage(tmp_path, Client(5, mark("id-1")))
    with pytest.raises(KafkaSessionError, match="moved away"):
        made.stop_reading(TopicPartition(*PLACE), "out of range")


def test_no_partition_of_a_feed_stands_still(tmp_path: Path) -> None:
    """A feed stage has nothing that an operator decides, and no method that is a stub."""
    made = stage(tmp_path, Client(5, ""))
    assert not isinstance(made, StoppableStage)
    assert not FeedStage.__abstractmethods__
    assert not made._must_rejoin()
    partitions = [TopicPartition(*PLACE)]
    assert made.assign(partitions) == partitions
    made.revoke(partitions, lost=False)
    made._end_membership()
