"""A config with a schema registry: which topics need it, and a command that asks it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consumer.config import load
from consumer.errors import OperationError, RegistryUnavailable
from consumer.http.schema_registry import FoundSchema, SchemaRegistry
from consumer.records.input_record import InputRecord
from consumer.wiring.build import build_router, build_vendors, router_rules
from consumer.wiring.registry import input_schemas
from tests.support.protos import ORDERS, image_of, message_class

PLAIN = """
version: 1
application_id: surveys
kafka: {bootstrap.servers: "localhost:9092"}
pseudonym: {key_id: k1, key: a-key-for-tests-only}
quotas: {cloud: {limits: [20/5s]}}
vendors:
  r:
    type: customer_radar
    base_url: https://r.example
    username: u
    password: p
    client: c
    quota: cloud
campaigns: {visit: {vendor: r, channel: invitation, id: a}}
inputs:
  pos: {topics: [pos], format: json}
  orders: {topics: [orders, returns], format: FORMAT}
registry: {url: "https://registry.example", basic_auth: "user:word"}
routes:
  - {name: a, input: orders, recipient: {email: mail}, send: [visit], data: {locationDisplayId: id}}
"""
AVRO = PLAIN.replace("FORMAT", "avro")
RECORD = InputRecord("orders", 0, 0, b"\x00\x00\x00\x00\x07\x02a")
SCHEMA = '{"type": "record", "name": "O", "fields": [{"name": "id", "type": "string"}]}'


def test_topics_of_avro_need_the_registry() -> None:
    config = load(AVRO, env={})
    found = router_rules(config, build_vendors(config)).schemas
    assert found is not None
    assert found.topics == {"orders", "returns"}


def test_other_formats_need_no_registry() -> None:
    assert input_schemas(load(PLAIN.replace("FORMAT", "json_schema"), env={})) is None


def test_validated_events_need_the_registry() -> None:
    found = input_schemas(load(PLAIN.replace("FORMAT", "json_schema, validate: true"), env={}))
    assert found is not None
    assert found.topics == {"orders", "returns"}


def test_descriptors_need_no_registry(tmp_path: Path) -> None:
    (tmp_path / "image.binpb").write_bytes(image_of(ORDERS))
    text = PLAIN.replace(
        "FORMAT", "protobuf, descriptors: {file: image.binpb, message: shop.Order}"
    ).replace("registry: {url", "#")
    config = load(text, base=tmp_path, env={})
    assert input_schemas(config) is None
    value = message_class(ORDERS, "shop.Order")(id="a").SerializeToString()
    decoder = build_router(config, build_vendors(config)).inputs["orders"].decoder
    payload = decoder.load(InputRecord("orders", 0, 0, value))
    assert payload is not None
    assert payload.body["id"] == "a"


def test_registry_is_not_part_of_the_rules_version() -> None:
    other = load(AVRO.replace("registry.example", "other.example"), env={})
    assert load(AVRO, env={}).config_version == other.config_version


def test_password_is_shown_nowhere() -> None:
    assert "user:word" not in repr(load(AVRO, env={}))


def answering(monkeypatch: pytest.MonkeyPatch, schema: Callable[[str], FoundSchema | None]) -> None:
    monkeypatch.setattr(SchemaRegistry, "schema", lambda _self, name: schema(name))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (FoundSchema(SCHEMA, "AVRO"), "no_id"),
        (None, "unknown_schema"),
        (FoundSchema("{}", "JSON"), "unknown_schema"),
        (FoundSchema("AAAA", "PROTOBUF"), "unknown_schema"),
    ],
)
def test_command_asks_the_registry_at_once(
    monkeypatch: pytest.MonkeyPatch, found: FoundSchema | None, reason: str
) -> None:
    answering(monkeypatch, lambda _name: found)
    config = load(AVRO.replace("format: avro", "format: avro, event: {id: none}"), env={})
    (letter,) = build_router(config, build_vendors(config)).route([RECORD], 0.0).dead_letters
    assert letter.reason == reason


def test_command_ends_if_the_registry_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_name: str) -> None:
        raise RegistryUnavailable("status 503")

    answering(monkeypatch, unreachable)
    config = load(AVRO, env={})
    decoder = build_router(config, build_vendors(config)).inputs["orders"].decoder
    with pytest.raises(OperationError, match="the schema registry cannot be asked: status 503"):
        decoder.load(RECORD)
