"""The program's user as a Strimzi resource, with the rights that docs/operations.md lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # re-exported without __all__

from consumer.config.models import Config
from consumer.kafka.rights import DELETING, OWNING, READING

_TRANSACTIONS: Final = frozenset({AclOperation.WRITE, AclOperation.DESCRIBE})


def user_as_strimzi(config: Config, name: str, cluster: str) -> dict[str, object]:
    """Return a KafkaUser, version 1 of Strimzi's API, that may do what the config needs.

    It may not create topics: Strimzi's KafkaTopics do that. It authenticates as the config's
    `kafka` section does: by SCRAM, by a client's certificate, or not at all.
    """
    own = f"{config.topics.application_id}."
    read = dict.fromkeys([*config.input_topics, *config.feed_topics])
    method = _authentication(config)
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
        "spec": {
            **({"authentication": {"type": method}} if method else {}),
            "authorization": {
                "type": "simple",
                "acls": [
                    *(_rule("topic", topic, "literal", READING) for topic in read),
                    _rule("topic", own, "prefix", OWNING | DELETING),
                    _rule("group", own, "prefix", READING),
                    _rule("transactionalId", own, "prefix", _TRANSACTIONS),
                ],
            },
        },
    }


def _authentication(config: Config) -> str | None:
    protocol = config.kafka.get("security.protocol", "plaintext").lower()
    if protocol.startswith("sasl_"):
        return "scram-sha-512"
    return "tls" if protocol == "ssl" else None


def _rule(
    kind: str, name: str, pattern: str, operations: Iterable[AclOperation]
) -> dict[str, object]:
    return {
        "resource": {"type": kind, "name": name, "patternType": pattern},
        "operations": sorted(one.name.title().replace("_", "") for one in operations),
    }
