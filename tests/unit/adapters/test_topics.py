"""The program's own topics: brokers that hear late of a topic that was just made."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.adapters import topics
from consumer.errors import TopicsError


class LateBrokers:
    """Each question goes to the next broker; the topic is shown from the n-th one on."""

    def __init__(self, metadata: int, settings: int) -> None:
        self.left = {"metadata": metadata, "settings": settings}

    def _knows(self, kind: str) -> bool:
        self.left[kind] -= 1
        return self.left[kind] < 0

    def list_topics(self, **_: float) -> object:
        known = {"app.results": SimpleNamespace(partitions={0: None})}
        return SimpleNamespace(topics=known if self._knows("metadata") else {})

    def describe_configs(self, asked: list[Any], **_: float) -> dict[Any, Future[Any]]:
        answer: Future[Any] = Future()
        if self._knows("settings"):
            answer.set_result({})
        else:
            answer.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
        return dict.fromkeys(asked, answer)


@pytest.mark.parametrize("late", [(0, 0), (3, 0), (0, 3), (2, 2)])
def test_a_topic_is_waited_for_until_brokers_show_it(late: tuple[int, int]) -> None:
    brokers = LateBrokers(*late)
    topics.wait_until_shown(cast("AdminClient", brokers), ["app.results"])
    assert max(brokers.left.values()) < 0  # both were asked until they knew it


def test_a_topic_that_is_never_shown_is_said_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "SHOWN_WITHIN", 0.1)
    with pytest.raises(TopicsError, match=r"app\.results; look again with `survey-dispatcher"):
        topics.wait_until_shown(cast("AdminClient", LateBrokers(10**6, 0)), ["app.results"])
