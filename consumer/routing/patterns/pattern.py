"""Event patterns (content-based routing): which events a route takes, as explainable data.

The rules are those of event-ruler, the engine of Amazon EventBridge
(github.com/aws/event-ruler, README), without `cidr`:

* a field's list of values holds when any value of it holds; all fields must hold;
* an array in the event stands for its elements: any scalar may match, and the conditions of one
  nested object must hold within one element, also when `$or` spreads them;
* `exists: false` holds for a field that has no scalar. Under an array it applies to the element
  that the other conditions chose, and to all elements if no other condition chose one;
* a key with dots leads into objects (`reader`).

Differences: `anything-but` also takes booleans, null and mixed lists, a bare scalar is a one-item
list, a field named both beside and inside `$or` must satisfy both, and the empty pattern matches
every event.

A pattern is parsed once (`reader`, `operators`) into nodes (`nodes`), which explain a mismatch.
The nodes are compiled to closures (`match`), which match events; many patterns share an `index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consumer.routing.patterns.match import at_leaf, at_object, match_of
from consumer.routing.patterns.nodes import OR, Node
from consumer.routing.patterns.operators import PatternError
from consumer.routing.patterns.reader import PatternErrors, read_pattern

__all__ = ["Pattern", "PatternError", "PatternErrors", "compile_pattern"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `matches(event)`: an object as orjson reads it → bool."""

    matches: Callable[[dict[str, Any]], bool]
    node: Node

    def explain(self, event: dict[str, Any]) -> list[str]:
        """List the conditions that failed: their paths and the wanted values, no event values."""
        if self.matches(event):
            return []
        return list(_failures(self.node, event, "")) or [
            f"no single array element holds the conditions beside and inside {OR}"
        ]


def compile_pattern(pattern: Mapping[str, object]) -> Pattern:
    """Compile a pattern; raises `PatternErrors` with all its errors."""
    node = read_pattern(pattern)
    match = match_of(node)
    return Pattern(lambda event: bool(match(event)), node)


def _failures(node: Node, event: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, asked in node.fields.items():
        for leaf in asked.leaves:
            if not at_leaf(key, leaf)(event):
                missing = "" if key in event else "is missing, "
                yield f"{prefix}{key}: {missing}wanted {leaf.text}"
        if asked.node and not at_object(key, match_of(asked.node))(event):
            yield from _inside(asked.node, event.get(key), prefix + key)
    for group in node.ors:
        if not any(match_of(child)(event) for child in group):
            failed = (" and ".join(_failures(child, event, prefix)) for child in group)
            yield f"{prefix}{OR}: no alternative holds: " + "; or ".join(failed)


def _inside(node: Node, value: object, path: str) -> Iterator[str]:
    if isinstance(value, list):
        yield f"{path}: no element of the array holds all its conditions"
    else:
        yield from _failures(node, value if isinstance(value, dict) else {}, f"{path}.")
