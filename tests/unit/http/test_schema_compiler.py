"""From a registry's schema to its reader: texts of .proto files, descriptors, mixtures of both."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from consumer.errors import RegistryUnavailable
from consumer.http import proto_compiler, schema_compiler
from consumer.http.schema_compiler import readable
from consumer.http.schema_registry import FoundSchema, Reference
from consumer.routing.decoding.schemas.avro import AvroSchema
from consumer.routing.decoding.schemas.json_schema import JsonSchema
from consumer.routing.decoding.schemas.protobuf import ProtobufSchema
from consumer.routing.decoding.schemas.protobuf_file import files_of
from consumer.routing.decoding.schemas.wire_format import WrittenWith
from tests.support.protos import ORDERS, image_of

CUSTOMER = 'syntax = "proto3"; package shop; message Customer { string phone = 1; }'
ORDER = """syntax = "proto3";
package shop;
import "shop/customer.proto";
import "google/type/money.proto";
import "google/protobuf/timestamp.proto";
message Order { Customer customer = 1; google.type.Money paid = 2;
                google.protobuf.Timestamp at = 3; }
"""
VALUE = WrittenWith("7", b"\x00\x0a\x03\x0a\x011\x12\x02\x10\x05\x1a\x02\x08\x07")
EVENT = {
    "customer": {"phone": "1"},
    "paid": {"currency_code": "", "amount": 5},
    "at": "1970-01-01T00:00:07Z",
}


def serialised(text: str, path: str) -> str:
    """Return what `?format=serialized` gives, and confluent-kafka's serialiser registers."""
    texts = {path: text} | ({"shop/customer.proto": CUSTOMER} if text == ORDER else {})
    files = files_of(proto_compiler.compile_texts(texts))
    return base64.b64encode(files[path]).decode()


def protobuf(text: str, *references: Reference) -> Any:
    return readable(FoundSchema(text, "PROTOBUF", references))


@pytest.mark.parametrize("root", [ORDER, serialised(ORDER, "whatever.proto")])
@pytest.mark.parametrize("customer", [CUSTOMER, serialised(CUSTOMER, "other.proto")])
def test_texts_and_descriptors_go_together(root: str, customer: str) -> None:
    found = protobuf(root, Reference("shop/customer.proto", customer))
    assert isinstance(found, ProtobufSchema)
    assert found.read(VALUE) == EVENT


def test_every_part_of_a_schema_is_read_from_its_text() -> None:
    assert len(protobuf(ORDERS).messages) > 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("message A { SECRET b = 1; }", "is no valid Protobuf schema: line 1, column 13"),
        ("SECRET", "is no valid Protobuf schema: line 1, column 1"),
        ('import "SECRET.proto";', "is no valid Protobuf schema"),
        ("AAAA", "is no Protobuf schema"),
        ("message A {" * 5_000, "is no valid Protobuf schema"),
    ],
)
def test_unusable_text_is_refused_by_its_place(text: str, says: str) -> None:
    """What the compiler says may quote the schema; its place does not."""
    found = protobuf(text)
    assert found.startswith(says)
    assert "SECRET" not in found


@pytest.mark.parametrize(
    "name", ["/etc/a.proto", "../a.proto", "a/../../b", "-I/", "@a", "", "a\0"]
)
def test_reference_is_written_nowhere_else(name: str) -> None:
    found = protobuf(ORDER, Reference(name, CUSTOMER))
    assert found == "has a reference whose name is no path of a file"


def test_without_the_compiler_the_records_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = serialised(CUSTOMER, "a.proto")
    monkeypatch.setattr(proto_compiler, "find_spec", lambda _name: None)
    with pytest.raises(RegistryUnavailable, match="no compiler is installed"):
        protobuf(CUSTOMER)
    assert isinstance(protobuf(descriptor), ProtobufSchema)


def test_compiler_that_hangs_is_ended_and_the_records_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Sequence[str], timeout: float, **_options: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RegistryUnavailable, match="no end after 20 s"):
        protobuf(CUSTOMER)


def test_without_a_folder_to_write_to_the_records_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's file system may be read only: the records are not at fault."""

    def read_only(**_options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(proto_compiler, "TemporaryDirectory", read_only)
    with pytest.raises(RegistryUnavailable, match=r"needs a folder TMPDIR \(PermissionError\)"):
        protobuf(CUSTOMER)


@pytest.mark.parametrize(
    ("logical", "decimals"), [("decimal", True), ("deci\\u006dal", True), ("duration", False)]
)
def test_avro_without_decimals_is_known_for_it(logical: str, decimals: bool) -> None:
    text = f'{{"type": "bytes", "logicalType": "{logical}", "precision": 4, "scale": 2}}'
    found = readable(FoundSchema(text, "AVRO"))
    assert isinstance(found, AvroSchema)
    assert found.decimals is decimals


def test_json_schema_uses_its_references() -> None:
    used = Reference("c.json", '{"required": ["phone"]}')
    found = readable(FoundSchema('{"$ref": "c.json"}', "JSON", (used,)))
    assert isinstance(found, JsonSchema)
    assert found.misfit({"phone": 1}) is None
    assert found.misfit({}) == "`$` fails its `required`"
    assert "lacks what it refers to" in str(readable(FoundSchema('{"$ref": "c.json"}', "JSON")))


def test_without_the_validator_a_json_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_compiler, "find_spec", lambda _name: None)
    assert readable(FoundSchema("{}", "JSON")) == schema_compiler.NO_VALIDATOR


def test_image_has_what_its_files_import() -> None:
    names = {file.name for file in FileDescriptorSet.FromString(image_of(ORDERS)).file}
    assert {"schema.proto", "google/protobuf/struct.proto", "google/type/money.proto"} <= names
