"""Whether any broker answers, asked before a command begins: with the address and what to check."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.adapters.kafka import Settings, describe
from consumer.adapters.kafka_checks import tells_more, what_to_check
from consumer.errors import BrokerUnreachable

WAIT = 10.0
"""Seconds that a broker has for its first answer."""


def require_broker(settings: Settings) -> None:
    """Return once a broker answers. Raises BrokerUnreachable, with librdkafka's best reason."""
    known: KafkaError | None = None

    def note(error: KafkaError) -> None:
        nonlocal known
        if tells_more(error, known):
            known = error

    quiet: dict[str, Any] = {"log_level": 0, "error_cb": note}
    client = AdminClient({**settings, **quiet})
    try:
        client.list_topics(timeout=WAIT)
    except KafkaException as error:
        client.poll(0)  # hands over what librdkafka noted meanwhile
        why = describe(known or error)
    else:
        return
    raise BrokerUnreachable(
        f"no broker answers at {settings.get('bootstrap.servers', '')} within {WAIT:g} s: {why}. "
        f"Check {what_to_check(known)}"
    )
