"""`doctor` on a real Kafka with and without rights, a contact store, a registry and vendors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourcePatternType, ResourceType  # type: ignore[attr-defined]  # re-exported without __all__

from consumer.operations.doctor.doctor import examine
from consumer.operations.doctor.finding import Finding, State
from tests.support.dispatcher import LiveWorld, until
from tests.support.kafka import KafkaBroker, StartBroker, free_ports, read_topic
from tests.support.registry import schema_server, url_of
from tests.support.secured import SecuredBroker, start_secured
from tests.support.valkey import ValkeyServer

READS = (AclOperation.READ, AclOperation.DESCRIBE)
OWNS = (*READS, AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS, AclOperation.DELETE)
"""What docs/operations.md lists."""


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


@pytest.fixture(autouse=True)
def _port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PORT", "0")


def change(config: Path, **sections: Any) -> Path:
    """Give the config these sections."""
    document = json.loads(config.read_text()) | sections
    config.write_text(json.dumps(document))
    return config


def rows(config: Path, state: State, check: str = "") -> list[Finding]:
    return [one for one in examine(config) if one.state is state and one.check.startswith(check)]


@pytest.mark.valkey
def test_everything_that_run_needs_is_looked_at_and_nothing_is_changed(
    world: LiveWorld, valkey_server: ValkeyServer
) -> None:
    (port,) = free_ports(1)
    config = world.configure()
    document = json.loads(config.read_text())
    avro = {"topics": [f"avro.{world.name}"], "format": "avro"}
    change(
        config,
        registry={"url": url_of(port)},
        inputs=document["inputs"] | {"avro": avro},
        contacts={"store": {"type": "valkey", "url": valkey_server.url}},
    )
    lacking = rows(config, State.FAILED)
    told = {one.found: one.remedy for one in lacking}
    assert f"topic {world.name}.results is missing" in told
    assert "topics --create" in told[f"topic {world.name}.results is missing"]
    assert "the owner of the events makes it" in told[f"input topic {world.input} does not exist"]
    assert [one.found for one in lacking if one.check == "registry"] == ["no answer (ConnectError)"]

    world.create_topics(config)
    world.create_input(f"avro.{world.name}")
    with schema_server(port, world.home / "registry.log") as server:
        (unknown,) = rows(config, State.WARNING, "registry")
        assert unknown.found == f"no subject avro.{world.name}-value"
        server.register(f"avro.{world.name}-value", {"type": "string"})
        found = examine(config)
    # The store's own note is right: a server of the tests keeps nothing over a restart.
    chatty = {"config", "contact store"}  # which say what they find of this test
    assert [one for one in found if one.state is not State.OK and one.check not in chatty] == []
    assert {one.check for one in found} == {
        "config", "kafka", "topics", "rights", "transactions", "application_id",
        "registry", "contact store", "vendor pisano", "vendor radar",
    }  # fmt: skip
    assert all(not journal for journal in world.journals)
    assert read_topic(world.bootstrap, f"{world.name}.results") == []


def test_traces_of_another_config_with_the_same_name_are_a_warning(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    (named,) = rows(config, State.OK, "application_id")
    assert "members of its group" in named.found
    assert dispatcher.terminate() == 0
    document = json.loads(config.read_text())
    world.create_input(f"other.{world.name}")
    vendors = document["vendors"]
    vendors["pisano"]["quota"] = "renamed"
    inputs = {"pos": document["inputs"]["pos"] | {"topics": [f"other.{world.name}"]}}
    quotas = document["quotas"] | {"renamed": document["quotas"]["pisano"]}
    change(config, inputs=inputs, vendors=vendors, quotas=quotas)
    told = [one.found for one in examine(config) if one.check == "application_id"]
    assert told == [
        f"group {world.name}.router also has offsets of {world.input}",
        "topics of lanes that the config lacks: pisano",
    ]


def told_failed(config: Path) -> str:
    """What is said of rights. A broker learns of a grant later than the controller."""
    return " ".join(one.found for one in rows(config, State.FAILED, "rights"))


@pytest.fixture
def secured(kafka_factory: StartBroker, tmp_path: Path) -> SecuredBroker:
    return start_secured(kafka_factory, tmp_path / "certificates", strict=True)


def test_missing_rights_are_named_one_by_one(secured: SecuredBroker, tmp_path: Path) -> None:
    prefixed, literal = ResourcePatternType.PREFIXED, ResourcePatternType.LITERAL
    with LiveWorld(secured.broker.bootstrap, tmp_path) as world:
        world.start_vendor()
        config = world.configure()
        world.create_topics(config)
        change(config, kafka=secured.settings())
        own = f"{world.name}."
        told = " ".join(f"{one.check}: {one.found}" for one in rows(config, State.FAILED))
        assert f"rights: topic {own}results: TOPIC_AUTHORIZATION_FAILED" in told
        assert f"rights: group {own}router: GROUP_AUTHORIZATION_FAILED" in told
        assert "transactions: transactional id" in told

        secured.allow([(ResourceType.TOPIC, own, prefixed, OWNS[:2])])
        secured.allow([(ResourceType.TOPIC, world.input, literal, READS)])
        partly = f"topic {own}results: DescribeConfigs, Write is not allowed"
        until("what is given is seen", lambda: partly in told_failed(config))
        until("the input is no more missing", lambda: f" {world.input}" not in told_failed(config))

        secured.allow(
            [
                (ResourceType.TOPIC, own, prefixed, OWNS[:-1]),
                (ResourceType.GROUP, own, prefixed, READS),
                (ResourceType.TRANSACTIONAL_ID, own, prefixed, [AclOperation.WRITE, READS[1]]),
            ]
        )
        until("all that is needed is given", lambda: rows(config, State.FAILED) == [])
        (deleting, *_) = rows(config, State.WARNING, "rights")
        assert "Delete is not allowed" in deleting.found
        secured.allow([(ResourceType.TOPIC, own, prefixed, OWNS)])
        until("all is given", lambda: rows(config, State.WARNING, "rights") == [])

        wrong = secured.settings() | {"sasl.password": "of-somebody-else"}
        (kafka,) = rows(change(config, kafka=wrong), State.FAILED, "kafka")
        assert "_AUTHENTICATION" in kafka.found
        assert "sasl.password" in kafka.remedy
        assert "of-somebody-else" not in f"{kafka.found}{kafka.remedy}"
