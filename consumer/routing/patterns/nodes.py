"""The parsed pattern: objects, their fields, and the values that a field may have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Match = Callable[[Any], int]
"""Answers False, True, or ABSENT (holds only because a field is missing)."""

ABSENT: Final = 2
OR: Final = "$or"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Leaf:
    """The list of values of one field; `table` maps the type of the event's value to its match.

    `absent`: one of the values is `exists: false`. `accepted`: the list as written. Patterns share
    the leaf of equal lists, and with it what `match` compiles: of many routes little is cold.
    """

    table: Mapping[type, Match]
    absent: bool
    accepted: Sequence[Any]

    @property
    def text(self) -> str:
        """The list in JSON; not by orjson, because a pattern may hold integers beyond 64 bits."""
        return json.dumps(self.accepted, default=str, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Field:
    """The conditions of one key: all of `leaves` (more than one only through `$or`), and `node`."""

    leaves: list[Leaf]
    node: Node | None


@dataclass(frozen=True, slots=True)
class Node:
    """An object of the pattern: all fields, and one alternative of each `$or`."""

    fields: dict[str, Field] = field(default_factory=dict)
    ors: list[list[Node]] = field(default_factory=list)

    def accepts_absence(self) -> bool:
        """Tell whether any condition in this object can hold because a field is missing."""
        leaves = (leaf for asked in self.fields.values() for leaf in asked.leaves)
        return any(leaf.absent for leaf in leaves) or any(
            child.accepts_absence() for child in self._children()
        )

    def combinations(self) -> int:
        """Count the ways to choose one alternative of each `$or`, here and below."""
        below = math.prod(f.node.combinations() for f in self.fields.values() if f.node)
        return below * math.prod(sum(node.combinations() for node in group) for group in self.ors)

    def shares_objects(self) -> bool:
        """Tell whether an object has conditions beside and inside `$or`.

        Then one array element must satisfy all of them."""
        groups = [Node(self.fields).object_keys()]
        groups += [{key for node in group for key in node.object_keys()} for group in self.ors]
        return sum(map(len, groups)) > len(set().union(*groups))

    def merged(self, other: Node) -> Node:
        """Return one node with the conditions of both."""
        fields = dict(self.fields)
        for key, asked in other.fields.items():
            known = fields.get(key, Field([], None))
            both = known.node.merged(asked.node) if known.node and asked.node else None
            fields[key] = Field(known.leaves + asked.leaves, both or known.node or asked.node)
        return Node(fields, self.ors + other.ors)

    def object_keys(self) -> set[str]:
        """Return the keys of nested objects, those within `$or` too."""
        keys = {key for key, asked in self.fields.items() if asked.node}
        return keys.union(*(node.object_keys() for group in self.ors for node in group))

    def _children(self) -> Iterator[Node]:
        yield from (asked.node for asked in self.fields.values() if asked.node)
        yield from (node for group in self.ors for node in group)
