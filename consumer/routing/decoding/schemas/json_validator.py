"""Validates values against a JSON Schema (the extra `json-schema`).

jsonschema_rs and not a validator in Python: a schema's `pattern` cannot run for ever on a hostile
value, and an event takes microseconds. Nothing is fetched: a schema uses what its registry refers
to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs
import orjson

from consumer.routing.decoding.schemas.schema_book import SchemaError


def compile_validator(
    text: str, references: Mapping[str, str]
) -> Callable[[dict[str, Any]], str | None]:
    """Return what says where a value does not fit, or None. `references`: name → schema, as `$ref`
    has it. Raises SchemaError."""
    schema, used = _parsed(text), {name: _parsed(other) for name, other in references.items()}

    def retrieve(uri: str) -> Any:
        for name, other in used.items():
            if uri == name or uri.endswith(f"/{name}") or uri == _id(other):
                return other
        raise LookupError

    try:
        validator = jsonschema_rs.validator_for(schema, retriever=retrieve)
    except (jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError, ValueError):
        raise SchemaError("is no valid JSON Schema, or lacks what it refers to") from None

    def misfit(value: dict[str, Any]) -> str | None:
        if validator.is_valid(value):
            return None
        first = next(iter(validator.iter_errors(value)))
        return f"`{_place(first)}` fails its `{first.schema_path[-1]}`"

    return misfit


def _parsed(text: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SchemaError("is no JSON") from None
    if type(found) in (dict, bool):
        return found
    raise SchemaError("is no valid JSON Schema")


def _id(schema: Any) -> str | None:
    return schema.get("$id") if type(schema) is dict else None


def _place(error: Any) -> str:
    """Return the JSON path of a misfit. A name that the schema does not have may be personal (an
    object with e-mail addresses as keys): it becomes `*`."""
    known = set(error.evaluation_path)
    parts = (
        f"[{part}]" if type(part) is int else f".{part}" if part in known else ".*"
        for part in error.instance_path
    )
    return "$" + "".join(parts)
