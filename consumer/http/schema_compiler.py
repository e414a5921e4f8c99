"""From a registry's schema to what reads its values."""

from __future__ import annotations

import base64
import binascii
from importlib.util import find_spec
from typing import Final

import orjson

from consumer.http.proto_compiler import compile_texts
from consumer.http.schema_registry import FoundSchema
from consumer.routing.decoding.schemas.avro import AvroSchema
from consumer.routing.decoding.schemas.avro_schema import avro_reader
from consumer.routing.decoding.schemas.json_schema import JsonSchema
from consumer.routing.decoding.schemas.protobuf import ProtobufSchema
from consumer.routing.decoding.schemas.schema_book import KnownSchema, SchemaError

NO_VALIDATOR: Final = (
    "is JSON Schema, and no validator is installed: pip install 'survey-dispatcher[json-schema]'"
)
_ROOT: Final = "the-schema-of-the-record.proto"


def readable(found: FoundSchema) -> KnownSchema | str:
    """Return what reads a schema's values, or why there is none. Raises RegistryUnavailable where
    this machine cannot compile it."""
    try:
        match found.kind:
            case "AVRO":
                texts = [reference.text for reference in found.references]
                read = avro_reader(found.text, texts)
                return AvroSchema(read, any(map(_has_decimals, (found.text, *texts))))
            case "PROTOBUF":
                return _protobuf(found)
            case "JSON":
                return _json(found)
            case _:
                return f"is of type {found.kind}, which no format reads"
    except SchemaError as error:
        return str(error)


def descriptor_of(text: str) -> bytes | None:
    """Return the FileDescriptorProto that a registry gives as base64; None for the text of a .proto
    file, which has blanks."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _has_decimals(text: str) -> bool:
    """Return whether JSON has the word, however it is escaped."""
    return b"decimal" in orjson.dumps(orjson.loads(text))


def _json(found: FoundSchema) -> JsonSchema:
    if find_spec("jsonschema_rs") is None:
        raise SchemaError(NO_VALIDATOR)
    # Imported here: the library is an extra.
    from consumer.routing.decoding.schemas.json_validator import compile_validator  # noqa: PLC0415

    references = {reference.name: reference.text for reference in found.references}
    return JsonSchema(compile_validator(found.text, references))


def _protobuf(found: FoundSchema) -> ProtobufSchema:
    # Imported here: the protobuf runtime takes 20 ms to load, and few configs need it.
    from consumer.routing.decoding.schemas import protobuf_file  # noqa: PLC0415

    texts, files = dict[str, str](), dict[str, bytes]()
    for path, text in [*((part.name, part.text) for part in found.references), (_ROOT, found.text)]:
        content = descriptor_of(text)
        if content is None:
            texts[path] = text
        else:
            files[path] = protobuf_file.renamed(content, path)
    if texts:
        image = compile_texts(texts, protobuf_file.image_of(files.values()))
        files = protobuf_file.files_of(image) | files
    root = files.pop(_ROOT)
    return protobuf_file.protobuf_schema(root, files)
