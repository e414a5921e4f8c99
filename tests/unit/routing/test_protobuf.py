"""Protobuf values, written by the official runtime, as events; and bytes that are no message."""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.decoding.digits import exact_body
from consumer.routing.decoding.payload import Payload
from consumer.routing.decoding.schemas.protobuf import (
    ProtobufSchema,
    described_decoder,
    protobuf_decoder,
)
from consumer.routing.decoding.schemas.protobuf_file import (
    described_message,
    files_of,
    protobuf_schema,
    renamed,
)
from consumer.routing.decoding.schemas.protobuf_file import (
    image_of as image_of_files,
)
from consumer.routing.decoding.schemas.protobuf_values import decimal_number
from consumer.routing.decoding.schemas.schema_book import SchemaBook, SchemaError
from consumer.routing.decoding.schemas.wire_format import HEADER
from tests.support.protos import ORDERS, image_of, message_class

ID = b"\x00\x00\x00\x00\x07"
ORDER = ID + b"\x02\x02"
"""The prefix of a value of the file's second message."""

WRAPPED = {"wrapped_text", "wrapped_number", "wrapped_bytes"}


def schema_of(text: str) -> ProtobufSchema:
    files = files_of(image_of(text))
    return protobuf_schema(files.pop("schema.proto"), files)


ORDERS_SCHEMA = schema_of(ORDERS)
Order = message_class(ORDERS, "shop.Order")


def read(value: bytes, schema: ProtobufSchema = ORDERS_SCHEMA, *headers: Any) -> Payload:
    book = SchemaBook()
    book.add("7", schema)
    around = RecordEnvelope(headers=headers)
    return protobuf_decoder(book)(InputRecord("orders", 0, 0, value, lambda: around))


def event(**fields: Any) -> dict[str, Any]:
    """Return the event of an order with these fields."""
    return read(ORDER + Order(**fields).SerializeToString()).body


def refusal(value: bytes, schema: ProtobufSchema = ORDERS_SCHEMA) -> str:
    with pytest.raises(EventError) as caught:
        read(value, schema)
    assert caught.value.reason is DeadLetterReason.NOT_ITS_SCHEMA
    return str(caught.value)


