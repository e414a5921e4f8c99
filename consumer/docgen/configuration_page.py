"""The page of all config keys: its tables come from the models, its text from the .md file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from consumer.config.fields import (
    EXPRESSION_EXAMPLES,
    KEY_ID,
    NAME,
    PATTERN_WORDS,
    TOPIC,
    TOPIC_SAFE,
)
from consumer.config.schema_lookup import config_schema, referenced
from consumer.docgen.parts import Schema, fill_page

_WORDS: Final = {
    NAME: "name",
    TOPIC_SAFE: "small name",
    TOPIC: "topic's name",
    KEY_ID: PATTERN_WORDS[KEY_ID],
}
_AS_IT_IS: Final = ("librdkafka", "http")
"""Words that begin a sentence without a capital."""


_Written = list[tuple[str, Schema]]
"""Paths and properties of the sections that the page has so far."""


def page_text() -> str:
    """Return the page in Markdown; its links start in the folder `docs`."""
    sections = _section("", config_schema(), "The top of the file.", [])
    return fill_page("configuration_page", sections="\n".join(sections).removesuffix("\n"))


def _section(path: str, schema: Schema, about: str, written_before: _Written) -> Iterator[str]:
    """Yield a heading, a table of keys, and the sections of the mappings among them.

    Keys that another section has all of are not repeated.
    """
    deeper: list[tuple[str, Schema]] = []
    properties, same_as = _new_keys(schema["properties"], written_before)
    written_before.append((path, schema["properties"]))
    yield f"### {path or 'Top level'}\n"
    if about:
        yield f"{_sentence(about)}\n"
    if same_as:
        yield f"All keys of {same_as}{', and:' if properties else '.'}\n"
    if properties:
        yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key, written in properties.items():
        node = _plain_schema(written)
        inner = _inner_mappings(node)
        meaning = str(written.get("description") or node.get("description", ""))
        default = _describe_default(key, written, schema)
        yield f"| `{key}` | {_describe_value(node)} | {default} | {_cell(_sentence(meaning))} |"
        deeper += [(_join_path(path, key, step), below) for step, below in inner]
    if properties:
        yield ""
    for there, below in _merge_equal(deeper):
        about = str(below.get("description", "")).split("\n\n", 1)[0]
        yield from _section(there, below, about, written_before)


def _new_keys(properties: Schema, written_before: _Written) -> tuple[Schema, str]:
    """Return the keys that no section before has, and the path of the one that has the others."""
    for path, known in written_before:
        if len(known) > 2 and known.items() <= properties.items():
            return {key: properties[key] for key in properties if key not in known}, path
    return properties, ""


def _join_path(path: str, key: str, step: str) -> str:
    """Join `campaigns.<name>` and `window` to `campaigns.<name>.window`, as code."""
    before, _, kind = path.strip("`").partition("` ")
    return f"`{before}.{key}{step}".replace("`.", "`") + "`" + (f" {kind}" if kind else "")


def _merge_equal(sections: list[tuple[str, Schema]]) -> Iterator[tuple[str, Schema]]:
    """Merge sections with the same keys."""
    merged: dict[str, tuple[str, Schema]] = {}
    for path, schema in sections:
        keys = json.dumps(schema["properties"], sort_keys=True)
        if keys in merged:
            path = f"{merged[keys][0]}, `{path.rpartition('.')[2]}"  # noqa: PLW2901 - the longer one
            schema = {**schema, "description": ""}  # noqa: PLW2901 - none speaks for all
        merged[keys] = path, schema
    yield from merged.values()


def _inner_mappings(node: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the values below this one that have keys of their own, each with its step."""
    yield from _mappings_of("", node)
    for entry in node.get("patternProperties", {}).values():
        yield from _mappings_of(".<name>", entry)
    if "items" in node:
        yield from _mappings_of("[]", node["items"])


def _mappings_of(step: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield a value if it has keys of its own; of a choice each such alternative."""
    kinds = node.get("discriminator", {}).get("mapping", {})
    for kind, reference in sorted(kinds.items()):
        yield f"{step} ({kind})", _plain_schema({"$ref": reference})
    for option in () if kinds else node.get("oneOf", (node,)):
        plain = _plain_schema(option)
        if "properties" in plain:
            yield step, plain


def _plain_schema(schema: Schema) -> Schema:
    """Follow a reference, and drop the alternative null: such a key may be left out."""
    if schema.get("$ref"):
        return referenced(schema)
    others = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return {**_plain_schema(others[0]), **schema} if len(others) == 1 else schema


def _describe_value(node: Schema) -> str:
    """Describe a value: its kind and its bounds."""
    if "const" in node:
        return f"`{_as_written(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"]).replace("|", "\\|")
    if node.get("writeOnly"):
        return "text, secret"
    if "oneOf" in node:
        described = (_describe_value(_plain_schema(option)) for option in node["oneOf"])
        return " or ".join(dict.fromkeys(described))
    kind = _KINDS.get(str(node.get("type")))
    return kind(node) if kind else "any"


def _describe_list(node: Schema) -> str:
    return f"list of: {_describe_value(_plain_schema(node.get('items', {})))}"


def _describe_mapping(node: Schema) -> str:
    for pattern, entry in node.get("patternProperties", {}).items():
        return f"{_WORDS[pattern]} → {_describe_value(_plain_schema(entry))}"
    return "mapping, below" if "properties" in node else "mapping"


def _describe_text(node: Schema) -> str:
    pattern = node.get("pattern", "")
    examples = ", ".join(f"`{example}`" for example in node.get("examples", ()))
    if pattern in _WORDS:
        return _WORDS[pattern]
    if not examples:
        return "text"
    if not pattern:
        expression = node["examples"] == list(EXPRESSION_EXAMPLES)
        return f"{'expression' if expression else 'text'}, as {examples}"
    return f"{'limit' if '/' in pattern else 'duration'}, as {examples}"


def _describe_bounds(node: Schema) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above = node.get("exclusiveMinimum")
    parts = [f"above {_number(above)}"] if above is not None else []
    parts += [f"from {_number(low)}"] if low is not None and above is None else []
    parts += [f"to {_number(high)}"] if high is not None else []
    return "".join(f" {part}" for part in parts)


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _describe_default(key: str, written: Schema, holder: Schema) -> str:
    if key in holder.get("required", ()):
        return "**required**"
    default: Any = written.get("default")
    if default in (None, {}, []) or isinstance(default, dict):
        return "–"
    return f"`{_as_written(default)}`"


def _as_written(value: object) -> str:
    """Format a value as a user would write it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)


def _sentence(text: str) -> str:
    """Make a sentence of a description, which may lack its capital and full stop."""
    if not text.startswith(_AS_IT_IS):
        text = text[:1].upper() + text[1:]
    return f"{text.removesuffix('.')}." if text else ""


def _cell(text: str) -> str:
    """Format text for a table cell: one line, with the signs of tables and HTML escaped."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]  # outside of code
    return "`".join(parts)


_KINDS: Final[Mapping[str, Callable[[Schema], str]]] = {
    "integer": lambda node: f"whole number{_describe_bounds(node)}",
    "number": lambda node: f"number{_describe_bounds(node)}",
    "boolean": lambda _: "`true`, `false`",
    "array": _describe_list,
    "object": _describe_mapping,
    "string": _describe_text,
}
