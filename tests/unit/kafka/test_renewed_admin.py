"""An administration client without an answer is replaced; one that was answered stays."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.errors import KafkaSessionError
from consumer.kafka.queries import topic_ids
from consumer.kafka.renewed_admin import RenewedAdmin

SILENT, REFUSED = KafkaError._TIMED_OUT, KafkaError.TOPIC_AUTHORIZATION_FAILED


class Answering:
    """A client whose questions end with this error, with none, or not in time."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def describe_topics(self, _topics: object, **_options: object) -> dict[str, Future[Any]]:
        """Stand in for the request."""
        future = Future[Any]()
        if self._error is None:
            future.set_result(type("Description", (), {"topic_id": "id-1"}))
        else:
            future.set_exception(self._error)
        return {"pos": future}


def after(error: Exception) -> AdminClient:
    """A client that fails so, and would be replaced by one that works."""
    clients: Iterator[object] = iter([Answering(error), Answering(None)])
    return RenewedAdmin.client(lambda: cast("AdminClient", next(clients)))


@pytest.mark.parametrize("error", [KafkaException(KafkaError(SILENT)), TimeoutError()])
def test_a_question_without_an_answer_replaces_the_client(error: Exception) -> None:
    client = after(error)
    with pytest.raises(KafkaSessionError):
        topic_ids(client, ["pos"])
    assert topic_ids(client, ["pos"]) == {"pos": "id-1"}


def test_a_refusal_is_an_answer() -> None:
    client = after(KafkaException(KafkaError(REFUSED)))
    for _ in range(2):
        with pytest.raises(KafkaSessionError, match="TOPIC_AUTHORIZATION_FAILED"):
            topic_ids(client, ["pos"])
