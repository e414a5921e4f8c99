"""Compiles an Avro schema to the reader of its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from consumer.routing.decoding.schemas import avro_binary as binary
from consumer.routing.decoding.schemas.avro_binary import Datum, Reader
from consumer.routing.decoding.schemas.avro_values import base64_text, of_bytes, of_number
from consumer.routing.decoding.schemas.schema_book import SchemaError
from consumer.routing.decoding.schemas.schema_value import UnfitError

_PLAIN: Final[Mapping[str, Reader]] = {
    "null": binary.read_null,
    "boolean": binary.read_boolean,
    "int": binary.read_long,
    "long": binary.read_long,
    "float": binary.read_float,
    "double": binary.read_double,
    "bytes": binary.then(binary.read_bytes, base64_text),
    "string": binary.read_string,
}


def avro_reader(text: str, references: Iterable[str] = ()) -> Reader:
    """Compile a schema. `references`: the schemas whose names it uses, each after those that it
    uses itself. Raises SchemaError."""
    compiler = _Compiler()
    try:
        for reference in references:
            compiler.reader(orjson.loads(reference), "")
        return compiler.reader(orjson.loads(text), "")
    except SchemaError:
        raise
    except orjson.JSONDecodeError:
        raise SchemaError("is no JSON") from None
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise SchemaError("is no Avro schema") from None


class _Compiler:
    """The named types of one schema so far."""

    def __init__(self) -> None:
        self._named: dict[str, Reader] = {}

    def reader(self, schema: Any, space: str) -> Reader:
        """Return the reader of a schema inside a namespace."""
        if type(schema) is list:
            return binary.union_reader([self.reader(branch, space) for branch in schema])
        if type(schema) is str:
            return self._called(schema, space)
        kind = schema["type"]
        if kind in ("array", "map"):
            make = binary.array_reader if kind == "array" else binary.map_reader
            return make(self.reader(schema["items" if kind == "array" else "values"], space))
        if kind in ("record", "error", "enum", "fixed"):
            return self._defined(kind, schema, space)
        if type(kind) is not str or kind not in _PLAIN:
            return self.reader(kind, space)
        return _logical(kind, schema)

    def _called(self, name: str, space: str) -> Reader:
        if name in _PLAIN:
            return _PLAIN[name]
        full = name if "." in name or not space else f"{space}.{name}"
        found = self._named.get(full) or self._named.get(name)
        if found is None:
            raise SchemaError(f"uses the type {name!r}, which it does not define")
        return found

    def _defined(self, kind: str, schema: Mapping[str, Any], space: str) -> Reader:
        space, full = _full_name(schema, space)
        if kind == "enum":
            found = binary.chosen_reader(tuple(map(str, schema["symbols"])))
        elif kind == "fixed":
            found = binary.then(binary.fixed_reader(int(schema["size"])), of_bytes(schema))
        else:
            fields: dict[str, Reader] = {}
            found = self._named[full] = binary.record_reader(fields)
            for field in schema["fields"]:
                fields[str(field["name"])] = self.reader(field["type"], space)
        self._named[full] = found
        return found


def _full_name(schema: Mapping[str, Any], space: str) -> tuple[str, str]:
    """Return the namespace of a definition, and its name with it."""
    name = str(schema["name"])
    if "." in name:
        return name.rpartition(".")[0], name
    space = str(schema.get("namespace", space))
    return space, f"{space}.{name}" if space else name


def _logical(kind: str, schema: Mapping[str, Any]) -> Reader:
    if kind == "bytes":
        return binary.then(binary.read_bytes, of_bytes(schema))
    convert = of_number(schema.get("logicalType")) if kind in ("int", "long") else None
    return binary.then(_PLAIN[kind], convert) if convert else _PLAIN[kind]


def read_whole(read: Reader, content: bytes) -> Any:
    """Read one value that ends with the bytes; raises UnfitError."""
    datum = Datum(content)
    try:
        found = read(datum)
    except (IndexError, ValueError, OverflowError, RecursionError):
        raise UnfitError from None
    if datum.at != len(content):
        raise UnfitError
    return found
