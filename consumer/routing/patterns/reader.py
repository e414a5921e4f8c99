r"""Parses a pattern of the config into nodes and reports all its errors.

As on Amazon EventBridge a dot leads into an object: `customer.segment` is the field `segment` of
`customer`. A name that contains a dot is written `customer\.segment`, or in quotes of its own:
`"customer.segment"`, which YAML keeps only if the whole is quoted once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from consumer.errors import DispatcherError
from consumer.routing.patterns.match import table_of
from consumer.routing.patterns.nodes import OR, Field, Leaf, Node
from consumer.routing.patterns.operators import Path, PatternError, is_operation, operation, scalar
from consumer.routing.patterns.scalars import exact

MAX_COMBINATIONS: Final = 256
"""Combinations of one pattern's `$or`s, at most: each may become a closure of its own."""
MAX_DEPTH: Final = 32
LITERAL: Final = r"a name that has a dot in it is written 'a\.b'"
_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"(?=\.|$)|((?:[^.\\]|\\.|\\$)*)', re.DOTALL)
_LEAVES: Final = WeakValueDictionary[str, Leaf]()
"""Leaves in use, by their text."""
_ESCAPED = re.compile(r'\\([\\."])')


class PatternErrors(DispatcherError):  # noqa: N818 - the plural says what it holds
    """A pattern is refused; `errors` lists everything wrong with it."""

    def __init__(self, errors: Sequence[PatternError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


def read_pattern(raw: Mapping[str, object]) -> Node:
    """Parse a pattern, also an empty one, into nodes; raises `PatternErrors`."""
    reader = _Reader()
    node = reader.root(raw)
    if not reader.errors and node.combinations() > MAX_COMBINATIONS:
        reader.fail((), f"its {OR}s make more than {MAX_COMBINATIONS} combinations")
    if reader.errors:
        raise PatternErrors(reader.errors)
    return node


class _Reader:
    """Parses a pattern into nodes and collects all its errors."""

    def __init__(self) -> None:
        self.errors: list[PatternError] = []

    def fail(self, path: Path, message: str, hint: str = "") -> None:
        self.errors.append(PatternError(path, message, hint))

    def root(self, raw: object) -> Node:
        """Parse the whole pattern: only its root may be an empty object (no conditions)."""
        if not isinstance(raw, Mapping):
            self.fail((), "expected an object")
            return Node()
        return self._entries(raw, (), 0)

    def _node(self, raw: object, path: Path, depth: int) -> Node:
        """Parse an object within the pattern."""
        if not isinstance(raw, Mapping) or not raw:
            self.fail(path, "expected an object with at least one field")
        elif depth > MAX_DEPTH:
            self.fail(path, f"is nested deeper than {MAX_DEPTH} levels")
        else:
            return self._entries(raw, path, depth)
        return Node()

    def _entries(self, raw: Mapping[Any, object], path: Path, depth: int) -> Node:
        node = Node()
        for key, value in raw.items():
            if isinstance(key, str):
                self._entry(node, key, value, (*path, key), depth)
            else:
                self.fail((*path, key), "a field's name must be text", "put it in quotes")
        return node

    def _entry(self, node: Node, key: str, value: object, path: Path, depth: int) -> None:
        if key == OR:
            node.ors.append(self._or(value, path, depth + 1))
            return
        try:
            first, *rest = steps_of(key)
        except ValueError as error:
            self.fail(path, str(error), LITERAL)
            return
        if depth + len(rest) >= MAX_DEPTH:
            self.fail(path, f"is nested deeper than {MAX_DEPTH} levels")
            return
        asked = self._field(value, path, depth + 1 + len(rest))
        for step in reversed(rest):
            asked = Field([], Node({step: asked}))
        self._add(node, first, asked, path)

    def _field(self, value: object, path: Path, depth: int) -> Field:
        if not isinstance(value, Mapping):
            return Field([self._leaf(value, path)], None)
        if is_operation(value):
            name = next(iter(value))
            self.fail(path, f"`{name}` must stand in a list", f"write [{{{name}: …}}]")
            return Field([], None)
        return Field([], self._node(value, path, depth))

    def _add(self, node: Node, name: str, asked: Field, path: Path) -> None:
        """Add a field. Two descriptions of one object, nested and with dots, both apply.

        Two descriptions of one plain field are refused, as on Amazon EventBridge.
        """
        known = node.fields.setdefault(name, asked)
        if known is asked:
            return
        if known.node is None or asked.node is None:
            self.fail(path, "this field stands here twice", "once nested, once with dots")
            return
        for inner, condition in asked.node.fields.items():
            self._add(known.node, inner, condition, path)
        known.node.ors.extend(asked.node.ors)

    def _or(self, value: object, path: Path, depth: int) -> list[Node]:
        if not isinstance(value, list) or len(value) < 2:
            self.fail(path, f"{OR} takes a list of two or more objects")
            return []
        return [self._node(item, (*path, index), depth) for index, item in enumerate(value)]

    def _leaf(self, value: object, path: Path) -> Leaf:
        raw = value if isinstance(value, list) else [value]
        if not raw:
            self.fail(path, "an empty list never matches")
        values, items, absent = [], [], False
        for index, accepted in enumerate(raw):
            try:
                if not isinstance(accepted, Mapping):
                    values.append(scalar(accepted, (*path, index)))
                elif item := operation(accepted, (*path, index)):
                    items.append(item)
                else:
                    absent = True
            except PatternError as error:
                self.errors.append(error)
        leaf = Leaf(table_of([exact(values), *items], absent=absent), absent, raw)
        return leaf if self.errors else _LEAVES.setdefault(leaf.text, leaf)


def steps_of(key: str) -> tuple[str, ...]:
    """Return the names on the path, the field's own last; raises ValueError for an empty one."""
    if not any(mark in key for mark in '."\\'):
        return (key,)
    steps, at = [], 0
    while True:
        step = _STEP.match(key, at)
        assert step is not None  # noqa: S101 - the second alternative takes the empty text, too
        name = step[2] if step[1] is None else step[1]
        if not step[0]:
            raise ValueError("a name between dots is empty")
        steps.append(_ESCAPED.sub(r"\1", name))
        if step.end() == len(key):
            return tuple(steps)
        at = step.end() + 1
