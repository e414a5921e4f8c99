"""Readers of protobuf messages, compiled from their descriptors.

The protobuf runtime parses the bytes; a reader walks the parsed message. The runtime refuses
messages deeper than 100, so that the walk ends. `Budget` bounds what a message may become.

| Protobuf | event |
|---|---|
| field without presence | its value, or its default |
| field with presence (a message, `optional`, of a `oneof`) | its value; no key if it is not set |
| int32 … uint64, fixed, sint | number |
| float | the shortest number that it stands for; NaN and infinity are null, as of double |
| enum | name; number if the schema has none |
| bytes | base64 |
| repeated, map | list, object |
| messages that `protobuf_values` knows | as there |
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

from consumer.routing.decoding.schemas.avro_values import base64_text, finite, float_number
from consumer.routing.decoding.schemas.protobuf_values import known_value
from consumer.routing.decoding.schemas.schema_value import UnfitError

_FLOAT: Final = struct.Struct("<f")


class Budget:
    """How many values an event may have yet."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, count: int) -> None:
        """Take values off. Raises UnfitError."""
        self.left -= count
        if self.left < 0:
            raise UnfitError


Convert = Callable[[Any, Budget], Any]
"""Makes JSON's value of one of the runtime. Raises UnfitError and ValueError."""


class Readers:
    """The readers of one schema's messages, by full name: messages contain each other."""

    def __init__(self) -> None:
        self._known: dict[str, Convert] = {}

    def message(self, descriptor: Descriptor) -> Convert:
        """Return the reader of a message."""
        name = descriptor.full_name
        found = self._known.get(name)
        if found is None:
            plain: list[str] = []
            others: list[tuple[str, Convert | None, bool]] = []
            found = self._known[name] = _message_reader(descriptor, plain, others)
            for field in descriptor.fields:
                convert = self._field(field)
                if convert is None and not field.has_presence:
                    plain.append(field.name)
                else:
                    others.append((field.name, convert, field.has_presence))
        return found

    def _field(self, field: FieldDescriptor) -> Convert | None:
        """Return how a field's value is read; None if it stays as it is."""
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            return _map_reader(self._single(kind.fields_by_name["value"]))
        return _list_reader(self._single(field)) if field.is_repeated else self._single(field)

    def _single(self, field: FieldDescriptor) -> Convert | None:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return _enum_reader(field.enum_type)
        owner = field.containing_type
        if field.type == FieldDescriptor.TYPE_STRING and owner and _is_proto3(owner.file):
            return None
        return _OF_SCALARS.get(field.type)


def _message_reader(
    descriptor: Descriptor, plain: list[str], others: list[tuple[str, Convert | None, bool]]
) -> Convert:
    """Return the reader of a message's fields, which are filled in later. `plain`: those that are
    always there and stay as they are; they are got at once."""
    has = GetMessageClass(descriptor).HasField  # of the class: a field may be called so
    get: Callable[[Any], Any] | None = None

    def read_message(message: Any, budget: Budget) -> dict[str, Any]:
        nonlocal get
        budget.spend(len(plain) + len(others))
        get = get or _getter(plain)
        found: dict[str, Any] = dict(zip(plain, get(message)))  # noqa: B905 - as long, and hot
        for name, convert, presence in others:
            if not presence or has(message, name):
                value = getattr(message, name)
                found[name] = value if convert is None else convert(value, budget)
        return found

    return known_value(descriptor, read_message)


def _getter(names: Sequence[str]) -> Callable[[Any], Any]:
    """Return what gets these fields of a message, as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: [getattr(message, name) for name in names]


def _list_reader(convert: Convert | None) -> Convert:
    def read_list(values: Any, budget: Budget) -> list[Any]:
        budget.spend(len(values))
        return list(values) if convert is None else [convert(value, budget) for value in values]

    return read_list


def _map_reader(convert: Convert | None) -> Convert:
    def read_map(values: Any, budget: Budget) -> dict[str, Any]:
        budget.spend(len(values))
        return {
            _key(key): value if convert is None else convert(value, budget)
            for key, value in values.items()
        }

    return read_map


def _key(key: str | int | bool) -> str:
    return ("false", "true")[key] if type(key) is bool else str(key)


def _enum_reader(descriptor: EnumDescriptor) -> Convert:
    names: dict[int, str | int] = {}
    for value in descriptor.values:
        names.setdefault(value.number, value.name)
    return lambda number, _budget: names.get(number, number)


def _is_proto3(file: FileDescriptor) -> bool:
    """Return whether the runtime has refused strings that are no UTF-8."""
    declared = FileDescriptorProto()
    file.CopyToProto(declared)
    return declared.syntax == "proto3"


def _text(found: str | bytes, _budget: Budget) -> str:
    """Return a string; the runtime returns bytes that are no UTF-8, which proto2 allows."""
    if type(found) is not str:
        raise UnfitError
    return found


_OF_SCALARS: Final[dict[int, Convert]] = {
    FieldDescriptor.TYPE_DOUBLE: lambda number, _budget: finite(number),
    FieldDescriptor.TYPE_FLOAT: lambda number, _budget: float_number(_FLOAT.pack(number)),
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BYTES: lambda content, _budget: base64_text(content),
}
