"""Takes a pattern apart for an explanation: each condition, and what an event has at its place.

An object's conditions hold one by one if and only if the object matches. Two cases need care,
because one array element must satisfy all conditions of one object:

- An array is one condition, whose `expected` is the object as the pattern has it. Its alternatives
  are the elements, the first few. (An `exists: false` alone must hold in all of them.)
- `$or` may spread the conditions of one array over alternatives. Where each of them holds in an
  element of its own but none in all, `$or` is one more condition, which fails; where the chosen
  element satisfies all, they hold, also if another element would not satisfy one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from consumer.routing.patterns.match import MISSING, at_leaf, at_object, flat, match_of
from consumer.routing.patterns.nodes import OR, Node

MOST_ELEMENTS: Final = 5
"""Elements of an array that are explained, at most."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `path`: keys with dots. `found`: the event's own value, which may be personal
    data; `MISSING` without one. `alternatives`: of an `$or`, or the elements of
    an array of objects; one of them must hold as a whole."""

    path: str
    expected: Any
    found: Any
    holds: bool
    alternatives: Sequence[Sequence[Condition]] = ()


def conditions_of(node: Node, event: dict[str, Any], prefix: str = "") -> list[Condition]:
    """Return all conditions of an object; all hold if and only if it matches."""
    found = [*_fields(node, event, prefix), *_ors(node, event, prefix)]
    matches, hold = bool(match_of(node)(event)), all(condition.holds for condition in found)
    if matches and not hold:
        return [replace(condition, holds=True) for condition in found]
    if hold and not matches:
        found.append(Condition(prefix + OR, "one array element for all", None, False))
    return found


def _fields(node: Node, event: dict[str, Any], prefix: str) -> Iterator[Condition]:
    for key, asked in node.fields.items():
        path, value = prefix + key, event.get(key, MISSING)
        for leaf in asked.leaves:
            yield Condition(path, leaf.accepted, value, bool(at_leaf(key, leaf)(event)))
        if asked.node is None:
            continue
        if isinstance(value, list):
            holds = bool(at_object(key, match_of(asked.node))(event))
            elements = [element for element in flat(value) if type(element) is dict]
            first = elements[: -MOST_ELEMENTS - 1 : -1]  # `flat` begins with the last
            inside = [conditions_of(asked.node, element, f"{path}.") for element in first]
            yield Condition(path, as_written(asked.node), value, holds, inside)
        else:
            yield from conditions_of(asked.node, value if type(value) is dict else {}, f"{path}.")


def _ors(node: Node, event: dict[str, Any], prefix: str) -> Iterator[Condition]:
    for group in node.ors:
        alternatives = [conditions_of(child, event, prefix) for child in group]
        holds = any(bool(match_of(child)(event)) for child in group)
        expected = [as_written(child) for child in group]
        yield Condition(prefix + OR, expected, None, holds, alternatives)


def as_written(node: Node) -> dict[str, Any]:
    """Return an object of a pattern as the config has it, with nested keys for dotted ones."""
    written: dict[str, Any] = {
        key: asked.leaves[0].accepted if asked.node is None else as_written(asked.node)
        for key, asked in node.fields.items()
    }
    if node.ors:
        groups = [[as_written(child) for child in group] for group in node.ors]
        written[OR] = groups[0] if len(groups) == 1 else groups
    return written
