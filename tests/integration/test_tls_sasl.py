"""Kafka behind TLS and a password: the main job, and what is said where either does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourcePatternType, ResourceType  # type: ignore[attr-defined]  # re-exported without __all__

from tests.support.dispatcher import Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import StartBroker
from tests.support.secured import (
    PASSWORD,
    PLAIN,
    SCRAM,
    SecuredBroker,
    new_authority,
    start_secured,
)

WRONG = "not-the-password-of-anybody"


@pytest.fixture(scope="module")
def secured(
    module_kafka_factory: StartBroker, tmp_path_factory: pytest.TempPathFactory
) -> SecuredBroker:
    return start_secured(module_kafka_factory, tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def world(secured: SecuredBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """The test itself comes in by the open door."""
    with LiveWorld(secured.broker.bootstrap, tmp_path) as world:
        yield world


def configure(world: LiveWorld, settings: dict[str, str], **changed: str) -> Path:
    """A config that comes in by the other one; its password stands in a file."""
    path = world.configure(window={"max_batch": 50})
    document = json.loads(path.read_text())
    secret = path.parent / "kafka-password"
    kafka = settings | changed
    secret.write_text(kafka["sasl.password"] + "\n")
    document["kafka"] = kafka | {"sasl.password": "${file:kafka-password}"}
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("mechanism", [SCRAM, PLAIN])
def test_the_main_job_runs_over_tls_with_a_password(
    secured: SecuredBroker, world: LiveWorld, mechanism: str
) -> None:
    """Topics made, events routed, transactions, results: all by the secured door."""
    world.start_vendor()
    config = configure(world, secured.settings(mechanism))
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(200)))
    world.publish(purchases("cafe", range(200, 300)))
    world.wait_results(300)
    assert dispatcher.terminate() == 0
    world.check()
    said = dispatcher.log.read_text()
    assert PASSWORD not in said
    assert dispatcher.lines("session_ended") == []


def test_the_rights_that_the_manual_names_are_enough(
    kafka_factory: StartBroker, tmp_path: Path
) -> None:
    """A user that may do what docs/operations.md lists, and nothing else."""
    secured = start_secured(kafka_factory, tmp_path / "certificates", strict=True)
    with LiveWorld(secured.broker.bootstrap, tmp_path) as world:
        world.start_vendor()
        world.create_topics(world.configure(window={"max_batch": 50}))
        config = configure(world, secured.settings())
        secured.allow(rights(world))
        dispatcher = world.start(config).wait_ready()
        world.publish(purchases("store", range(200)))
        world.wait_results(200)
        assert dispatcher.terminate() == 0
        world.check()
        told = dispatcher.log.read_text()
        assert "AUTHORIZATION_FAILED" not in told


def rights(world: LiveWorld, *, delete: bool = True) -> list[tuple[Any, ...]]:
    """What the manual names, with or without the right to delete records."""
    own = f"{world.name}."
    prefixed, literal = ResourcePatternType.PREFIXED, ResourcePatternType.LITERAL
    may = AclOperation
    deleting = [may.DELETE] if delete else []
    return [
        (ResourceType.TOPIC, world.input, literal, [may.READ, may.DESCRIBE]),
        (
            ResourceType.TOPIC,
            own,
            prefixed,
            [may.READ, may.WRITE, may.DESCRIBE, may.DESCRIBE_CONFIGS, *deleting],
        ),
        (ResourceType.GROUP, own, prefixed, [may.READ, may.DESCRIBE]),
        (ResourceType.TRANSACTIONAL_ID, own, prefixed, [may.WRITE, may.DESCRIBE]),
    ]


def unreachable(world: LiveWorld, config: Path, reason: str) -> tuple[Dispatcher, dict[str, Any]]:
    """Start it: it stays up, unready, and says why in a line."""
    dispatcher = world.start(config)

    def said() -> list[dict[str, Any]]:
        lines = dispatcher.lines("kafka_unreachable")
        return [line for line in lines if line["why"].startswith(reason)]

    until("it says why", lambda: bool(said()))
    status, body = dispatcher.probe("/readyz")
    assert status == 503
    assert "broker" in body
    assert dispatcher.probe("/livez")[0] == 200
    return dispatcher, said()[0]


def test_a_wrong_password_is_told_as_one(secured: SecuredBroker, world: LiveWorld) -> None:
    dispatcher, line = unreachable(
        world,
        configure(world, secured.settings(), **{"sasl.password": WRONG}),
        "_AUTHENTICATION",
    )
    assert "sasl.password" in line["check"]
    assert WRONG not in dispatcher.log.read_text()
    assert dispatcher.terminate() == 0


def test_an_authority_that_does_not_vouch_for_the_broker_is_told(
    secured: SecuredBroker, world: LiveWorld, tmp_path: Path
) -> None:
    new_authority(tmp_path / "other.pem")
    config = configure(
        world, secured.settings(), **{"ssl.ca.location": str(tmp_path / "other.pem")}
    )
    dispatcher, line = unreachable(world, config, "_SSL")
    assert "ssl.ca" in line["check"]
    assert dispatcher.terminate() == 0


def test_a_certificate_for_another_host_is_told(kafka_factory: StartBroker, tmp_path: Path) -> None:
    secured = start_secured(kafka_factory, tmp_path / "certificates", "kafka.example.com")
    with LiveWorld(secured.broker.bootstrap, tmp_path) as world:
        dispatcher, line = unreachable(world, configure(world, secured.settings()), "_SSL")
        assert "ssl.endpoint.identification.algorithm" in line["check"]
        assert dispatcher.terminate() == 0


def test_plain_text_to_a_tls_port_is_told(secured: SecuredBroker, world: LiveWorld) -> None:
    """The commonest slip: `security.protocol` is left out. The broker hangs up without a word."""
    config = configure(world, secured.settings(), **{"security.protocol": "PLAINTEXT"})
    dispatcher, line = unreachable(world, config, "")
    assert "security.protocol" in line["check"]
    assert dispatcher.terminate() == 0
