"""Finds wrong names in `lookup('stores', store.code, 'location_id')` of an expression."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from consumer.config.checks.expression_tokens import nodes_of
from consumer.config.checks.messages import one_of
from consumer.routing import lookup
from consumer.routing.expressions import syntax_tree

Said = tuple[str, str]
"""A message and a hint."""


def wrong_names(
    expression: str, tables: Collection[str], columns: Mapping[str, Collection[str]]
) -> Iterator[Said]:
    """Yield what refuses an expression: a literal that names no table, or no column of it.

    `tables`: all that there are; `columns`: of those that could be read.
    """
    for table, column in _calls(expression):
        name, word = table.get("value"), column.get("value")
        if table["type"] == "literal" and _lacks(tables, name):
            yield f"{lookup.FUNCTION}(): {_no('table', name)} under `tables`", one_of(name, tables)
            continue
        known = columns.get(name) if table["type"] == column["type"] == "literal" else None
        if known is not None and _lacks(known, word):
            message = f"{lookup.FUNCTION}(): {_no('column', word)} in table '{name}'"
            yield message, one_of(word, known)


def fields_for_names(expression: str, tables: Collection[str]) -> Iterator[Said]:
    """Yield a warning where a table is named without quotes, which is a field of the event."""
    for table, _ in _calls(expression):
        if table["type"] == "field" and table["value"] in tables:
            name = table["value"]
            yield f"{name} is a field here, not a table", f"a table's name has quotes: '{name}'"


def _calls(expression: str) -> Iterator[tuple[Any, Any]]:
    """Yield the first and the last argument of each call."""
    if lookup.FUNCTION not in expression:
        return
    for node in nodes_of(syntax_tree(expression)):
        if node["type"] == "function_expression" and node["value"] == lookup.FUNCTION:
            table, _, column = node["children"]
            yield table, column


def _lacks(known: Collection[str], name: object) -> bool:
    return not isinstance(name, str) or name not in known


def _no(kind: str, name: object) -> str:
    return f"no {kind} '{name}'" if isinstance(name, str) else f"a {kind}'s name must be text"