def between(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


INT32, UINT32 = between(-(2**31), 2**31 - 1), between(0, 2**32 - 1)
INT64, UINT64 = between(-(2**63), 2**63 - 1), between(0, 2**64 - 1)
ITEM = st.fixed_dictionaries({"sku": st.text(), "count": INT32})
WRITTEN: dict[str, st.SearchStrategy[Any]] = {
    "id": st.text(),
    **dict.fromkeys(("i32", "s32", "sf32", "maybe"), INT32),
    **dict.fromkeys(("i64", "s64", "sf64"), INT64),
    **dict.fromkeys(("u32", "f32"), UINT32),
    **dict.fromkeys(("u64", "f64"), UINT64),
    "flag": st.booleans(),
    "text": st.text(),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "many": st.lists(INT64, max_size=3),
    "texts": st.lists(st.text(), max_size=3),
    "items": st.lists(ITEM, max_size=3),
    "by_name": st.dictionaries(st.text(), ITEM, max_size=2),
    "kind": st.sampled_from(["UNKNOWN", "SALE", "RETURN"]),
    "customer": st.fixed_dictionaries({"name": st.text(), "phone": st.text()}),
}


@given(st.fixed_dictionaries({}, optional=WRITTEN))
def test_event_has_what_was_written(fields: dict[str, Any]) -> None:
    found = event(**fields)
    for name, value in fields.items():
        assert found[name] == value
        assert type(found[name]) is type(value)


def test_fields_without_presence_are_there_with_their_defaults() -> None:
    found = event()
    assert found == {
        "id": "",
        **dict.fromkeys(("i32", "i64", "u32", "u64", "s32", "s64"), 0),
        **dict.fromkeys(("f32", "f64", "sf32", "sf64"), 0),
        "flag": False,
        "text": "",
        "raw": "",
        "number": 0.0,
        "small": 0.0,
        "kind": "UNKNOWN",
        **{name: [] for name in ("many", "items", "kinds", "smalls", "texts")},
        **{name: {} for name in ("by_name", "by_number", "by_flag")},
    }
    names = json_format.MessageToDict(
        Order(), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert found.keys() == names.keys()


def test_field_with_presence_is_there_if_it_is_set() -> None:
    assert event(maybe=0)["maybe"] == 0
    assert event(customer={})["customer"] == {"name": "", "phone": ""}


@pytest.mark.parametrize("fields", [{"phone": "1"}, {"email": ""}, {"person": {"name": "a"}}])
def test_oneof_is_flat(fields: dict[str, Any]) -> None:
    names = {"phone", "email", "person", "contact"}
    assert names & event(**fields).keys() == fields.keys()


def test_bytes_are_base64_and_enums_names() -> None:
    found = event(raw=b"\xff\x00", kinds=[1, -2, 9], kind="RETURN", by_flag={True: b"a"})
    assert (found["raw"], found["kind"], found["kinds"]) == (
        "/wA=",
        "RETURN",
        ["SALE", "RETURN", 9],
    )
    assert found["by_flag"] == {"true": "YQ=="}


def test_keys_of_maps_are_text() -> None:
    found = event(by_number={-1: 0.5}, by_flag={False: b""})
    assert (found["by_number"], found["by_flag"]) == ({"-1": 0.5}, {"false": ""})


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_is_a_short_number_of_the_same_bits(value: float) -> None:
    assert struct.pack("<f", event(small=value)["small"]) == struct.pack("<f", value)
    assert event(small=0.1, smalls=[129.9])["smalls"] == [129.9]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_number_that_json_lacks_is_null(value: float) -> None:
    found = event(number=value, small=value, by_number={1: value})
    assert (found["number"], found["small"], found["by_number"]) == (None, None, {"1": None})


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("at", {"seconds": 1763825827}, "2025-11-22T15:37:07Z"),
        ("at", {"seconds": 1763825827, "nanos": 120_000_000}, "2025-11-22T15:37:07.120Z"),
        ("at", {"seconds": -1, "nanos": 1}, "1969-12-31T23:59:59.000000001Z"),
        ("took", {"seconds": 3, "nanos": 500_000_000}, "3.500s"),
        ("took", {"nanos": -1_000}, "-0.000001s"),
        ("wrapped_text", {"value": "a"}, "a"),
        ("wrapped_text", {}, ""),
        ("wrapped_number", {"value": 2**62}, 2**62),
        ("wrapped_bytes", {"value": b"a"}, "YQ=="),
        ("mask", {"paths": ["a.b", "c"]}, "a.b,c"),
        ("value", {"null_value": 0}, None),
        ("value", {}, None),
        ("value", {"number_value": 0.5}, 0.5),
        ("decimal", {"value": "-129.90"}, -129.9),
        ("decimal", {"value": "12345678901234567890.12"}, "12345678901234567890.12"),
        ("money", {"currency_code": "TRY", "units": 129, "nanos": 900_000_000}, 129.9),
        ("money", {"currency_code": "TRY", "nanos": -50_000_000}, -0.05),
        ("money", {"currency_code": "TRY", "units": 5}, 5),
        ("date", {"year": 2025, "month": 11, "day": 2}, "2025-11-02"),
        ("date", {"year": 2025}, {"year": 2025, "month": 0, "day": 0}),
        ("unscaled", {"value": b"\x32\xbe", "precision": 5, "scale": 2}, 129.9),
        ("unscaled", {"value": b"\xff"}, -1),
    ],
)
def test_known_messages_are_what_they_stand_for(name: str, value: Any, found: object) -> None:
    said = event(**{name: value})[name]
    if name == "money":
        assert said["currency_code"] == "TRY"
        said = said["amount"]
    assert said == found
    assert type(said) is type(found)


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_timestamp_is_the_moment_as_the_runtime_writes_it(moment: dt.datetime) -> None:
    order = Order()
    order.at.FromDatetime(moment)
    assert read(ORDER + order.SerializeToString()).body["at"] == order.at.ToJsonString()


@given(st.timedeltas(dt.timedelta(days=-3_000_000), dt.timedelta(days=3_000_000)))
def test_duration_is_as_the_runtime_writes_it(length: dt.timedelta) -> None:
    order = Order()
    order.took.FromTimedelta(length)
    assert read(ORDER + order.SerializeToString()).body["took"] == order.took.ToJsonString()


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), JSON, max_size=3), st.lists(JSON, max_size=3))
def test_free_values_are_their_json(free: dict[str, Any], items: list[Any]) -> None:
    order = Order(free={}, list={}, value={"struct_value": {}})
    order.free.update(free)
    order.list.extend(items)
    order.value.struct_value.update(free)
    found = read(ORDER + order.SerializeToString()).body
    assert (found["free"], found["list"], found["value"]) == (free, items, free)


