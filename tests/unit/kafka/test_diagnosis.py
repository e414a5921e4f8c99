"""Kafka is not there: what to look at."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from consumer.kafka.reachability import OTHERWISE, tells_more, what_to_check

REFUSED = KafkaError(KafkaError._AUTHENTICATION)
UNTRUSTED = KafkaError(KafkaError._SSL)
CLOSED = KafkaError(KafkaError._TRANSPORT)


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (REFUSED, "sasl.password"),
        (UNTRUSTED, "ssl.ca.location"),
        (KafkaError(KafkaError._RESOLVE), "host names"),
        (CLOSED, "security.protocol"),
    ],
)
def test_each_reason_leads_to_its_settings(error: KafkaError, setting: str) -> None:
    assert setting in what_to_check(error)


def test_without_a_reason_the_commonest_is_named() -> None:
    assert what_to_check(None) == OTHERWISE


def test_a_refusal_is_not_hidden_by_the_closed_connection_that_follows() -> None:
    assert tells_more(REFUSED, None)
    assert tells_more(CLOSED, CLOSED)
    assert tells_more(REFUSED, CLOSED)
    assert tells_more(UNTRUSTED, REFUSED)
    assert not tells_more(CLOSED, REFUSED)
