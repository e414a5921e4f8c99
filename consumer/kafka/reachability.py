"""Check that a broker answers before a command begins; the error says what to check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.errors import BrokerUnreachable
from consumer.kafka.client_settings import Settings
from consumer.kafka.errors import describe

_CHECKS: Final[Mapping[int, str]] = {
    KafkaError._AUTHENTICATION: (  # noqa: SLF001 - public by use
        "sasl.mechanisms, sasl.username, sasl.password: the broker refuses this login"
    ),
    KafkaError._SSL: (  # noqa: SLF001
        "ssl.ca.location must hold the authority of the brokers' certificates, and these must "
        "name the hosts of bootstrap.servers (ssl.endpoint.identification.algorithm); "
        "security.protocol must be that of the port"
    ),
    KafkaError._RESOLVE: "the host names in bootstrap.servers, and DNS",  # noqa: SLF001
}

OTHERWISE: Final = (
    "bootstrap.servers, firewalls, and security.protocol: a TLS port closes plain connections"
)


def what_to_check(error: KafkaError | None) -> str:
    """Return the settings under `kafka` to look at first."""
    return OTHERWISE if error is None else _CHECKS.get(error.code(), OTHERWISE)


def tells_more(new: KafkaError, known: KafkaError | None) -> bool:
    """Return whether `new` is the better reason: a closed connection may follow from a refusal."""
    return known is None or new.code() in _CHECKS or known.code() not in _CHECKS


WAIT = 10.0
"""Seconds that a broker has for its first answer."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why no broker answers, by librdkafka's best reason, and the settings to check."""

    why: str
    check: str


def unreachable(settings: Settings) -> Unreachable | None:
    """Wait for a broker's first answer, `WAIT` seconds at most; return why none came, or None."""
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
        client.poll(0)  # runs the error callbacks that librdkafka has queued
        return Unreachable(describe(known or error), what_to_check(known))
    return None


def require_broker(settings: Settings) -> None:
    """Return once a broker answers. Raises BrokerUnreachable, with librdkafka's best reason."""
    trouble = unreachable(settings)
    if trouble is not None:
        raise BrokerUnreachable(
            f"no broker answers at {settings.get('bootstrap.servers', '')} within {WAIT:g} s: "
            f"{trouble.why}. Check {trouble.check}"
        )