@given(st.decimals(-(10**12), 10**12, places=2))
def test_decimal_keeps_its_digits(value: Decimal) -> None:
    payload = read(ORDER + Order(decimal={"value": str(value)}).SerializeToString())
    exact = exact_body(payload.raw, payload.body)["decimal"]
    assert payload.body["decimal"] == float(value)
    assert exact.text == format(value, "f")


@pytest.mark.parametrize("text", ["", "x", "NaN", "1e999", "1" * 200, "1e-999"])
def test_decimal_that_is_no_plain_number_is_text(text: str) -> None:
    assert decimal_number(text) == text


@pytest.mark.parametrize(
    "fields",
    [
        {"at": {"nanos": -1}},
        {"at": {"seconds": 2**62}},
        {"took": {"seconds": 1, "nanos": -1}},
        {"took": {"seconds": 2**62}},
        {"money": {"units": 1, "nanos": -1}},
        {"date": {"year": 2025, "month": 13, "day": 1}},
        {"unscaled": {"scale": -1}},
        {"unscaled": {"value": b"\x7f" * 9_000, "scale": 1}},
    ],
)
def test_known_message_with_a_wrong_value_is_a_dead_letter(fields: Any) -> None:
    refusal(ORDER + Order(**fields).SerializeToString())


OTHER = """
syntax = "proto3";
package google.type;
message Money { string units = 1; string currency_code = 2; int32 nanos = 3; }
"""
CLASH = """
syntax = "proto2";
message M {
  optional string HasField = 1; optional string IsInitialized = 2; repeated string ListFields = 3;
  optional string FromString = 4; required string must = 5; optional group Part = 6 {
    optional int32 size = 1 [default = 5];
  }
  optional Kind kind = 7; enum Kind { A = 1; }
}
"""


def test_other_message_under_a_known_name_is_a_message() -> None:
    assert read(ID + b"\x00\x0a\x011", schema_of(OTHER)).body["units"] == "1"


def test_fields_may_be_called_as_the_runtime_calls_its_own() -> None:
    fields = {"HasField": "a", "IsInitialized": "b", "ListFields": ["c"], "FromString": "d"}
    message = message_class(CLASH, "M")(must="e", **fields)
    content = message_class(CLASH, "M").SerializeToString(message)
    assert read(ID + b"\x00" + content, schema_of(CLASH)).body == {"must": "e", **fields}


def test_proto2_has_groups_and_fields_that_are_required() -> None:
    schema = schema_of(CLASH)
    assert read(ID + b"\x00\x2a\x01e\x33\x08\x07\x34", schema).body == {
        "ListFields": [],
        "must": "e",
        "part": {"size": 7},
    }
    refusal(ID + b"\x00\x0a\x01a", schema)  # `must` is missing
    refusal(ID + b"\x00\x2a\x01e\x0a\x01\xff", schema)  # no UTF-8, which proto2 allows
    assert "kind" not in read(ID + b"\x00\x2a\x01e\x38\x05", schema).body  # no such name


def test_unknown_fields_are_left_out() -> None:
    newer = ORDERS.replace("string id = 1;", "string id = 1; string added = 99;")
    content = message_class(newer, "shop.Order")(id="a", added="b").SerializeToString()
    assert read(ORDER + content).body["id"] == "a"
    assert "added" not in read(ORDER + content).body


@pytest.mark.parametrize(
    ("behind", "fields"),
    [(b"\x00", {"name": "a", "phone": ""}), (b"\x04\x02\x00", {"sku": "a", "count": 0})],
)
def test_place_says_which_message_of_the_file_it_is(behind: bytes, fields: Any) -> None:
    assert read(ID + behind + b"\x0a\x01a").body == fields
    assert read(b"\x0a\x01a", ORDERS_SCHEMA, (HEADER, ID + behind)).body == fields


@pytest.mark.parametrize("behind", [b"\x02\x04", b"\x04\x02\x64", b"\x02\x01", b""])
def test_place_that_the_file_lacks_is_a_dead_letter(behind: bytes) -> None:
    assert refusal(ID + behind) == "expected one value of schema 7"


