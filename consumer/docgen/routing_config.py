"""The schema of the routing config as written, for editors: closed, and open to references."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from consumer.config.fields import NAME
from consumer.config.include import SECTIONS
from consumer.config.kafka_settings import OWNED
from consumer.config.schema_lookup import config_schema
from consumer.docgen.parts import Schema
from consumer.records.channel import Channel

_REFERENCE: Final = r"\$\{(env:[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?|file:[^{}]+)\}"
_REFERENCES: Final[Schema] = {
    "Reference": {
        "description": "All of it is `${env:NAME}`, `${env:NAME:-default}` or `${file:PATH}`.",
        "type": "string",
        "pattern": f"^{_REFERENCE}$",
    },
    "TextWithReference": {
        "description": "Holds a `${env:NAME}`, `${env:NAME:-default}` or `${file:PATH}`.",
        "type": "string",
        "pattern": f"(^|[^$]){_REFERENCE}",
    },
}
_ABOUT: Final[tuple[str, ...]] = ("title", "description", "default", "examples")


def schema() -> Schema:
    """Return the schema of the config as written: with references where the loader reads them."""
    found: Schema = _as_written(copy.deepcopy(config_schema()))
    found["$defs"] |= _REFERENCES
    found["$defs"]["Recipient"]["minProperties"] = 1
    found["$defs"]["Campaign"] |= {
        "if": {"properties": {"channel": {"const": str(Channel.LINK)}}, "required": ["channel"]},
        "then": {"required": ["link"], "properties": {"link": {"type": "string"}}},
    }
    found["properties"]["kafka"] |= {
        "required": ["bootstrap.servers"],
        "propertyNames": {"not": {"pattern": f"^({OWNED.pattern})$"}},
    }
    return found


def included_schema() -> Schema:
    """Return the schema of a file that a config includes: some of its sections, none required."""
    whole = schema()
    sections: Schema = {key: whole["properties"][key] for key in SECTIONS}
    namespace = {
        "description": "Stands before the names of its routes; else the file's name.",
        "type": "string",
        "pattern": NAME,
    }
    return {
        "$defs": whole["$defs"],
        "additionalProperties": False,
        "description": "A file that a routing config includes.",
        "properties": {"namespace": namespace, **sections},
        "type": "object",
    }


def _as_written(schema: Schema) -> Schema:
    if "discriminator" in schema:
        return _by_type(schema["discriminator"]["mapping"])
    if "patternProperties" in schema:
        schema["additionalProperties"] = False
    for key in schema.keys() & {"properties", "patternProperties", "$defs"}:
        schema[key] = {name: _as_written(part) for name, part in schema[key].items()}
    for key in schema.keys() & {"anyOf", "oneOf"}:
        schema[key] = [_as_written(option) for option in schema[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _as_written(schema[key])
    reference = _reference_for(schema)
    if reference is None:
        return schema
    about: Schema = {key: schema.pop(key) for key in _ABOUT if key in schema}
    return {**about, "anyOf": [schema, {"$ref": f"#/$defs/{reference}"}]}


def _reference_for(schema: Schema) -> str | None:
    """Return which text is an alternative to a value; None if a reference needs none.

    A number or boolean that is not constant takes a whole reference only (the loader converts it);
    a bounded text takes references in part, too. Free texts and secrets need no alternative.
    """
    kind = schema.get("type")
    if kind == "string" and not schema.keys().isdisjoint({"pattern", "enum", "const"}):
        return "TextWithReference"
    if kind in ("integer", "number", "boolean") and "const" not in schema:
        return "Reference"
    return None


def _by_type(mapping: Mapping[str, str]) -> Schema:
    """Choose by `type`, as if/then, so that an error is about one vendor and not all."""
    types = {"anyOf": [{"enum": sorted(mapping)}, {"$ref": "#/$defs/TextWithReference"}]}
    return {
        "type": "object",
        "properties": {"type": {"description": "Which vendor.", **types}},
        "required": ["type"],
        "allOf": [
            {
                "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                "then": {"$ref": reference},
            }
            for kind, reference in sorted(mapping.items())
        ],
    }
