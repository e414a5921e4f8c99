"""What is said of topics that change under the program, and what the stages then do."""

from __future__ import annotations

from typing import cast

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from consumer.errors import KafkaSessionError
from consumer.runtime.stage import StageRun
from consumer.runtime.watchers.topic_watch import TopicWatch
from tests.unit.runtime.test_stage import Time, stage_run


class Member:
    """A consumer that is in its group."""

    def memberid(self) -> str:
        return "m-1"


def watch(ids: dict[str, str]) -> TopicWatch:
    return TopicWatch(cast("AdminClient", None), ["a", "b"], ids)


def test_a_topic_that_is_recreated_is_said_once_and_shown_to_the_stages() -> None:
    ids: dict[str, str] = {}
    looking = watch(ids)
    with capture_logs() as said:
        looking.record_answer({"a": "1", "b": "2"})
        looking.record_answer({"a": "1", "b": "3"})
        looking.record_answer({"a": "1", "b": "3"})
    assert ids == {"a": "1", "b": "3"}
    changes = [each for each in said if each["log_level"] == "error"]
    assert [(each["event"], each["topic"], each["was"], each["now"]) for each in changes] == [
        ("topic_recreated", "b", "2", "3")
    ]


def test_a_topic_that_is_gone_is_said_once_and_keeps_its_id() -> None:
    """When it comes back it is another one, whatever lies between."""
    ids: dict[str, str] = {}
    looking = watch(ids)
    with capture_logs() as said:
        for b in ("2", None, None, "3", None):
            looking.record_answer({"a": "1", "b": b})
    assert ids == {"a": "1", "b": "3"}
    errors = [each["event"] for each in said if each["log_level"] == "error"]
    assert errors == ["topic_missing", "topic_recreated", "topic_missing"]


def test_stage_whose_topic_was_recreated_ends_its_session() -> None:
    member = cast("Consumer", Member())
    running = stage_run(Time())
    running.expect_topics({"a": "1", "b": None})
    running.record_turn(member)
    running.services.topic_ids["b"] = "9"  # its id was not known before
    running.record_turn(member)
    running.services.topic_ids["a"] = "2"
    with pytest.raises(KafkaSessionError, match="a was deleted and recreated"):
        running.record_turn(member)
    StageRun(running.services, "radar").record_turn(member)  # reads other topics

    running.end_membership()
    running.record_turn(member)  # the next session has taken nothing over yet