def nested(depth: int, field: int) -> bytes:
    """Return a field of itself, so deep."""
    content = b""
    for _ in range(depth):
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        content = field.to_bytes() + length + bytes([size]) + content
    return content


def within(content: bytes) -> bytes:
    """Return the content as the field `deep`."""
    order = Order()
    order.deep.MergeFromString(b"")
    head = b"\xfa\x01"
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return head + length + bytes([size]) + content


def test_deep_message_is_read_up_to_the_runtimes_bound() -> None:
    found = read(ORDER + within(nested(90, 0x0A))).body["deep"]
    for _ in range(90):
        found = found["next"]
    assert found == {}


@pytest.mark.parametrize(
    "content",
    [
        within(nested(1_000, 0x0A)),
        within(nested(100_000, 0x0A)),
        b"\x9b\x06" * 100_000,  # groups that nothing ends
        b"\x9b\x06" * 100_000 + b"\x9c\x06" * 100_000,
        b"\x9c\x06",
        b"\x0a\xff\xff\xff\xff\x07",  # 2 GB of text
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x9a\x01\x05\xff",
        b"\x0a\x02a",
        b"\x0a\x01\xff",
        b"\x00\x00",
        b"\x0f",
        b"\xff" * 11,
    ],
)
def test_hostile_bytes_are_a_dead_letter(content: bytes) -> None:
    assert refusal(ORDER + content) == "expected one value of schema 7"


def test_many_empty_messages_are_a_dead_letter() -> None:
    """Two bytes each; with their defaults they would fill the memory."""
    fields = "".join(f"int32 f{number} = {number};" for number in range(2, 30))
    schema = schema_of(f'syntax = "proto3"; message W {{ repeated W w = 1; {fields} }}')
    assert len(read(ID + b"\x00" + b"\x0a\x00" * 100, schema).body["w"]) == 100
    refusal(ID + b"\x00" + b"\x0a\x00" * 10_000, schema)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_a_dead_letter(content: bytes) -> None:
    try:
        json.dumps(read(ORDER + content).body, allow_nan=False)
    except EventError as error:
        assert error.reason is DeadLetterReason.NOT_ITS_SCHEMA  # noqa: PT017 - either will do


FULL = Order(
    id="a", many=[1, 2], items=[{"sku": "s"}], by_name={"n": {"sku": "s"}}, raw=b"r", small=0.5,
    deep={"next": {"next": {}}}, money={"units": 5}, at={"seconds": 5}, free={"fields": {"a": {}}},
).SerializeToString()  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, len(FULL)), st.integers(0, 2), st.binary(max_size=4))))
def test_damaged_message_is_an_event_or_a_dead_letter(
    damages: list[tuple[int, int, bytes]],
) -> None:
    content = FULL
    for at, gone, put in damages:
        content = content[:at] + put + content[at + gone :]
    test_any_bytes_are_an_event_or_a_dead_letter.hypothesis.inner_test(content)  # type: ignore[attr-defined]


Described = Callable[..., Payload]


@pytest.fixture(scope="module")
def described() -> Described:
    decode = described_decoder("shop.Order", *described_message(image_of(ORDERS), "shop.Order"))

    def decode_value(value: bytes, *headers: Any) -> Payload:
        around = RecordEnvelope(headers=headers)
        return decode(InputRecord("orders", 0, 0, value, lambda: around))

    return decode_value


def test_descriptors_read_values_with_and_without_an_id(described: Described) -> None:
    content = Order(id="a").SerializeToString()
    for value in (content, ORDER + content, b"\x01" + bytes(16) + b"\x02\x02" + content):
        assert described(value).body["id"] == "a"
    assert described(content, (HEADER, ORDER)).body["id"] == "a"
    assert described(ID + b"\x00" + b"\x0a\x01b").body == {"name": "b", "phone": ""}


@pytest.mark.parametrize("value", [b"\x0a\x02a", ID, ORDER + b"\x0a\x02a"])
def test_value_that_its_descriptors_do_not_read_is_a_dead_letter(
    described: Described, value: bytes
) -> None:
    with pytest.raises(EventError, match=r"expected one value of schema shop\.Order") as caught:
        described(value)
    assert caught.value.reason is DeadLetterReason.NOT_ITS_SCHEMA


