"""Protobuf for tests: .proto texts, and messages written by the official runtime."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from consumer.http.proto_compiler import compile_texts

ORDERS = """
syntax = "proto3";
package shop;
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/decimal.proto";
import "google/type/money.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";

message Customer { string name = 1 [(confluent.field_meta).doc = "x"]; string phone = 2; }

message Order {
  enum Kind { UNKNOWN = 0; SALE = 1; RETURN = -2; }
  message Item { string sku = 1; int32 count = 2; }
  message Deep { Deep next = 1; }
  string id = 1;
  int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7;
  fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10; sfixed64 sf64 = 11;
  bool flag = 12; string text = 13; bytes raw = 14; double number = 15; float small = 16;
  Kind kind = 17;
  Customer customer = 18;
  repeated int64 many = 19; repeated Item items = 20; repeated Kind kinds = 21;
  repeated float smalls = 22; repeated string texts = 23;
  map<string, Item> by_name = 24; map<int64, double> by_number = 25; map<bool, bytes> by_flag = 26;
  optional int32 maybe = 27;
  oneof contact { string phone = 28; string email = 29; Customer person = 30; }
  Deep deep = 31;
  google.protobuf.Timestamp at = 40;
  google.protobuf.Duration took = 41;
  google.protobuf.StringValue wrapped_text = 42;
  google.protobuf.Int64Value wrapped_number = 43;
  google.protobuf.BytesValue wrapped_bytes = 44;
  google.protobuf.Struct free = 45;
  google.protobuf.Value value = 46;
  google.protobuf.ListValue list = 47;
  google.protobuf.FieldMask mask = 48;
  google.type.Decimal decimal = 49;
  google.type.Money money = 50;
  google.type.Date date = 51;
  confluent.type.Decimal unscaled = 52;
}
"""


@lru_cache
def image_of(text: str) -> bytes:
    """Compile a .proto text to the FileDescriptorSet of `schema.proto` and its imports."""
    return compile_texts({"schema.proto": text})


@lru_cache
def message_class(text: str, name: str) -> Any:
    """Return the runtime's class of a message of a .proto text."""
    pool: Any = DescriptorPool()
    for file in FileDescriptorSet.FromString(image_of(text)).file:
        pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(name))
