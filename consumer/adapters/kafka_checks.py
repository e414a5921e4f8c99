"""What an operator checks when Kafka cannot be reached, by what its client says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError

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
    """The settings under `kafka` to look at first."""
    return OTHERWISE if error is None else _CHECKS.get(error.code(), OTHERWISE)


def tells_more(new: KafkaError, known: KafkaError | None) -> bool:
    """Whether `new` is the better reason: a closed connection may only follow from a refusal."""
    return known is None or new.code() in _CHECKS or known.code() not in _CHECKS