@pytest.mark.parametrize(
    ("image", "message", "says"),
    [
        (b"\xff", "A", "is no FileDescriptorSet"),
        (b"", "shop.Order", "has no message 'shop.Order'"),
        (image_of(ORDERS), "shop.Nothing", "has no message 'shop.Nothing'"),
    ],
)
def test_unusable_descriptors_are_refused(image: bytes, message: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        described_message(image, message)


TWICE = FileDescriptorProto(message_type=[DescriptorProto(name="M"), DescriptorProto(name="M")])


def file_of(name: str, *imports: str, uses: str = "") -> bytes:
    file = FileDescriptorProto(name=name, dependency=imports, syntax="proto3")
    field = file.message_type.add(name="M").field.add(name="a", number=1)
    field.label = FieldDescriptorProto.LABEL_OPTIONAL
    field.type = FieldDescriptorProto.TYPE_MESSAGE if uses else FieldDescriptorProto.TYPE_STRING
    if uses:
        field.type_name = uses
    return file.SerializeToString()


def test_import_for_options_alone_may_be_missing() -> None:
    for missing in ("acme/options.proto", "google/type/nothing.proto"):
        schema = protobuf_schema(file_of("a.proto", missing), {})
        assert read(ID + b"\x00\x0a\x01a", schema).body == {"a": "a"}


@pytest.mark.parametrize(
    ("path", "kind", "content", "found"),
    [
        ("google/protobuf/timestamp.proto", "google.protobuf.Timestamp", b"\x08\x07", "1970"),
        ("google/type/money.proto", "google.type.Money", b"\x10\x07", "{'currency_code': ''"),
        ("confluent/type/decimal.proto", "confluent.type.Decimal", b"\x0a\x01\x07", "7"),
    ],
)
def test_registrys_own_files_need_no_reference(
    path: str, kind: str, content: bytes, found: str
) -> None:
    schema = protobuf_schema(file_of("a.proto", path, uses=f".{kind}"), {})
    value = b"\x0a" + bytes([len(content)]) + content
    assert str(read(ID + b"\x00" + value, schema).body["a"]).startswith(found)


@pytest.mark.parametrize(
    ("root", "references"),
    [
        (b"\xff", {}),
        (file_of("a.proto"), {"b.proto": b"\xff"}),
        (file_of("a.proto", "b.proto", uses=".acme.B"), {}),
        (
            file_of("a.proto", "b.proto"),
            {"b.proto": file_of("", "c.proto"), "c.proto": file_of("", "b.proto")},
        ),
        (b"\x1a\x01\xff", {}),
        (TWICE.SerializeToString(), {}),
    ],
)
def test_unusable_schema_is_refused(root: bytes, references: Any) -> None:
    with pytest.raises(SchemaError, match=r"is no .*Protobuf schema"):
        protobuf_schema(root, references)


def test_long_chain_of_messages_is_a_dead_letter_each_time() -> None:
    """Its readers are compiled by a recursion."""
    file = FileDescriptorProto(name="a.proto", syntax="proto3")
    for number in range(2_000):
        message = file.message_type.add(name=f"M{number}")
        message.field.add(name="a", number=1, label=1, type=11, type_name=f".M{number + 1}")
    file.message_type.add(name="M2000")
    schema = protobuf_schema(file.SerializeToString(), {})
    for _ in range(2):
        refusal(ID + b"\x00", schema)


@pytest.mark.parametrize(("old", "new"), [(b"value", b"valuf"), (b"key\x18\x01", b"key\x18\x05")])
def test_map_that_no_compiler_writes_is_refused(old: bytes, new: bytes) -> None:
    """The runtime takes such a descriptor, and ends the process when it reads the map."""
    files = files_of(image_of('syntax = "proto3"; message M { map<string, string> a = 1; }'))
    damaged = files["schema.proto"].replace(old, new)
    assert damaged != files["schema.proto"]
    with pytest.raises(SchemaError, match="a map without key and value"):
        protobuf_schema(damaged, {})


def test_files_go_by_the_paths_of_their_imports() -> None:
    image = image_of_files([renamed(file_of("x.proto"), "b.proto")])
    assert [file.name for file in FileDescriptorSet.FromString(image).file] == ["b.proto"]
    assert files_of(image) == {"b.proto": file_of("b.proto")}
    assert image_of_files([]) == b""
