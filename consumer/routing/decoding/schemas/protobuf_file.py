"""Compiles the descriptors of a protobuf file to the readers of its messages.

Each file has a descriptor pool of its own: schemas may define a name differently. An import that is
neither a reference nor a part of protobuf counts as an empty file, for it may be there for options
alone, which no reader needs; a type that it should have defined makes the schema unusable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from consumer.routing.decoding.schemas.protobuf import MessageReader, ProtobufSchema
from consumer.routing.decoding.schemas.protobuf_readers import Budget, Convert, Readers
from consumer.routing.decoding.schemas.schema_book import SchemaError
from consumer.routing.decoding.schemas.schema_value import UnfitError

_ROOT: Final = "the schema of the record.proto"
"""The name of a file that has none which others import."""

_SPARE_VALUES: Final = 10_000
"""Values that an event may have beside one for each byte: fields that are not written are there
with their defaults, so that two bytes could make a message of a hundred fields."""

_ENTRY: Final = [
    ("key", 1, FieldDescriptorProto.LABEL_OPTIONAL),
    ("value", 2, FieldDescriptorProto.LABEL_OPTIONAL),
]
_OF_PROTOBUF: Final = re.compile(r"google/(?:protobuf|type)/[a-z_]+\.proto").fullmatch


def protobuf_schema(root: bytes, references: Mapping[str, bytes]) -> ProtobufSchema:
    """Compile a file. `root`: its FileDescriptorProto; `references`: path → that of a file that is
    imported by this path. Raises SchemaError."""
    files = {path: _parsed(content) for path, content in references.items()}
    with _refusing():
        file = _Pool(files).add(_ROOT, _parsed(root))
        return _messages(file, decimals=_has_decimals(root, *references.values()))


def described_message(image: bytes, name: str) -> tuple[MessageReader, ProtobufSchema]:
    """Return the reader of a message of a FileDescriptorSet by its full name, and the schema of its
    file. Raises SchemaError."""
    found = _image(image)
    with _refusing():
        pool = _Pool({file.name: file for file in found.file})
        for file in found.file:
            pool.add(file.name, file)
    try:
        descriptor = pool.pool.FindMessageTypeByName(name)
    except KeyError:
        raise SchemaError(f"has no message {name!r}") from None
    schema = _messages(descriptor.file, decimals=_has_decimals(image))
    return _MessageReader(descriptor), schema


def files_of(image: bytes) -> dict[str, bytes]:
    """Return the files of a FileDescriptorSet by their paths. Raises SchemaError."""
    return {file.name: file.SerializeToString() for file in _image(image).file}


def image_of(files: Iterable[bytes]) -> bytes:
    """Return the FileDescriptorSet of files; nothing for none. Raises SchemaError."""
    return FileDescriptorSet(file=map(_parsed, files)).SerializeToString()


def renamed(file: bytes, path: str) -> bytes:
    """Return a file under the path by which others import it. Raises SchemaError."""
    found = _parsed(file)
    found.name = path
    return found.SerializeToString()


class _Pool:
    """A descriptor pool that is filled with files and what they import."""

    def __init__(self, files: Mapping[str, FileDescriptorProto]) -> None:
        self.pool: Any = DescriptorPool()
        self._files, self._added = files, set[str]()

    def add(self, path: str, file: FileDescriptorProto) -> FileDescriptor:
        """Add a file under this path, after those that it imports."""
        if path not in self._added:
            self._added.add(path)
            for imported in file.dependency:
                self.add(imported, self._files.get(imported) or _file_of_protobuf(imported))
            file.name = path
            _check_maps(file.message_type)
            self.pool.AddSerializedFile(file.SerializeToString())
        found: FileDescriptor = self.pool.FindFileByName(path)
        return found


def _check_maps(messages: Iterable[DescriptorProto]) -> None:
    """Refuse entries of maps as no compiler writes them: the runtime trusts descriptors, and would
    end the process when it reads such a map."""
    for message in messages:
        fields = [(field.name, field.number, field.label) for field in message.field]
        if message.options.map_entry and sorted(fields) != _ENTRY:
            raise SchemaError("is no valid Protobuf schema: a map without key and value")
        _check_maps(message.nested_type)


@contextmanager
def _refusing() -> Iterator[None]:
    """Translate what the runtime raises for a wrong schema; its messages repeat the schema."""
    try:
        yield
    except SchemaError:
        raise
    except (TypeError, ValueError, KeyError, RecursionError):
        raise SchemaError("is no valid Protobuf schema, or lacks what it imports") from None


def _image(content: bytes) -> FileDescriptorSet:
    try:
        return FileDescriptorSet.FromString(content)
    except DecodeError:
        raise SchemaError("is no FileDescriptorSet") from None


def _parsed(content: bytes) -> FileDescriptorProto:
    try:
        return FileDescriptorProto.FromString(content)
    except DecodeError:
        raise SchemaError("is no Protobuf schema") from None


def _file_of_protobuf(path: str) -> FileDescriptorProto:
    if _OF_PROTOBUF(path):
        try:
            module = import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")
        except ImportError:
            return FileDescriptorProto(name=path)
        return FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    if path == "confluent/type/decimal.proto":
        return _confluent_decimal()
    return FileDescriptorProto(name=path)


def _confluent_decimal() -> FileDescriptorProto:
    """Return what Confluent's registry knows under this path without a reference."""
    file = FileDescriptorProto(package="confluent.type", syntax="proto3")
    fields = file.message_type.add(name="Decimal").field
    kinds: Sequence[tuple[str, FieldDescriptorProto.Type.ValueType]] = (
        ("value", FieldDescriptorProto.TYPE_BYTES),
        ("precision", FieldDescriptorProto.TYPE_UINT32),
        ("scale", FieldDescriptorProto.TYPE_INT32),
    )
    for number, (name, kind) in enumerate(kinds, 1):
        fields.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    return file


def _has_decimals(*files: bytes) -> bool:
    """Return whether files may use a type of decimals: they name it, then."""
    return any(name in file for file in files for name in (b"Decimal", b"Money"))


def _messages(file: FileDescriptor, *, decimals: bool) -> ProtobufSchema:
    declared = FileDescriptorProto()
    file.CopyToProto(declared)
    top = [file.message_types_by_name[message.name] for message in declared.message_type]
    messages = {place: _MessageReader(found) for place, found in _places((), top)}
    return ProtobufSchema(messages, decimals)


def _places(
    above: tuple[int, ...], messages: Sequence[Descriptor]
) -> Iterator[tuple[tuple[int, ...], Descriptor]]:
    for number, message in enumerate(messages):
        place = (*above, number)
        yield place, message
        yield from _places(place, message.nested_types)


class _MessageReader:
    """Reads a message's bytes; compiled when it is first called, for few of a file's are."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._compiled: tuple[type[Message], Convert] | None = None

    def __call__(self, datum: bytes) -> dict[str, Any]:
        """Read one message. Raises UnfitError."""
        budget = Budget(len(datum) + _SPARE_VALUES)
        try:
            kind, walk = self._compiled = self._compiled or self._compile()
            message = kind.FromString(datum)
            if not kind.IsInitialized(message):  # a `required` field is missing
                raise UnfitError
            found: dict[str, Any] = walk(message, budget)
        except (DecodeError, ValueError, ArithmeticError, RecursionError):
            raise UnfitError from None
        return found

    def _compile(self) -> tuple[type[Message], Convert]:
        return GetMessageClass(self._descriptor), Readers().message(self._descriptor)
