"""Compiles nodes to closures that match events; the router calls them for every event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import product
from typing import Any, Final

from consumer.routing.patterns.nodes import ABSENT, Field, Leaf, Match, Node
from consumer.routing.patterns.scalars import SCALARS, Item, any_of

SHARED: Final = 1_000
"""Compiled conditions that later patterns can share."""


class Missing:
    """The type of a missing key, so that one table look-up covers it."""


MISSING: Final = Missing()


def table_of(items: Sequence[Item], *, absent: bool) -> Mapping[type, Match]:
    """Map the type of an event's value to a field's match, a missing key included."""
    nothing = ABSENT if absent else False
    table: dict[type, Match] = {
        kind: any_of([item[kind] for item in items if kind in item]) for kind in SCALARS
    }

    def in_array(values: list[Any]) -> int:
        found = [value for value in flat(values) if type(value) is not dict]
        return any(table[type(value)](value) for value in found) if found else nothing

    table[list] = in_array
    table[dict] = table[Missing] = lambda _value: nothing
    return table


def match_of(node: Node) -> Match:
    """Compile an object of the pattern to a match of an object of the event."""
    if node.shares_objects():
        merged = (reduce(Node.merged, chosen, Node(node.fields)) for chosen in product(*node.ors))
        return _one_of([match_of(node) for node in merged])
    conditions = [match for key, asked in node.fields.items() for match in _of_field(key, asked)]
    conditions += [_one_of([match_of(child) for child in group]) for group in node.ors]
    return _all_of(conditions) if node.accepts_absence() else _all_there(conditions)


@lru_cache(maxsize=SHARED)
def at_leaf(key: str, leaf: Leaf) -> Match:
    """Compile the values of one key to a match of an object of the event."""
    table = leaf.table

    def match(event: dict[str, Any]) -> int:
        value = event.get(key, MISSING)
        return table[type(value)](value)

    return match


@lru_cache(maxsize=SHARED)
def at_object(key: str, inside: Match) -> Match:
    """Compile a nested object: of an array's elements, one must satisfy all of it."""
    nothing = ABSENT if inside({}) else False

    def match(event: dict[str, Any]) -> int:
        value = event.get(key)
        if type(value) is dict:
            return inside(value)
        if type(value) is not list:
            return nothing
        found = [inside(element) for element in flat(value) if type(element) is dict]
        if not found:
            return nothing
        return True in found or (ABSENT if all(found) else False)

    return match


def flat(values: list[Any]) -> Iterator[Any]:
    """Yield the elements of nested arrays. Uses a stack: an event may nest arbitrarily deep."""
    stack = values[:]
    while stack:
        value = stack.pop()
        if type(value) is list:
            stack += value
        else:
            yield value


def _of_field(key: str, asked: Field) -> Iterator[Match]:
    for leaf in asked.leaves:
        yield at_leaf(key, leaf)
    if asked.node:
        yield at_object(key, match_of(asked.node))


def _all_there(conditions: list[Match]) -> Match:
    """Combine conditions that all must hold, none of which can answer ABSENT."""
    if len(conditions) == 1:
        return conditions[0]
    if len(conditions) == 2:
        one, two = conditions
        return lambda event: one(event) and two(event)

    def match(event: dict[str, Any]) -> int:
        for condition in conditions:  # noqa: SIM110 - all() with a generator costs twice as much
            if not condition(event):
                return False
        return True

    return match


def _all_of(conditions: list[Match]) -> Match:
    """Combine conditions that all must hold; ABSENT if they hold only by absence."""

    def match(event: dict[str, Any]) -> int:
        answers = [condition(event) for condition in conditions]
        return all(answers) and (True in answers or ABSENT)

    return match


def _one_of(alternatives: list[Match]) -> Match:
    def match(event: dict[str, Any]) -> int:
        best = 0
        for alternative in alternatives:
            answer = alternative(event)
            if answer == 1:
                return True
            best = best or answer
        return best

    return match
