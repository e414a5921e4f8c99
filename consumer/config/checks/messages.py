"""Translates pydantic's errors to plain sentences: where, what is wrong, what was expected.

Messages repeat only the text as written (`${file:…}` and not its content), and never that of a
secret field.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from pydantic_core import ErrorDetails

from consumer.config.document import Path, Source, Tree
from consumer.config.durations import duration_text
from consumer.config.fields import PATTERN_WORDS
from consumer.config.schema_lookup import is_secret, known_keys, schema_at, values
from consumer.errors import Problem

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "expected more than"),
    "greater_than_equal": ("ge", "expected at least"),
    "less_than": ("lt", "expected less than"),
    "less_than_equal": ("le", "expected at most"),
}
_LATER_FORMATS = {"protobuf"}
NOT_YET = "not supported yet"


_LISTED = 20
"""Names that a message lists, at most."""

_COMPARED = 1000
"""Names that are compared to find the nearest, at most."""


def nearest(word: object, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the nearest of `known`, or ""."""
    text = str(word)[:_COMPARED]
    found = difflib.get_close_matches(text, list(islice(known, _COMPARED)), n=1)
    return f"did you mean '{found[0]}'?" if found else ""


def one_of(word: object, known: Iterable[str]) -> str:
    """Return the nearest of `known`, and all of them."""
    there = list(known)
    more = f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
    listed = f"there are: {', '.join(there[:_LISTED])}{more}" if there else "there are none"
    return " ".join(filter(None, (nearest(word, there), listed)))


def place(error: ErrorDetails, tree: Tree) -> Path:
    """Return the error's path in the config, without pydantic's names of alternatives."""
    path: list[str | int] = []
    node = tree
    for step in error["loc"]:
        if isinstance(node, dict) and step in node:
            node = node[str(step)]
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            continue
        path.append(step)
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    elif error["type"].startswith("union_tag_"):
        path.append("type")
    return tuple(path)


def sentence(error: ErrorDetails, source: Source, path: Path) -> Problem:
    """Translate one of pydantic's errors at `path` to a Problem."""
    kind, context = error["type"], error.get("ctx", {})
    is_key = error["loc"][-1:] == ("[key]",)
    value = path[-1] if is_key else source.at(path)
    message, hint = _message(kind, context, source, path, value)
    if kind == "value_error":
        message = error["msg"].removeprefix("Value error, ")
    if is_key:
        message = f"this name cannot be used: {message}"
    return source.problem(path, message, hint)


def _message(
    kind: str, context: Mapping[str, Any], source: Source, path: Path, value: Tree
) -> tuple[str, str]:
    if kind in {"missing", "union_tag_not_found"}:
        return "is required", _described(path, source.tree)
    if kind == "extra_forbidden":
        return _unknown_key(source, path)
    if kind in _EXPECTED:
        return _wrong_type(_EXPECTED[kind], source, path)
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        return _wrong_choice(context, source, path, value)
    return _out_of_bounds(kind, context, schema_at(path, source.tree)), ""


def _out_of_bounds(kind: str, context: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        if schema.get("type") == "string":
            return f"{words} {duration_text(context[bound])}"
        return f"{words} {context[bound]:,.10g}".replace(",", "")
    if kind == "string_pattern_mismatch":
        return f"expected {PATTERN_WORDS.get(context['pattern'], context['pattern'])}"
    if kind in {"too_short", "string_too_short"}:
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"expected at least {least} entries"
    if kind in {"too_long", "string_too_long"}:
        return f"expected at most {context['max_length']}"
    return f"is not valid ({kind})"


def _unknown_key(source: Source, path: Path) -> tuple[str, str]:
    key = path[-1]
    known = known_keys(path[:-1], source.tree)
    return "is not known here", nearest(key, known) or f"known are: {', '.join(known)}"


def _wrong_type(expected: str, source: Source, path: Path) -> tuple[str, str]:
    value, written = source.at(path), source.written.get(path)
    if expected == "text" and written and value is not None:
        if is_secret(path, source.tree):
            return f"expected text, but YAML reads this as {kind_of(value)}", "write it in quotes"
        hint = f'write it in quotes: "{written}"'
        return f"expected text, but YAML reads {written} as {kind_of(value)}", hint
    found = written if written and not is_secret(path, source.tree) else kind_of(value)
    return f"expected {expected}, found {found}", ""


def _described(path: Path, tree: Tree) -> str:
    return str(schema_at(path, tree).get("description", "")).rstrip(".")


def kind_of(value: Tree) -> str:
    """Name the type of a value in a config author's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return {str: "text", list: "a list", dict: "a mapping"}[type(value)]


def _wrong_choice(
    context: Mapping[str, Any], source: Source, path: Path, value: Tree
) -> tuple[str, str]:
    if path[0] == "inputs" and str(value) in _LATER_FORMATS:
        return f"'{value}' is {NOT_YET}", f"expected {context['expected']}"
    tags = str(context.get("expected_tags", "")).replace(", ", " or ")
    expected = str(context.get("expected", tags))
    allowed = values(schema_at(path, source.tree)) or expected.replace("'", "").replace(
        " or ", ", "
    ).split(", ")
    found = f"'{value}'" if isinstance(value, str) else source.written.get(path, kind_of(value))
    hint = nearest(value, map(str, allowed))
    if isinstance(value, str) and value not in allowed and value in map(str, allowed):
        hint = "write it without quotes"
    return f"expected {expected}, found {found}", hint
