"""Looks up a path in the config's own JSON Schema.

The checks ask it three questions: which keys are known here, which values are allowed, and whether
this is a secret (which no message may repeat).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from consumer.config.document import Path, Tree, value_at
from consumer.config.models import Config

Schema = dict[str, Any]


@cache
def config_schema() -> Schema:
    """Return the JSON Schema of the config, for editors and for the checks."""
    return Config.model_json_schema()


def schema_at(path: Path, tree: Tree) -> Schema:
    """Return the schema at `path`, {} if unknown; `tree` decides between alternatives."""
    node = _plain(config_schema(), tree)
    for depth, step in enumerate(path, start=1):
        node = _plain(_child(node, step), value_at(tree, path[:depth]))
    return node


def known_keys(path: Path, tree: Tree) -> list[str]:
    """List the keys that a mapping at `path` may have; empty if names are free."""
    return list(schema_at(path, tree).get("properties", ()))


def is_secret(path: Path, tree: Tree) -> bool:
    """Tell whether `path` is a secret field, or a place where anything may be secret."""
    return path[:1] == ("kafka",) or bool(schema_at(path, tree).get("writeOnly"))


def values(schema: Schema) -> list[Any]:
    """List the only values a schema allows; empty if it has no such list."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _child(schema: Schema, step: str | int) -> Schema:
    if isinstance(step, int):
        found = schema.get("items", {})
    elif step in schema.get("properties", {}):
        found = schema["properties"][step]
    else:
        patterns = schema.get("patternProperties", {}).items()
        matching = (child for pattern, child in patterns if re.search(pattern, step))
        found = next(matching, schema.get("additionalProperties", {}))
    return found if isinstance(found, dict) else {}


def referenced(schema: Schema) -> Schema:
    """Return the definition that a `$ref` names, with the keys beside the `$ref`."""
    target = config_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return {**target, **{key: it for key, it in schema.items() if key != "$ref"}}


def _plain(schema: Schema, value: Tree) -> Schema:
    """Follow references, and choose between alternatives by the given value."""
    if "$ref" in schema:
        return _plain(referenced(schema), value)
    if "discriminator" in schema:
        tag = schema["discriminator"]
        named = value.get(tag["propertyName"]) if isinstance(value, dict) else None
        reference = tag["mapping"].get(named) if isinstance(named, str) else None
        return _plain({"$ref": reference}, value) if reference else {}
    options = schema.get("anyOf", schema.get("oneOf"))
    if not options:
        return schema
    plain = (_plain(option, value) for option in options)
    return next((option for option in plain if option.get("type") in _types_of(value)), {})


def _types_of(value: Tree) -> set[str]:
    if isinstance(value, dict):
        return {"object"}
    return {"array"} if isinstance(value, list) else {"string", "integer", "number"}
