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

A pattern is parsed once (`reader`, `operators`) into nodes (`nodes`), from which an explanation
takes each condition (`conditions`). The nodes are compiled to closures (`match`), which match
events; many patterns share an `index`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consumer.routing.patterns.conditions import Condition, conditions_of
from consumer.routing.patterns.match import match_of
from consumer.routing.patterns.nodes import Node
from consumer.routing.patterns.operators import PatternError
from consumer.routing.patterns.reader import PatternErrors, read_pattern

__all__ = ["Pattern", "PatternError", "PatternErrors", "compile_pattern"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `matches(event)`: an object as orjson reads it → bool."""

    matches: Callable[[dict[str, Any]], bool]
    node: Node

    def explain(self, event: dict[str, Any]) -> list[Condition]:
        """List all conditions with what the event has there; all hold if and only if it matches."""
        return conditions_of(self.node, event)


def compile_pattern(pattern: Mapping[str, object]) -> Pattern:
    """Compile a pattern; raises `PatternErrors` with all its errors."""
    node = read_pattern(pattern)
    match = match_of(node)
    return Pattern(lambda event: bool(match(event)), node)
